package tinybert.core

import kotlin.math.exp

/**
 * Text in, answer out: tokenizer and engine together, each timed. Not for several threads at once.
 *
 * @param clockNanos the time, in nanoseconds from any start.
 */
class TextClassifier(
    description: ModelDescription,
    private val engine: InferenceEngine,
    private val clockNanos: () -> Long = System::nanoTime,
) : TextModel {
    override val info: ModelInfo = description.info
    private val tokenizer = description.tokenizer()

    /** Returns the answer to a text; [textPair] is read by models of pairs only, and empty where it is missing. */
    fun classify(text: String, textPair: String? = null): Answer {
        val start = clockNanos()
        val input = tokenizer.encode(text, if (info.textPairs) textPair.orEmpty() else null)
        val tokenized = clockNanos()
        val outputs = engine.run(input)
        if (outputs.size != info.labels.size || outputs.any { !it.isFinite() }) {
            throw ModelException("the model answers ${outputs.toList()} to ${info.labels.size} classes")
        }
        val values = when {
            info.output != ModelInfo.LOGITS -> outputs
            info.multiLabel -> sigmoid(outputs)
            else -> softmax(outputs)
        }
        val end = clockNanos()
        val latency = Latency((tokenized - start) / 1e6, (end - tokenized) / 1e6)
        return Answer(
            info.labels, values, info.isRegression, info.multiLabel, input.tokenCount, latency, info.abstainBelow,
        )
    }

    override fun reply(text: String, textPair: String?): Reply = classify(text, textPair)

    override fun warmUp() {
        classify("")
    }

    override fun close() = engine.close()
}

/**
 * A model's answer.
 *
 * @property values a probability for each of [labels], or one number for regression.
 * @property isMultiLabel whether the text may have any number of the labels.
 * @property abstainBelow probability below which a text of one label gets none; null if each text gets one.
 */
class Answer(
    val labels: List<String>,
    val values: FloatArray,
    val isRegression: Boolean,
    val isMultiLabel: Boolean,
    override val tokenCount: Int,
    override val latency: Latency,
    val abstainBelow: Double? = null,
) : Reply {
    /** Place of the most probable class; the first of equal ones. */
    val best: Int get() = values.indices.maxByOrNull { values[it] } ?: 0

    /** Whether the model is too unsure of a text of one label to give it. */
    val isUnsure: Boolean
        get() = !isRegression && !isMultiLabel && abstainBelow != null && values[best] < abstainBelow.toFloat()

    /** The label of a text of one label; null where the model abstains, or answers otherwise. */
    val label: String? get() = if (isRegression || isMultiLabel || isUnsure) null else labels[best]

    /** Places of the labels that the text has: those of [threshold] or more where it may have several, else the best. */
    fun chosen(threshold: Float = 0.5f): List<Int> = when {
        isMultiLabel -> values.indices.filter { values[it] >= threshold }
        isUnsure -> emptyList()
        else -> listOf(best)
    }

    /** Places of the classes to show: all of them in their order, or the [limit] most probable ones if they are more. */
    fun shown(limit: Int): List<Int> =
        if (labels.size <= limit) labels.indices.toList() else values.indices.sortedByDescending { values[it] }.take(limit)
}

/** Turns logits into a probability each. */
fun sigmoid(logits: FloatArray): FloatArray = FloatArray(logits.size) { (1 / (1 + exp(-logits[it].toDouble()))).toFloat() }

/** Turns logits into probabilities that add up to 1; large ones do not overflow. */
fun softmax(logits: FloatArray): FloatArray {
    val largest = logits.maxOrNull() ?: return logits
    val powers = DoubleArray(logits.size) { exp((logits[it] - largest).toDouble()) }
    val sum = powers.sum()
    return FloatArray(logits.size) { (powers[it] / sum).toFloat() }
}
