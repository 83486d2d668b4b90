package tinybert.demo

import android.os.Looper
import android.text.Spanned
import android.text.style.StyleSpan
import android.view.View
import android.widget.EditText
import android.widget.LinearLayout
import android.widget.TextView
import java.util.concurrent.ExecutorService
import java.util.concurrent.Executors
import java.util.concurrent.TimeUnit
import org.junit.After
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Assume.assumeFalse
import org.junit.Before
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.android.controller.ActivityController
import org.robolectric.annotation.GraphicsMode
import tinybert.core.ModelInfo
import tinybert.litert.loadModel

/** The screen on Android's own framework classes, which Robolectric runs on the JVM; the model is a stand-in. */
@RunWith(RobolectricTestRunner::class)
@GraphicsMode(GraphicsMode.Mode.NATIVE) // as the other tests, to share their classes
class MainActivityTest {
    private val controller: ActivityController<MainActivity> = Robolectric.buildActivity(MainActivity::class.java)
    private val opened = mutableListOf<StandIn>()
    private val workers = mutableListOf<ExecutorService>()

    @Before
    fun watch() {
        MainActivity.newWorker = { Executors.newSingleThreadExecutor().also(workers::add) }
    }

    private fun start(model: StandIn = StandIn()): MainActivity {
        MainActivity.openModel = { model.also(opened::add).model() }
        return controller.setup().get().also { settle() }
    }

    @After
    fun restore() {
        MainActivity.openModel = ::loadModel
        MainActivity.newWorker = Executors::newSingleThreadExecutor
    }

    private fun textOf(id: Int) = controller.get().find<TextView>(id).text.toString()

    private fun isVisible(id: Int) = controller.get().find<View>(id).isShown

    private fun type(text: String, id: Int = R.id.text) {
        controller.get().find<EditText>(id).setText(text)
        settle()
    }

    @Test
    fun `answers as one types`() {
        start()
        assertEquals("Type a sentence, or tap an example.", textOf(R.id.answer))
        type("a fine film")
        assertEquals("good, 75.0 %", textOf(R.id.answer))
        assertTrue(textOf(R.id.latency).startsWith("5 tokens in "))
        val rows = controller.get().find<LinearLayout>(R.id.bars)
        assertEquals(listOf("bad: 25.0 %", "good: 75.0 %"), List(2) { rows.getChildAt(it).contentDescription })
        type("a dull film")
        assertEquals("bad, 75.0 %", textOf(R.id.answer))
        type(" ")
        assertEquals("Type a sentence, or tap an example.", textOf(R.id.answer))
        assertFalse(isVisible(R.id.latency))
    }

    @Test
    fun `examples are classified`() {
        val examples = start().find<LinearLayout>(R.id.examples)
        assertEquals(5, examples.childCount)
        examples.getChildAt(0).performClick()
        settle()
        assertEquals("A gripping, beautifully acted film.", textOf(R.id.text))
        assertTrue(textOf(R.id.answer).endsWith("%"))
    }

    @Test
    fun `a rotation loads nothing and loses nothing`() {
        start()
        type("a fine film")
        controller.get().find<View>(R.id.measure).performClick()
        settle()
        val measured = textOf(R.id.measured)
        assertTrue(measured, measured.startsWith("50 runs: median "))
        val before = controller.get()
        RuntimeEnvironment.setQualifiers("+land")
        controller.configurationChange()
        settle()
        assertFalse(before === controller.get())
        assertEquals("a fine film", textOf(R.id.text))
        assertEquals("good, 75.0 %", textOf(R.id.answer))
        assertEquals(measured, textOf(R.id.measured))
        assertEquals(1, opened.size)
        assertFalse(opened.single().isClosed)
        controller.pause().stop().destroy()
        settle()
        assertTrue(opened.single().isClosed)
    }

    @Test
    fun `the model is described`() {
        start()
        assertEquals("bad or good", textOf(R.id.subtitle))
        val expected = "test student, int8\nTask: films\n0.0 MB, 0.0 million parameters\n" +
            "Reads up to 16 tokens, in lower case\naccuracy 85.6 %, on 2,066 test texts"
        assertEquals(expected, textOf(R.id.model_info))
        assertFalse(isVisible(R.id.text_pair))
    }

    @Test
    fun `a model of pairs reads two texts`() {
        start(StandIn(textPairs = true))
        assertTrue(isVisible(R.id.text_pair))
        type("a film")
        type("fine", R.id.text_pair)
        assertEquals("good, 75.0 %", textOf(R.id.answer))
        assertTrue(textOf(R.id.latency).startsWith("6 tokens in "))
        assertEquals(2, controller.get().find<LinearLayout>(R.id.examples).childCount)
    }

