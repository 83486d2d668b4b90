package tinybert.demo

import android.app.Activity
import android.content.res.AssetManager
import android.os.Bundle
import android.os.Handler
import android.os.Looper
import android.text.Editable
import android.text.TextWatcher
import android.view.LayoutInflater
import android.view.View
import android.widget.Button
import android.widget.EditText
import android.widget.LinearLayout
import android.widget.TextView
import java.util.concurrent.ExecutorService
import java.util.concurrent.Executors
import tinybert.core.ModelInfo
import tinybert.core.TextModel
import tinybert.demo.ModelSession.State
import tinybert.litert.loadModel

/** The one screen: text in, the model's answer below it, as one types. */
class MainActivity : Activity() {
    private lateinit var session: ModelSession
    private lateinit var text: EditText
    private lateinit var textPair: EditText
    private lateinit var results: ResultsView
    private var shownInfo: ModelInfo? = null

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        setContentView(R.layout.activity_main)
        text = find(R.id.text)
        textPair = find(R.id.text_pair)
        results = ResultsView(find(R.id.results))
        @Suppress("DEPRECATION") // since API 13 in favour of libraries that this app does without
        val retained = lastNonConfigurationInstance as ModelSession?
        session = retained ?: newSession().also(ModelSession::start)
        listOf(text, textPair).forEach { it.addTextChangedListener(WhenChanged(::reply)) }
        find<View>(R.id.measure).setOnClickListener { session.measure(MEASURED_RUNS) }
        find<View>(R.id.retry).setOnClickListener { session.start() }
    }

    override fun onStart() {
        super.onStart()
        session.listener = ::show
    }

    override fun onStop() {
        session.listener = null
        super.onStop()
    }

    @Deprecated("in favour of libraries that this app does without")
    override fun onRetainNonConfigurationInstance(): Any = session

    override fun onDestroy() {
        if (!isChangingConfigurations) session.close()
        super.onDestroy()
    }

    private fun newSession(): ModelSession {
        val main = Handler(Looper.getMainLooper())
        val assets = applicationContext.assets // the screen itself must not outlive a rotation
        return ModelSession({ openModel(assets) }, newWorker(), main::post)
    }

    private fun reply() {
        val second = if (shownInfo?.textPairs == false) null else textPair.text.toString()
        session.reply(text.text.toString(), second)
    }

    private fun show(state: State) {
        find<View>(R.id.loading).isVisible = state is State.Loading
        find<View>(R.id.problem_panel).isVisible = state is State.Failed
        find<View>(R.id.content).isVisible = state is State.Ready
        when (state) {
            is State.Loading -> Unit
            is State.Failed -> find<TextView>(R.id.problem).text = problemText(this, state.problem)
            is State.Ready -> {
                if (state.info !== shownInfo) showModel(state.info)
                results.show(state, hasText = state.info.canRead("${text.text}", "${textPair.text}"))
            }
        }
    }

    private fun showModel(info: ModelInfo) {
        shownInfo = info
        find<TextView>(R.id.subtitle).text = modelSubtitle(this, info)
        find<TextView>(R.id.model_info).text = modelDetails(this, info)
        textPair.isVisible = info.textPairs
        text.setHint(
            when {
                info.isQuestionAnswerer -> R.string.question_hint
                info.textPairs -> R.string.text_first_hint
                else -> R.string.text_hint
            },
        )
        textPair.setHint(if (info.isQuestionAnswerer) R.string.context_hint else R.string.text_pair_hint)
        showExamples(info)
    }

    private fun showExamples(info: ModelInfo) {
        val holder = find<LinearLayout>(R.id.examples)
        holder.removeAllViews()
        val (first, second) = when {
            info.isQuestionAnswerer -> Pair(R.array.question_examples, R.array.question_examples_context)
            info.textPairs -> Pair(R.array.pair_examples, R.array.pair_examples_second)
            else -> Pair(R.array.examples, null)
        }
        val texts = resources.getStringArray(first)
        val pairs = second?.let(resources::getStringArray)
        texts.forEachIndexed { place, example ->
            val button = LayoutInflater.from(this).inflate(R.layout.example, holder, false) as Button
            button.text = example
            button.setOnClickListener {
                textPair.setText(pairs?.get(place).orEmpty())
                text.setText(example)
                text.setSelection(text.length())
            }
            holder.addView(button)
        }
    }

    companion object {
        const val MEASURED_RUNS = 50

        /** What opens the model, and the thread that it works on; tests put others here. */
        internal var openModel: (AssetManager) -> TextModel = ::loadModel
        internal var newWorker: () -> ExecutorService = Executors::newSingleThreadExecutor
    }
}

private class WhenChanged(private val act: () -> Unit) : TextWatcher {
    override fun afterTextChanged(text: Editable) = act()

    override fun beforeTextChanged(text: CharSequence, start: Int, count: Int, after: Int) = Unit

    override fun onTextChanged(text: CharSequence, start: Int, before: Int, count: Int) = Unit
}
