package tinybert.demo

import android.graphics.Bitmap
import android.graphics.Canvas
import android.os.Looper
import android.view.View
import android.view.ViewGroup
import android.widget.EditText
import android.widget.TextView
import java.io.File
import java.time.Duration
import org.junit.After
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Assume.assumeTrue
import org.junit.Before
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode
import tinybert.core.ModelFiles
import tinybert.core.model
import tinybert.core.parseJson
import tinybert.litert.loadModel

/**
 * The screen with a real exported student, which LiteRT runs in a Python process; see `tests/android/` at the top of the
 * repository. Without `-Dtinybert.engine`, nothing here runs.
 */
@RunWith(RobolectricTestRunner::class)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
@Config(qualifiers = "w411dp-h891dp-xhdpi")
class RealModelTest {
    private val engine: String? = System.getProperty("tinybert.engine")
    private val assets = File(System.getProperty("tinybert.assets").orEmpty())

    @Before
    fun open() {
        assumeTrue("-Dtinybert.engine is not set", engine != null)
        MainActivity.openModel = {
            val description = ModelFiles.read { assets.resolve(it).inputStream() }
            description.model(ProcessEngine(engine!!.split(' ') + assets.resolve(ModelFiles.MODEL).path))
        }
    }

    @After
    fun restore() {
        MainActivity.openModel = ::loadModel
    }

    private fun start(): MainActivity = Robolectric.buildActivity(MainActivity::class.java).setup().get()
        .also { activity -> waitFor { activity.find<View>(R.id.content).isShown } }

    /** What the screen says to a text, or to two with a tab between them. */
    private fun MainActivity.answerTo(texts: String): String = answerAfter {
        find<EditText>(R.id.text_pair).setText(texts.substringAfter('\t', ""))
        find<EditText>(R.id.text).setText(texts.substringBefore('\t'))
    }

    private fun MainActivity.answerToExample() = answerAfter { find<ViewGroup>(R.id.examples).getChildAt(0).performClick() }

    private fun MainActivity.answerAfter(act: () -> Unit): String {
        val answer = find<TextView>(R.id.answer)
        val before = answer.text.toString()
        act()
        waitFor { answer.text.toString() != before }
        return answer.text.toString()
    }

    private fun waitFor(condition: () -> Boolean) {
        repeat(12_000) {
            shadowOf(Looper.getMainLooper()).idle()
            if (condition()) return
            Thread.sleep(5)
        }
        throw AssertionError("nothing after a minute")
    }

    @Test
    fun `the screen says what Python says`() {
        val activity = start()
        val expected = parseJson(assets.resolve("expected.json").readText()) as Map<*, *>
        assertTrue(expected.size >= 10)
        for ((text, answer) in expected) {
            assertEquals(text as String, answer, activity.answerTo(text))
            activity.answerTo("")
        }
    }

    @Test
    fun `pictures by day and by night`() {
        for (mode in listOf("notnight", "night")) {
            RuntimeEnvironment.setQualifiers("+$mode")
            val activity = start()
            activity.answerToExample()
            activity.find<View>(R.id.measure).performClick()
            waitFor { activity.find<TextView>(R.id.measured).text.startsWith("50 runs") }
            val picture = pictureOf(activity.window.decorView)
            val colours = (0 until picture.height step 7).map { picture.getPixel(picture.width / 2, it) }.toSet()
            assertTrue("$mode: ${colours.size} colours", colours.size > 5)
            assertEquals(activity.getColor(R.color.background), picture.getPixel(1, picture.height / 2))
            save(picture, "android_$mode.png")
        }
    }

    @Test
    fun `text of twice the size is not cut`() {
        RuntimeEnvironment.setFontScale(2f)
        val activity = start()
        activity.answerToExample()
        val picture = pictureOf(activity.window.decorView)
        val texts = textsIn(activity.window.decorView as ViewGroup).filter { it.isShown && it.parent !== activity.find(R.id.examples) }
        assertTrue("${texts.size} texts", texts.size > 10)
        for (text in texts) {
            val lines = text.layout
            assertEquals("${text.text}", 0, (0 until lines.lineCount).sumOf(lines::getEllipsisCount))
            assertTrue("${text.text}", text.height >= lines.height + text.paddingTop + text.paddingBottom)
            assertTrue("${text.text}", (0 until lines.lineCount).all { lines.getLineWidth(it) <= text.width })
        }
        save(picture, "android_large.png")
    }

    private fun textsIn(group: ViewGroup): List<TextView> = (0 until group.childCount).map(group::getChildAt).flatMap {
        if (it is ViewGroup) textsIn(it) else listOfNotNull(it as? TextView)
    }

    private fun pictureOf(view: View): Bitmap {
        shadowOf(Looper.getMainLooper()).idleFor(Duration.ofSeconds(2)) // bars move to their place
        return Bitmap.createBitmap(view.width, view.height, Bitmap.Config.ARGB_8888).also { view.draw(Canvas(it)) }
    }

    private fun save(picture: Bitmap, name: String) {
        val folder = File(System.getProperty("tinybert.screenshots") ?: return)
        File(folder, name).outputStream().use { picture.compress(Bitmap.CompressFormat.PNG, 100, it) }
    }
}
