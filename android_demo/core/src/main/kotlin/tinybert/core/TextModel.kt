package tinybert.core

import java.io.Closeable

/** A model at work: text in, reply out. Not for several threads at once. */
interface TextModel : Closeable {
    val info: ModelInfo

    /** Returns the reply to a text, or to two; [ModelInfo.canRead] must hold of them. */
    fun reply(text: String, textPair: String?): Reply

    /** Runs the model once: the first reply takes longer. */
    fun warmUp()

    /** Replies [runs] times, after [warmupRuns] that do not count. */
    fun measure(text: String, textPair: String?, runs: Int, warmupRuns: Int = 5): LatencyStatistics {
        repeat(warmupRuns) { reply(text, textPair) }
        return LatencyStatistics(List(runs) { reply(text, textPair).latency.totalMs })
    }
}

/** Returns the model that these files describe, at work on an engine. */
fun ModelDescription.model(engine: InferenceEngine): TextModel =
    if (info.isQuestionAnswerer) QuestionAnswerer(this, engine) else TextClassifier(this, engine)

/** What a model says: a classifier's [Answer], or a [FoundAnswer] to a question. */
sealed interface Reply {
    /** Tokens that the model read. */
    val tokenCount: Int

    val latency: Latency
}

/**
 * Milliseconds that a reply took.
 *
 * @property inferenceMs of the model alone.
 */
class Latency(val tokenizeMs: Double, val inferenceMs: Double) {
    val totalMs: Double get() = tokenizeMs + inferenceMs
}
