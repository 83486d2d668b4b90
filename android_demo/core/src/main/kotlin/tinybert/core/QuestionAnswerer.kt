package tinybert.core

/**
 * Finds the answer to a question in a text, window by window.
 *
 * @param engine gives the start logits of a row's tokens, and then the end logits.
 * @param clockNanos the time, in nanoseconds from any start.
 */
class QuestionAnswerer(
    description: ModelDescription,
    private val engine: InferenceEngine,
    private val clockNanos: () -> Long = System::nanoTime,
) : TextModel {
    override val info: ModelInfo = description.info
    private val tokenizer = description.tokenizer()

    /** Returns the answer that [context] has to [question]; of a longer question, the first WordPieces are read. */
    fun answer(question: String, context: String): FoundAnswer {
        val start = clockNanos()
        val asked = tokenizer.pieces(question).ids
        val cut = asked.copyOf(minOf(asked.size, info.maxQuestion))
        val windows = windowsOf(tokenizer, cut, tokenizer.pieces(context), info.sequenceLength, info.stride)
        val tokenized = clockNanos()
        val logits = windows.map { logitsOf(it.input) }
        val span = bestSpan(context, windows, logits, info.nullThreshold, info.maxAnswer)
        val latency = Latency((tokenized - start) / 1e6, (clockNanos() - tokenized) / 1e6)
        return FoundAnswer(span, context, cut.size < asked.size, windows.sumOf { it.input.tokenCount }, latency)
    }

    private fun logitsOf(input: ModelInput): FloatArray {
        val logits = engine.run(input)
        if (logits.size != 2 * input.length || logits.any { !it.isFinite() }) {
            throw ModelException("the model answers ${logits.size} numbers to ${input.length} tokens, or no numbers")
        }
        return logits
    }

    override fun reply(text: String, textPair: String?): Reply = answer(text, textPair.orEmpty())

    override fun warmUp() {
        answer("?", ".")
    }

    override fun close() = engine.close()
}

/**
 * The answer to a question.
 *
 * @property context the text that it was looked for in.
 * @property isQuestionCut whether the question was too long, and its end was not read.
 */
class FoundAnswer(
    val span: Span,
    val context: String,
    val isQuestionCut: Boolean,
    override val tokenCount: Int,
    override val latency: Latency,
) : Reply
