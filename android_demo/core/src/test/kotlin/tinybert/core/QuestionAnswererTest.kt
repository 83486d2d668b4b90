package tinybert.core

import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

class QuestionAnswererTest {
    private val golden = parseJson(javaClass.getResource("/questions.json")!!.readText()) as Map<*, *>

    @Suppress("UNCHECKED_CAST")
    private val vocabulary = golden["vocabulary"] as List<String>

    @Suppress("UNCHECKED_CAST")
    private val cases = golden["cases"] as List<Map<String, Any?>>

    private fun ints(values: Any?) = (values as List<*>).map { (it as Double).toInt() }.toIntArray()

    private fun info(case: Map<String, Any?>): ModelInfo {
        val names = listOf("sequence_length", "stride", "max_question", "max_answer", "null_threshold", "lowercase")
        val rules = listOf("strip_accents", "tokenize_chinese_chars", "clean_text")
        val given = (names + rules).joinToString { "\"$it\": ${case[it]}" }
        return ModelInfo.parse(
            """{"kind": "question_answering", "name": "n", "task": "squad", "fixed_length": false, "signature": "s",
            "inputs": ["token_ids", "segment_ids", "padding_mask"], "variant": "int8", "parameters": 1,
            "size_bytes": 1, "vocabulary_size": ${vocabulary.size}, "metrics": {}, "metric_texts": 0, $given}""",
        )
    }

    private fun answerer(info: ModelInfo, run: (ModelInput) -> FloatArray): QuestionAnswerer {
        val engine = object : InferenceEngine {
            override fun run(input: ModelInput) = run(input)

            override fun close() = Unit
        }
        return QuestionAnswerer(ModelDescription(info, vocabulary), engine) { 0 }
    }

    @Test
    fun `every context has Python's windows`() {
        assertTrue(cases.size > 80)
        for (case in cases) {
            val info = info(case)
            val tokenizer = ModelDescription(info, vocabulary).tokenizer()
            val asked = tokenizer.pieces(case["question"] as String).ids
            val context = tokenizer.pieces(case["context"] as String)
            val question = asked.copyOf(minOf(asked.size, info.maxQuestion))
            val windows = windowsOf(tokenizer, question, context, info.sequenceLength, info.stride)
            val expected = case["windows"] as List<*>
            assertEquals("$case", expected.size, windows.size)
            windows.zip(expected) { window, row ->
                row as Map<*, *>
                assertArrayEquals("$case", ints(row["token_ids"]), window.input.tokenIds)
                assertEquals("$case", ints(row["token_ids"]).size - window.first, window.input.segmentIds.sum())
                assertEquals(row["first"], window.first.toDouble())
                assertArrayEquals("$case", ints(row["begins"]), window.pieces.begins)
                assertArrayEquals("$case", ints(row["ends"]), window.pieces.ends)
                assertEquals("$case", ints(row["best"]).map { it == 1 }, window.best.toList())
            }
        }
    }

    @Test
    fun `every question has Python's answer`() {
        for (case in cases) {
            val windows = (case["windows"] as List<*>).map { it as Map<*, *> }
            var at = 0
            val answerer = answerer(info(case)) {
                (windows[at++]["logits"] as List<*>).map { (it as Double).toFloat() }.toFloatArray()
            }
            val found = answerer.answer(case["question"] as String, case["context"] as String)
            val expected = case["answer"] as Map<*, *>
            assertEquals("$case", expected["text"], found.span.text)
            assertEquals("$case", ints(listOf(expected["start"], expected["end"])).toList(), listOf(found.span.start, found.span.end))
            assertEquals("$case", expected["text"], found.context.substring(found.span.start, found.span.end))
            assertEquals("$case", expected["no_answer"], found.span.isNone)
            assertEquals("$case", expected["score"] as Double, found.span.score, 0.0)
            assertEquals("$case", expected["null_odds"] as Double, found.span.nullOdds, 0.0)
            assertEquals("$case", expected["probability"] as Double, found.span.probability, 1e-12)
            assertEquals(windows.sumOf { (it["token_ids"] as List<*>).size }, found.tokenCount)
        }
    }

    @Test
    fun `a long context has many windows, and a long question is cut`() {
        val case = cases.first() + mapOf("null_threshold" to 0.0)
        val film = vocabulary.lastIndexOf("film") // of equal pieces the last one counts
        val answerer = answerer(info(case)) { row ->
            FloatArray(2 * row.length) { if (it % row.length > 66 && row.tokenIds[it % row.length] == film) 9f else 0f }
        }
        val context = "good bad 😀 story ".repeat(1200) + "film"
        val found = answerer.answer("a ".repeat(65), context)
        assertEquals("film", found.span.text)
        assertEquals(context.length - 4, found.span.start)
        assertTrue(context.length > 20_000 && found.isQuestionCut && found.tokenCount > 384 * 12)
        val none = answerer.answer("a ".repeat(64), "\u0007\u200b")
        assertTrue(none.span.isNone && !none.isQuestionCut)
        assertEquals(1.0, none.span.probability, 0.0)
    }

    @Test
    fun `what is no answer`() {
        for (bad in listOf<(ModelInput) -> FloatArray>({ FloatArray(3) }, { FloatArray(2 * it.length) { Float.NaN } })) {
            assertThrows(ModelException::class.java) { answerer(info(cases.first()), bad).answer("a", "film") }
        }
    }

    @Test
    fun `a question needs a context`() {
        val info = info(cases.first())
        assertTrue(info.isQuestionAnswerer && info.textPairs && info.outputs == listOf("start_logits", "end_logits"))
        assertTrue(info.canRead("who", "film"))
        assertFalse(info.canRead("who", " ") || info.canRead("who", null) || info.canRead("", "film"))
    }

    @Test
    fun `settings of questions are checked`() {
        val good = cases.first()
        for ((name, value) in listOf("stride" to 0.0, "max_answer" to 0.0, "max_question" to 381.0, "null_threshold" to "\"x\"")) {
            assertThrows(ModelException::class.java) { info(good + mapOf(name to value)) }
        }
        assertEquals(null, info(good).nullThreshold)
    }
}
