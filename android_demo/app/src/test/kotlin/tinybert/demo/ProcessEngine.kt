package tinybert.demo

import tinybert.core.InferenceEngine
import tinybert.core.ModelInput

/** Another process as engine: a line of token ids, segment ids and mask to it, a line of numbers back. */
class ProcessEngine(command: List<String>) : InferenceEngine {
    private val process = ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start()
    private val toProcess = process.outputStream.bufferedWriter()
    private val fromProcess = process.inputStream.bufferedReader()

    override fun run(input: ModelInput): FloatArray {
        val rows = listOf(input.tokenIds, input.segmentIds, input.paddingMask)
        toProcess.write(rows.joinToString(";") { it.joinToString(" ") } + "\n")
        toProcess.flush()
        val answer = fromProcess.readLine() ?: throw IllegalStateException("the engine has ended")
        return answer.split(" ").map(String::toFloat).toFloatArray()
    }

    override fun close() {
        toProcess.close()
        process.waitFor()
    }
}
