package tinybert.core

/**
 * What `model_info.json` says of an exported student; everything that differs between models is here.
 *
 * @property labels classes in the order of the model's output; one name for a model that predicts a number.
 * @property multiLabel whether a text may have any number of the labels, each with a probability of its own.
 * @property textPairs whether it reads two texts.
 * @property sequenceLength most tokens in a row.
 * @property fixedLength whether it takes exactly so many.
 * @property stripAccents like [tokenizeChineseChars] and [cleanText], the tokenizer's; an older exporter left them out.
 * @property output name of the output: `probabilities`, `logits`, or `score` for a number.
 * @property kind `classification`, or `question_answering`, which has neither [labels] nor [output].
 * @property stride WordPieces from one window of a long context to the next; like the following, of questions.
 * @property maxQuestion most WordPieces of a question.
 * @property maxAnswer most WordPieces of an answer.
 * @property nullThreshold odds of "no answer" above which that is the answer; null for a model that always answers.
 * @property abstainBelow probability below which a text gets no label; null for a model that gives each text one.
 * @property metrics by name, in the exporter's order, as fractions; measured on [metricTexts] texts.
 */
class ModelInfo(
    val name: String,
    val task: String,
    val labels: List<String>,
    val multiLabel: Boolean,
    val textPairs: Boolean,
    val sequenceLength: Int,
    val fixedLength: Boolean,
    val lowercase: Boolean,
    val signature: String,
    val output: String,
    val variant: String,
    val parameters: Long,
    val sizeBytes: Long,
    val vocabularySize: Int,
    val metrics: Map<String, Double>,
    val metricTexts: Int,
    val stripAccents: Boolean = lowercase,
    val tokenizeChineseChars: Boolean = true,
    val cleanText: Boolean = true,
    val kind: String = CLASSIFICATION,
    val stride: Int = 0,
    val maxQuestion: Int = 0,
    val maxAnswer: Int = 0,
    val nullThreshold: Double? = null,
    val abstainBelow: Double? = null,
) {
    val isRegression: Boolean get() = output == SCORE
    val isQuestionAnswerer: Boolean get() = kind == QUESTION_ANSWERING

    /** The outputs that the app reads, by the signature's names. */
    val outputs: List<String> get() = if (isQuestionAnswerer) listOf(START_LOGITS, END_LOGITS) else listOf(output)

    /** Whether there is something to reply to. */
    fun canRead(text: String, textPair: String?): Boolean =
        text.isNotBlank() && (!isQuestionAnswerer || !textPair.isNullOrBlank())

    companion object {
        const val FILE = "model_info.json"
        const val TOKEN_IDS = "token_ids"
        const val SEGMENT_IDS = "segment_ids"
        const val PADDING_MASK = "padding_mask"
        const val PROBABILITIES = "probabilities"
        const val LOGITS = "logits"
        const val SCORE = "score"
        const val START_LOGITS = "start_logits"
        const val END_LOGITS = "end_logits"
        const val CLASSIFICATION = "classification"
        const val QUESTION_ANSWERING = "question_answering"

        /**
         * Reads `model_info.json`.
         *
         * @throws ModelException it is no JSON, or lacks something that the app needs.
         */
        fun parse(json: String): ModelInfo {
            val fields = Fields(parseJson(json))
            val kind = fields.string("kind", CLASSIFICATION) // older exporters do not say so
            val asks = kind == QUESTION_ANSWERING
            val info = ModelInfo(
                name = fields.string("name"),
                task = fields.string("task"),
                labels = if (asks) emptyList() else fields.strings("labels"),
                multiLabel = fields.boolean("multi_label", default = false), // older exporters do not say so
                textPairs = asks || fields.boolean("text_pairs"),
                sequenceLength = fields.count("sequence_length").toInt(),
                fixedLength = fields.boolean("fixed_length"),
                lowercase = fields.boolean("lowercase"),
                signature = fields.string("signature"),
                output = if (asks) "" else fields.string("output"),
                variant = fields.string("variant"),
                parameters = fields.count("parameters"),
                sizeBytes = fields.count("size_bytes"),
                vocabularySize = fields.count("vocabulary_size").toInt(),
                metrics = fields.numbers("metrics"),
                metricTexts = fields.count("metric_texts").toInt(),
                stripAccents = fields.boolean("strip_accents", fields.boolean("lowercase")),
                tokenizeChineseChars = fields.boolean("tokenize_chinese_chars", true),
                cleanText = fields.boolean("clean_text", true),
                kind = kind,
                stride = if (asks) fields.count("stride").toInt() else 0,
                maxQuestion = if (asks) fields.count("max_question").toInt() else 0,
                maxAnswer = if (asks) fields.count("max_answer").toInt() else 0,
                nullThreshold = if (asks) fields.numberOrNull("null_threshold") else null,
                abstainBelow = fields.numberOrNull("abstain_below"),
            )
            val problem = when {
                kind != CLASSIFICATION && !asks -> "an unknown kind $kind"
                asks && (info.stride < 1 || info.maxAnswer < 1) -> "a stride of ${info.stride}, answers of ${info.maxAnswer}"
                asks && info.sequenceLength < info.maxQuestion + QUESTION_ROOM -> "no room for a context"
                !asks && info.output !in setOf(PROBABILITIES, LOGITS, SCORE) -> "an unknown output ${info.output}"
                !asks && info.labels.size < (if (info.isRegression) 1 else 2) -> "${info.labels.size} labels"
                info.isRegression && info.labels.size > 1 -> "${info.labels.size} labels for one number"
                info.isRegression && info.multiLabel -> "several labels for one number"
                info.sequenceLength < SHORTEST -> "a sequence_length of ${info.sequenceLength}"
                fields.strings("inputs").toSet() != setOf(TOKEN_IDS, SEGMENT_IDS, PADDING_MASK) -> "other inputs"
                else -> return info
            }
            throw ModelException("$FILE has $problem")
        }

        private const val SHORTEST = 8
        private const val QUESTION_ROOM = 4 // special tokens, and a WordPiece of the context
    }
}

/** Typed access to a JSON object; what is missing or of another type is told by name. */
private class Fields(json: Any?) {
    private val fields = json as? Map<*, *> ?: throw ModelException("${ModelInfo.FILE} is not an object")

    fun string(name: String): String = fields[name] as? String ?: fail(name, "a text")

    fun string(name: String, default: String): String = if (name in fields) string(name) else default

    fun numberOrNull(name: String): Double? = when (val value = fields[name]) {
        null -> null
        is Double -> value
        else -> fail(name, "a number or null")
    }

    fun boolean(name: String): Boolean = fields[name] as? Boolean ?: fail(name, "true or false")

    fun boolean(name: String, default: Boolean): Boolean = if (name in fields) boolean(name) else default

    fun count(name: String): Long {
        val value = fields[name] as? Double ?: fail(name, "a number")
        return if (value >= 0 && value == Math.rint(value)) value.toLong() else fail(name, "a whole number")
    }

    fun strings(name: String): List<String> {
        val values = fields[name] as? List<*> ?: fail(name, "a list")
        return values.map { it as? String ?: fail(name, "a list of texts") }
    }

    fun numbers(name: String): Map<String, Double> {
        val values = fields[name] as? Map<*, *> ?: fail(name, "an object")
        return values.entries.associate { (key, value) -> key as String to (value as? Double ?: fail(name, "numbers")) }
    }

    private fun fail(name: String, expected: String): Nothing =
        throw ModelException("${ModelInfo.FILE}: \"$name\" is not $expected")
}
