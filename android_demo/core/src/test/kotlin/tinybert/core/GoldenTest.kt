package tinybert.core

import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Test

/** The vectors that the Python tokenizer gave: see `tests/golden/make_android.py`. */
class GoldenTest {
    private val golden = parseJson(GoldenTest::class.java.getResource("/golden.json")!!.readText()) as Map<*, *>

    @Suppress("UNCHECKED_CAST")
    private val vocabulary = golden["vocabulary"] as List<String>

    @Suppress("UNCHECKED_CAST")
    private val cases = golden["cases"] as List<Map<String, Any?>>

    private fun ints(case: Map<String, Any?>, name: String) =
        (case.getValue(name) as List<*>).map { (it as Double).toInt() }.toIntArray()

    @Test
    fun `every text has Python's ids`() {
        assertEquals(true, cases.size > 100)
        for (case in cases) {
            val length = (case.getValue("sequence_length") as Double).toInt()
            val names = listOf("lowercase", "strip_accents", "tokenize_chinese_chars", "clean_text")
            val (lowercase, stripAccents, tokenizeChineseChars, cleanText) = names.map { case.getValue(it) as Boolean }
            val tokenizer =
                BertTokenizer(vocabulary, lowercase, length, false, stripAccents, tokenizeChineseChars, cleanText)
            val input = tokenizer.encode(case.getValue("text") as String, case["text_pair"] as String?)
            assertArrayEquals("$case", ints(case, "token_ids"), input.tokenIds)
            assertArrayEquals("$case", ints(case, "segment_ids"), input.segmentIds)
            assertEquals("$case", input.length, input.tokenCount)
        }
    }

    @Test
    fun `a model abstains where Python does`() {
        val answers = golden["answers"] as List<*>
        assertEquals(30, answers.size)
        for (case in answers) {
            val (probabilities, threshold, label) = listOf("probabilities", "abstain_below", "label").map { (case as Map<*, *>)[it] }
            val values = (probabilities as List<*>).map { (it as Double).toFloat() }.toFloatArray()
            val labels = listOf("bad", "good", "neither")
            val answer = Answer(labels, values, false, false, 3, Latency(0.0, 0.0), threshold as Double?)
            assertEquals("$case", label, answer.label)
            assertEquals("$case", listOfNotNull(label).map(labels::indexOf), answer.chosen())
        }
    }
}
