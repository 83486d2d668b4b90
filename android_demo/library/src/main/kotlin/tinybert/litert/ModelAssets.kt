package tinybert.litert

import android.content.res.AssetManager
import java.io.IOException
import java.nio.MappedByteBuffer
import java.nio.channels.FileChannel
import tinybert.core.MissingModelException
import tinybert.core.ModelException
import tinybert.core.ModelFiles
import tinybert.core.TextModel
import tinybert.core.model

/**
 * Opens the model in an app's assets: the files that `--stage=export --android_assets=…` writes. Call it on a
 * background thread: it reads the vocabulary and opens the model.
 *
 * @param folder where the files are in the assets, such as "reviews".
 * @throws MissingModelException there is none.
 * @throws ModelException it cannot be used.
 */
fun loadModel(assets: AssetManager, folder: String = ""): TextModel {
    val description = ModelFiles.read { assets.open(inFolder(folder, it)) }
    val model = mapModel(assets, folder, description.info.sizeBytes)
    val engine = LiteRtEngine(model, description.info, threadsOfDevice())
    try {
        return description.model(engine)
    } catch (error: ModelException) {
        engine.close()
        throw error
    }
}

/** Maps the model into memory, where it lies in the APK: it is stored there uncompressed. */
private fun mapModel(assets: AssetManager, folder: String, sizeBytes: Long): MappedByteBuffer {
    if (ModelFiles.MODEL !in assets.list(folder).orEmpty()) throw MissingModelException(ModelFiles.MODEL)
    try {
        assets.openFd(inFolder(folder, ModelFiles.MODEL)).use { file ->
            if (file.declaredLength != sizeBytes) {
                throw ModelException("${ModelFiles.MODEL} has ${file.declaredLength} bytes, not $sizeBytes")
            }
            return file.createInputStream().use {
                it.channel.map(FileChannel.MapMode.READ_ONLY, file.startOffset, file.declaredLength)
            }
        }
    } catch (error: IOException) {
        throw ModelException("${ModelFiles.MODEL} cannot be mapped: ${error.message}", error)
    }
}

private fun inFolder(folder: String, name: String) = if (folder.isEmpty()) name else "$folder/$name"

/** Half of the cores, up to 4: the fast ones of most phones. */
private fun threadsOfDevice(): Int = (Runtime.getRuntime().availableProcessors() / 2).coerceIn(1, 4)