    @Test
    fun `a text may have several labels, or none`() {
        start(StandIn(multiLabel = true))
        assertEquals("Any of 2 labels", textOf(R.id.subtitle))
        type("a fine dull film")
        assertEquals("bad, good", textOf(R.id.answer))
        type("a film")
        assertEquals("None of the labels", textOf(R.id.answer))
    }

    @Test
    fun `an unsure model gives no label`() {
        start(StandIn(abstainBelow = 0.8))
        assertTrue(textOf(R.id.model_info), textOf(R.id.model_info).endsWith("\nGives no label below a probability of 0.8"))
        type("a fine film")
        assertEquals("Unsure, 75.0 %", textOf(R.id.answer))
        val rows = controller.get().find<LinearLayout>(R.id.bars)
        assertEquals(listOf(false, false), List(2) { rows.getChildAt(it).isActivated })
    }

    @Test
    fun `a question and a text`() {
        start(StandIn(asks = true))
        assertEquals("Finds the answer to a question in a text", textOf(R.id.subtitle))
        assertTrue(isVisible(R.id.text_pair))
        assertEquals("Question", controller.get().find<EditText>(R.id.text).hint)
        assertEquals("Text that may answer it", controller.get().find<EditText>(R.id.text_pair).hint)
        assertEquals("Type a question and a text, or tap an example.", textOf(R.id.answer))
        type("which film")
        assertEquals("Type a question and a text, or tap an example.", textOf(R.id.answer))
        assertFalse(controller.get().find<View>(R.id.measure).isEnabled)
        type("a 😀 ".repeat(40) + "FINE film", R.id.text_pair)
        assertTrue(textOf(R.id.answer), textOf(R.id.answer).startsWith("FINE, "))
        assertTrue(textOf(R.id.excerpt), textOf(R.id.excerpt).startsWith("… ") && textOf(R.id.excerpt).endsWith("😀 FINE film"))
        val shown = controller.get().find<TextView>(R.id.excerpt).text as Spanned
        val bold = shown.getSpans(0, shown.length, StyleSpan::class.java).single()
        assertEquals("FINE", shown.substring(shown.getSpanStart(bold), shown.getSpanEnd(bold)))
        assertTrue(textOf(R.id.latency).contains(" tokens in "))
        type("a dull film", R.id.text_pair)
        assertTrue(textOf(R.id.answer), textOf(R.id.answer).startsWith("The text does not answer it, "))
        assertFalse(isVisible(R.id.excerpt))
        type("a film a film a film")
        assertEquals("The question is long: its first 4 tokens were read.", textOf(R.id.excerpt))
        controller.get().find<View>(R.id.measure).performClick()
        settle()
        assertTrue(textOf(R.id.measured).startsWith("50 runs: median "))
        val examples = controller.get().find<LinearLayout>(R.id.examples)
        assertEquals(3, examples.childCount)
        examples.getChildAt(0).performClick()
        settle()
        assertTrue(textOf(R.id.text_pair).startsWith("The bridge over the river"))
    }

    @Test
    fun `a missing model says how to make one`() {
        val assets = RuntimeEnvironment.getApplication().assets.list("").orEmpty()
        assumeFalse("the app has a model", ModelInfo.FILE in assets)
        controller.setup()
        settle()
        assertTrue(isVisible(R.id.problem_panel))
        assertFalse(isVisible(R.id.content))
        assertTrue(textOf(R.id.problem).startsWith("The app was built without its model: model_info.json is missing."))
        assertTrue(textOf(R.id.problem).contains("--android_assets=android_demo/app/src/main/assets"))
        MainActivity.openModel = { StandIn().model() }
        controller.get().find<View>(R.id.retry).performClick()
    }

    @Test
    fun `a model that fails says so, and can be tried again`() {
        start(StandIn(failure = IllegalArgumentException("Internal error")))
        assertTrue(textOf(R.id.problem).startsWith("The model cannot be used: Internal error."))
        MainActivity.openModel = { StandIn().model() }
        controller.get().find<View>(R.id.retry).performClick()
        settle()
        type("a fine film")
        assertEquals("good, 75.0 %", textOf(R.id.answer))
    }

    @Test
    fun `a library that is not there is no crash`() {
        MainActivity.openModel = { throw UnsatisfiedLinkError("no libtensorflowlite_jni.so") }
        controller.setup()
        settle()
        assertTrue(textOf(R.id.problem).contains("no libtensorflowlite_jni.so"))
    }

    /** Lets the worker and the main thread do all that they have to. */
    private fun settle() = repeat(3) {
        for (worker in workers) {
            if (worker.isShutdown) worker.awaitTermination(1, TimeUnit.MINUTES) else worker.submit {}.get()
        }
        shadowOf(Looper.getMainLooper()).idle()
    }
}
