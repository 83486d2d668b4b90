package tinybert.litert

import java.nio.MappedByteBuffer
import org.tensorflow.lite.Interpreter
import tinybert.core.InferenceEngine
import tinybert.core.ModelException
import tinybert.core.ModelInfo
import tinybert.core.ModelInput

/**
 * Runs an exported student with LiteRT on the CPU. Inputs are bound by the signature's names: the converter orders them
 * as it likes. A row of another length resizes them, so that a short text costs little.
 *
 * @throws ModelException the file is no LiteRT model, or not the one that [info] describes.
 */
class LiteRtEngine(model: MappedByteBuffer, private val info: ModelInfo, threads: Int) : InferenceEngine {
    private val interpreter = try {
        Interpreter(model, Interpreter.Options().setNumThreads(threads))
    } catch (error: IllegalArgumentException) {
        throw ModelException("LiteRT refuses the model: ${error.message}", error)
    }
    private var outputs = newOutputs()
    private var length = 0

    init {
        try {
            checkSignature()
        } catch (error: ModelException) {
            interpreter.close()
            throw error
        }
    }

    private fun checkSignature() {
        val keys = interpreter.signatureKeys.toList()
        if (info.signature !in keys) throw ModelException("the model has signatures $keys, no ${info.signature}")
        val inputs = interpreter.getSignatureInputs(info.signature).toSet()
        val found = interpreter.getSignatureOutputs(info.signature).toSet()
        if (inputs != INPUTS || !found.containsAll(info.outputs)) {
            throw ModelException("the model has inputs $inputs, outputs $found")
        }
    }

    override fun run(input: ModelInput): FloatArray {
        if (input.length != length) {
            for (index in 0 until interpreter.inputTensorCount) interpreter.resizeInput(index, intArrayOf(1, input.length))
            interpreter.allocateTensors()
            length = input.length
            outputs = newOutputs()
        }
        val inputs = mapOf<String, Any>(
            ModelInfo.TOKEN_IDS to arrayOf(input.tokenIds),
            ModelInfo.SEGMENT_IDS to arrayOf(input.segmentIds),
            ModelInfo.PADDING_MASK to arrayOf(input.paddingMask),
        )
        interpreter.runSignature(inputs, outputs, info.signature)
        return FloatArray(outputs.size * outputs.getValue(info.outputs[0])[0].size).also(::copyOutputs)
    }

    /** One number per class, or, of a question answerer, per token. */
    private fun newOutputs() =
        info.outputs.associateWith { arrayOf(FloatArray(if (info.isQuestionAnswerer) length else info.labels.size)) }

    private fun copyOutputs(target: FloatArray) = info.outputs.forEachIndexed { place, name ->
        val row = outputs.getValue(name)[0]
        row.copyInto(target, place * row.size)
    }

    override fun close() = interpreter.close()

    private companion object {
        val INPUTS = setOf(ModelInfo.TOKEN_IDS, ModelInfo.SEGMENT_IDS, ModelInfo.PADDING_MASK)
    }
}
