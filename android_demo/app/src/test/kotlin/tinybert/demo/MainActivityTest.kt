package tinybert.demo

import org.junit.Assert.assertEquals
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import android.widget.TextView

@RunWith(RobolectricTestRunner::class)
class MainActivityTest {
    @Test
    fun starts() {
        val activity = Robolectric.buildActivity(MainActivity::class.java).setup().get()
        assertEquals("", activity.findViewById<TextView>(R.id.problem).text.toString())
    }
}
