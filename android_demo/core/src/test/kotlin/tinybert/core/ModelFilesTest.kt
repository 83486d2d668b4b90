package tinybert.core

import java.io.ByteArrayInputStream
import java.io.FileNotFoundException
import java.io.IOException
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

class ModelFilesTest {
    private val info = """{"name": "n", "task": "", "labels": ["no", "yes"], "text_pairs": false, "sequence_length": 16,
        "fixed_length": false, "lowercase": true, "signature": "s", "inputs": ["segment_ids", "token_ids", "padding_mask"],
        "output": "probabilities", "variant": "int8", "parameters": 9, "size_bytes": 10, "vocabulary_size": 4,
        "metrics": {"accuracy": 0.5}, "metric_texts": 7, "of_a_later_version": [1.5e-3, null, {"\u00e9\"": "\\"}]}"""
    private val files = mapOf(
        "model_info.json" to info,
        "vocab.txt" to "[PAD]\n[UNK]\r\n[CLS]\n[SEP]\n",
        "labels.txt" to "no\nyes\n",
    )

    private fun read(files: Map<String, String>) =
        ModelFiles.read { ByteArrayInputStream((files[it] ?: throw FileNotFoundException(it)).toByteArray()) }

    private fun problem(files: Map<String, String>) = assertThrows(ModelException::class.java) { read(files) }.message

    @Test
    fun `files that belong together`() {
        val description = read(files)
        assertEquals(listOf("[PAD]", "[UNK]", "[CLS]", "[SEP]"), description.vocabulary)
        assertEquals(listOf("no", "yes"), description.info.labels)
        assertEquals(mapOf("accuracy" to 0.5), description.info.metrics)
        assertEquals(16, description.info.sequenceLength)
        assertEquals(false, description.info.multiLabel)
        val several = info.replace("\"text_pairs\"", "\"multi_label\": true, \"text_pairs\"")
        assertEquals(true, read(files + ("model_info.json" to several)).info.multiLabel)
        assertEquals(null, description.info.abstainBelow)
        val unsure = info.replace("\"text_pairs\"", "\"abstain_below\": 0.83, \"text_pairs\"")
        assertEquals(0.83, read(files + ("model_info.json" to unsure)).info.abstainBelow!!, 0.0)
    }

    @Test
    fun `a missing file is named`() {
        for (name in files.keys) {
            val error = assertThrows(MissingModelException::class.java) { read(files - name) }
            assertEquals(name, error.file)
        }
        val unreadable = assertThrows(ModelException::class.java) { ModelFiles.read { throw IOException("bad block") } }
        assertEquals("model_info.json cannot be read: bad block", unreadable.message)
    }

    @Test
    fun `files of different models`() {
        assertEquals(
            "vocab.txt has 3 lines; the model knows 4", problem(files + ("vocab.txt" to "[PAD]\n[UNK]\n[CLS]\n")),
        )
        assertEquals(
            "labels.txt and model_info.json name other classes", problem(files + ("labels.txt" to "yes\nno\n")),
        )
    }

    @Test
    fun `settings that are wrong are named`() {
        val changes = mapOf(
            "\"labels\": [\"no\", \"yes\"]" to "\"labels\": [\"no\"]",
            "\"sequence_length\": 16" to "\"sequence_length\": 2",
            "\"sequence_length\": 16" to "\"sequence_length\": \"16\"",
            "\"lowercase\": true" to "\"lowercase\": 1",
            "\"text_pairs\"" to "\"multi_label\": 1, \"text_pairs\"",
            "\"text_pairs\"" to "\"abstain_below\": \"0.8\", \"text_pairs\"",
            "\"padding_mask\"" to "\"mask\"",
            "\"output\": \"probabilities\"" to "\"output\": \"embedding\"",
            "\"size_bytes\": 10" to "\"size_bytes\": -10",
            "\"vocabulary_size\": 4" to "\"vocabulary_size\": 4.5",
            "\"accuracy\": 0.5" to "\"accuracy\": \"good\"",
            "\"name\": \"n\"," to "",
        )
        for ((old, new) in changes) {
            assertTrue(old, old in info)
            val message = problem(files + ("model_info.json" to info.replace(old, new)))
            assertTrue("$new: $message", message!!.startsWith("model_info.json"))
        }
    }

    @Test
    fun `what is not JSON says where`() {
        for (text in listOf("", "{", "[1,]", "{\"a\" 1}", "nul", "01", "\"\\x\"", "\"\\u12g4\"", "\"a\nb\"", "1 2", "[".repeat(9999))) {
            val error = assertThrows(text, ModelException::class.java) { parseJson(text) }
            assertTrue(error.message, error.message!!.startsWith("not JSON at character "))
        }
        assertEquals(listOf(-1200.0, true, emptyMap<String, Any>(), emptyList<Any>()), parseJson(" [-1.2e3, true, {}, [ ]] "))
    }
}
