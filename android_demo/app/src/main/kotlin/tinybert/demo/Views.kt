package tinybert.demo

import android.app.Activity
import android.view.View

/** The view of an id that the layout has. */
internal fun <T : View> View.find(id: Int): T = findViewById<T>(id)!!

/** The view of an id that the layout has. */
internal fun <T : View> Activity.find(id: Int): T = findViewById<T>(id)!!

/** Whether a view takes part in the layout. */
internal var View.isVisible: Boolean
    get() = visibility == View.VISIBLE
    set(value) {
        visibility = if (value) View.VISIBLE else View.GONE
    }
