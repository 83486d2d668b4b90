package tinybert.demo

import tinybert.core.InferenceEngine
import tinybert.core.ModelDescription
import tinybert.core.ModelInfo
import tinybert.core.ModelInput
import tinybert.core.TextModel
import tinybert.core.model

/**
 * A model in place of LiteRT: a text with "fine" in it is good, another one is bad.
 *
 * @param asks whether it answers questions: with "fine", or not at all.
 * @param abstainBelow probability below which it gives no label; null to always give one.
 * @param multiLabel whether it may be both or neither: with "dull" it is bad, whatever else it is.
 */
class StandIn(
    private val textPairs: Boolean = false,
    private val multiLabel: Boolean = false,
    private val asks: Boolean = false,
    private val abstainBelow: Double? = null,
    private val failure: RuntimeException? = null,
) : InferenceEngine {
    @Volatile
    var isClosed = false

    override fun run(input: ModelInput): FloatArray {
        failure?.let { throw it }
        if (asks) {
            return FloatArray(2 * input.length) {
                if (it % input.length == 0) 1f else if (input.tokenIds[it % input.length] == FINE) 9f else 0f
            }
        }
        if (multiLabel) return FloatArray(2) { if (listOf(DULL, FINE)[it] in input.tokenIds) 0.75f else 0.25f }
        return if (FINE in input.tokenIds) floatArrayOf(0.25f, 0.75f) else floatArrayOf(0.75f, 0.25f)
    }

    override fun close() {
        isClosed = true
    }

    fun model(): TextModel = ModelDescription(ModelInfo.parse(info), VOCABULARY).model(this)

    private val kind = if (asks) {
        """"kind": "question_answering", "stride": 4, "max_question": 4, "max_answer": 3, "null_threshold": 0,"""
    } else {
        ""
    }
    private val info = """{$kind "name": "test student", "task": "films", "labels": ["bad", "good"], "text_pairs": $textPairs, "abstain_below": $abstainBelow, "multi_label": $multiLabel,
        "sequence_length": 16, "fixed_length": false, "lowercase": true, "signature": "serving_default",
        "inputs": ["token_ids", "segment_ids", "padding_mask"], "output": "probabilities", "variant": "int8",
        "parameters": 9, "size_bytes": 9, "vocabulary_size": 8, "metrics": {"accuracy": 0.8562}, "metric_texts": 2066}"""

    private companion object {
        const val FINE = 5
        const val DULL = 6
        val VOCABULARY = listOf("[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "fine", "dull", "film")
    }
}
