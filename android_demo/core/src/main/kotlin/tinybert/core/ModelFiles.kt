package tinybert.core

import java.io.FileNotFoundException
import java.io.IOException
import java.io.InputStream

/** The four files that `--stage=export --android_assets=…` writes. */
object ModelFiles {
    const val MODEL = "student.tflite"
    const val VOCABULARY = "vocab.txt"
    const val LABELS = "labels.txt"

    /**
     * Reads and checks everything but the model itself.
     *
     * @param open opens a file by name; [FileNotFoundException] where there is none.
     * @throws MissingModelException one of the files is not there.
     * @throws ModelException they do not belong together.
     */
    fun read(open: (String) -> InputStream): ModelDescription {
        val info = ModelInfo.parse(text(ModelInfo.FILE, open))
        val vocabulary = lines(text(VOCABULARY, open))
        if (vocabulary.size != info.vocabularySize) {
            throw ModelException("$VOCABULARY has ${vocabulary.size} lines; the model knows ${info.vocabularySize}")
        }
        if (!info.isQuestionAnswerer && lines(text(LABELS, open)) != info.labels) {
            throw ModelException("$LABELS and ${ModelInfo.FILE} name other classes")
        }
        return ModelDescription(info, vocabulary)
    }

    private fun text(name: String, open: (String) -> InputStream): String = try {
        open(name).use { it.readBytes().toString(Charsets.UTF_8) }
    } catch (error: FileNotFoundException) {
        throw MissingModelException(name)
    } catch (error: IOException) {
        throw ModelException("$name cannot be read: ${error.message}", error)
    }

    private fun lines(text: String): List<String> = text.removeSuffix("\n").split("\n").map { it.removeSuffix("\r") }
}

/** A model's settings and its WordPieces. */
class ModelDescription(val info: ModelInfo, val vocabulary: List<String>) {
    fun tokenizer() = BertTokenizer(
        vocabulary,
        info.lowercase,
        info.sequenceLength,
        info.fixedLength,
        info.stripAccents,
        info.tokenizeChineseChars,
        info.cleanText,
    )
}
