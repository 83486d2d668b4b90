package tinybert.demo

import java.io.RandomAccessFile
import java.nio.ByteBuffer
import java.nio.MappedByteBuffer
import java.nio.channels.FileChannel
import org.junit.After
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Before
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.annotation.GraphicsMode
import org.robolectric.annotation.Implementation
import org.robolectric.annotation.Implements
import org.tensorflow.lite.Interpreter
import tinybert.core.ModelException
import tinybert.core.ModelInfo
import tinybert.core.ModelInput
import tinybert.litert.LiteRtEngine

/** How the app asks LiteRT; LiteRT itself is a stand-in (`robolectric.properties`), for its native library is Android's. */
@RunWith(RobolectricTestRunner::class)
@GraphicsMode(GraphicsMode.Mode.NATIVE) // as the other tests, to share their classes
class LiteRtEngineTest {
    @get:Rule
    val folder = TemporaryFolder()

    @Before
    @After
    fun reset() {
        ShadowInterpreter.calls.clear()
        ShadowInterpreter.inputs = listOf("segment_ids", "padding_mask", "token_ids")
        ShadowInterpreter.outputs = listOf("probabilities")
        ShadowInterpreter.refusal = null
    }

    private fun engine(kind: String = ""): LiteRtEngine {
        val info = """{$kind "name": "n", "task": "t", "labels": ["a", "b"], "text_pairs": true, "sequence_length": 16,
            "fixed_length": false, "lowercase": true, "signature": "serving_default",
            "inputs": ["token_ids", "segment_ids", "padding_mask"], "output": "probabilities", "variant": "int8",
            "parameters": 9, "size_bytes": 4, "vocabulary_size": 8, "metrics": {}, "metric_texts": 0}"""
        return LiteRtEngine(map(), ModelInfo.parse(info), threads = 3)
    }

    private fun map(): MappedByteBuffer {
        val file = folder.newFile().apply { writeBytes(ByteArray(4)) }
        return RandomAccessFile(file, "r").use { it.channel.map(FileChannel.MapMode.READ_ONLY, 0, 4) }
    }

    private fun row(vararg ids: Int) = ModelInput(ids, IntArray(ids.size) { it }, IntArray(ids.size) { 1 })

    @Test
    fun `inputs go by name, and are resized when the length changes`() {
        val engine = engine()
        assertArrayEquals(floatArrayOf(703f, 3f), engine.run(row(2, 5, 0)), 0f)
        assertArrayEquals(floatArrayOf(903f, 3f), engine.run(row(2, 7, 0)), 0f)
        val first = engine.run(row(2, 3))
        assertArrayEquals(floatArrayOf(501f, 2f), first, 0f)
        engine.run(row(9, 9))
        assertArrayEquals(floatArrayOf(501f, 2f), first, 0f) // an answer stays what it was
        engine.close()
        val resized = { n: Int -> List(3) { "resize $it to [1, $n]" } + "allocate" }
        val expected = listOf("4 bytes, 3 threads") + resized(3) + "run" + "run" + resized(2) + "run" + "run" + "close"
        assertEquals(expected, ShadowInterpreter.calls)
    }

    @Test
    fun `a question answerer has two numbers per token`() {
        ShadowInterpreter.outputs = listOf("end_logits", "start_logits")
        val kind = """"kind": "question_answering", "stride": 4, "max_question": 4, "max_answer": 3, "null_threshold": 0,"""
        val engine = engine(kind)
        assertArrayEquals(floatArrayOf(703f, 3f, 1f, 704f, 3f, 2f), engine.run(row(2, 5, 0)), 0f)
        assertArrayEquals(floatArrayOf(501f, 2f, 502f, 2f), engine.run(row(2, 3)), 0f)
        ShadowInterpreter.outputs = listOf("start_logits")
        val error = assertThrows(ModelException::class.java) { engine(kind) }
        assertTrue(error.message!!.endsWith("outputs [start_logits]"))
    }

    @Test
    fun `a model of another kind is refused and closed`() {
        ShadowInterpreter.inputs = listOf("image")
        val error = assertThrows(ModelException::class.java) { engine() }
        assertEquals("the model has inputs [image], outputs [probabilities]", error.message)
        assertEquals("close", ShadowInterpreter.calls.last())
    }

    @Test
    fun `a file that is no model is refused`() {
        ShadowInterpreter.refusal = "ByteBuffer is not a valid TensorFlow Lite model flatbuffer"
        val error = assertThrows(ModelException::class.java) { engine() }
        assertEquals("LiteRT refuses the model: ${ShadowInterpreter.refusal}", error.message)
    }
}

/** The part of the Interpreter that is in its superclass. */
@Implements(className = "org.tensorflow.lite.InterpreterImpl")
open class ShadowInterpreterImpl {
    protected val shapes = arrayOf(intArrayOf(1, 1), intArrayOf(1, 1), intArrayOf(1, 1))

    @Implementation
    fun getInputTensorCount(): Int = 3

    @Implementation
    fun resizeInput(index: Int, shape: IntArray) {
        shapes[index] = shape
        ShadowInterpreter.calls += "resize $index to ${shape.toList()}"
    }

    @Implementation
    fun allocateTensors() {
        ShadowInterpreter.calls += "allocate"
    }

    @Implementation
    fun close() {
        ShadowInterpreter.calls += "close"
    }
}

/** Answers 100 times the sum of the ids plus the sum of the segments, and the sum of the mask. */
@Implements(Interpreter::class)
class ShadowInterpreter : ShadowInterpreterImpl() {
    @Implementation
    fun __constructor__(model: ByteBuffer, options: Interpreter.Options) {
        refusal?.let { throw IllegalArgumentException(it) }
        calls += "${model.remaining()} bytes, ${options.numThreads} threads"
    }

    @Implementation
    fun getSignatureKeys(): Array<String> = arrayOf("serving_default")

    @Implementation
    fun getSignatureInputs(key: String): Array<String> = inputs.toTypedArray()

    @Implementation
    fun getSignatureOutputs(key: String): Array<String> = outputs.toTypedArray()

    @Implementation
    fun runSignature(inputs: Map<String, Any>, outputs: Map<String, Any>, key: String) {
        val rows = Companion.inputs.mapIndexed { index, name ->
            val row = (inputs.getValue(name) as Array<*>).single() as IntArray
            check(shapes[index].contentEquals(intArrayOf(1, row.size))) { "$name is of another shape" }
            name to row
        }.toMap()
        outputs.values.forEachIndexed { place, output ->
            val answer = (output as Array<*>).single() as FloatArray
            answer[0] = 100f * rows.getValue("token_ids").sum() + rows.getValue("segment_ids").sum() + place
            answer[1] = rows.getValue("padding_mask").sum().toFloat()
            if (answer.size > 2) answer[2] = place + 1f
        }
        calls += "run"
    }

    companion object {
        val calls = mutableListOf<String>()
        var inputs = emptyList<String>()
        var outputs = emptyList<String>()
        var refusal: String? = null
    }
}
