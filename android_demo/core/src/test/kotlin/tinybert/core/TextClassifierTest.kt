package tinybert.core

import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Test

class TextClassifierTest {
    private val vocabulary = listOf("[PAD]", "[UNK]", "[CLS]", "[SEP]", "film")
    private val inputs = mutableListOf<ModelInput>()
    private var now = 0L

    private fun classifier(
        labels: List<String>, output: String, vararg answer: Float, textPairs: Boolean = false, multiLabel: Boolean = false,
        abstainBelow: Double? = null,
    ): TextClassifier {
        val info = ModelInfo(
            name = "n", task = "t", labels = labels, multiLabel = multiLabel, textPairs = textPairs, sequenceLength = 16, fixedLength = false,
            lowercase = true, signature = "s", output = output, variant = "int8", parameters = 1, sizeBytes = 1,
            vocabularySize = 5, metrics = emptyMap(), metricTexts = 0, abstainBelow = abstainBelow,
        )
        val engine = object : InferenceEngine {
            override fun run(input: ModelInput): FloatArray = answer.also { inputs += input }

            override fun close() = Unit
        }
        return TextClassifier(ModelDescription(info, vocabulary), engine) { now.also { now += 1_500_000 } }
    }

    @Test
    fun `an answer with its latency`() {
        val answer = classifier(listOf("no", "yes"), "probabilities", 0.2f, 0.8f).classify("film", "not read")
        assertEquals(1, answer.best)
        assertEquals(3, answer.tokenCount)
        assertEquals(1.5, answer.latency.tokenizeMs, 0.0)
        assertEquals(3.0, answer.latency.totalMs, 0.0)
    }

    @Test
    fun `logits become probabilities`() {
        val answer = classifier(listOf("no", "yes"), "logits", 1000f, 1000f).classify("film")
        assertArrayEquals(floatArrayOf(0.5f, 0.5f), answer.values, 0f)
        assertArrayEquals(floatArrayOf(0.0900306f, 0.244728f, 0.665241f), softmax(floatArrayOf(1f, 2f, 3f)), 1e-6f)
    }

    @Test
    fun `a text may have several labels, or none`() {
        val labels = listOf("a", "b", "c")
        val several = classifier(labels, "probabilities", 0.5f, 0.1f, 0.9f, multiLabel = true).classify("film")
        assertEquals(listOf(0, 2), several.chosen())
        assertEquals(listOf(2), several.chosen(0.6f))
        val none = classifier(labels, "logits", -1f, 0f, -99f, multiLabel = true).classify("film")
        assertArrayEquals(floatArrayOf(0.2689414f, 0.5f, 0f), none.values, 1e-6f)
        assertEquals(emptyList<Int>(), none.chosen(0.51f))
        assertEquals(listOf(1), classifier(listOf("no", "yes"), "probabilities", 0.6f, 0.8f).classify("film").chosen())
    }

    @Test
    fun `an unsure model gives no label`() {
        val labels = listOf("no", "yes")
        val unsure = classifier(labels, "probabilities", 0.2f, 0.8f, abstainBelow = 0.9).classify("film")
        assertEquals(listOf(true, null, emptyList<Int>()), listOf(unsure.isUnsure, unsure.label, unsure.chosen()))
        assertEquals("yes", classifier(labels, "probabilities", 0.2f, 0.8f, abstainBelow = 0.8).classify("film").label)
        assertEquals("yes", classifier(labels, "probabilities", 0.2f, 0.8f).classify("film").label)
        val number = classifier(listOf("score"), "score", 0.2f, abstainBelow = 0.9).classify("film")
        assertEquals(listOf(false, null), listOf(number.isUnsure, number.label))
    }

    @Test
    fun `a pair without a second text has an empty one`() {
        classifier(listOf("no", "yes"), "probabilities", 1f, 0f, textPairs = true).classify("film")
        assertArrayEquals(intArrayOf(2, 4, 3, 3), inputs.single().tokenIds)
    }

    @Test
    fun `of many classes the best are shown`() {
        val answer = classifier(List(12) { "c$it" }, "probabilities", *FloatArray(12) { (it % 5) / 20f }).classify("film")
        assertEquals(listOf(4, 9, 3, 8), answer.shown(4))
        assertEquals((0 until 12).toList(), answer.shown(12))
    }

    @Test
    fun `an answer that is none`() {
        for (bad in listOf(floatArrayOf(0.5f), floatArrayOf(Float.NaN, 1f))) {
            assertThrows(ModelException::class.java) { classifier(listOf("no", "yes"), "probabilities", *bad).classify("film") }
        }
    }

    @Test
    fun `runs are measured after a warm-up`() {
        val statistics = classifier(listOf("no", "yes"), "probabilities", 1f, 0f).measure("film", null, runs = 10)
        assertEquals(15, inputs.size)
        assertEquals(10, statistics.runs)
        assertEquals(3.0, statistics.medianMs, 0.0)
    }

    @Test
    fun `statistics of runs`() {
        val statistics = LatencyStatistics((1..10).map(Int::toDouble).reversed())
        assertEquals(5.5, statistics.medianMs, 0.0)
        assertEquals(9.0, statistics.percentileMs(90), 0.0)
        assertEquals(listOf(1.0, 10.0), listOf(statistics.fastestMs, statistics.slowestMs))
        assertEquals(2.0, LatencyStatistics(listOf(3.0, 1.0, 2.0)).medianMs, 0.0)
        assertThrows(IllegalArgumentException::class.java) { LatencyStatistics(emptyList()) }
    }
}
