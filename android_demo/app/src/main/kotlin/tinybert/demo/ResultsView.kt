package tinybert.demo

import android.os.Build
import android.view.LayoutInflater
import android.view.View
import android.view.ViewGroup
import android.widget.LinearLayout
import android.widget.ProgressBar
import android.widget.TextView
import kotlin.math.roundToInt
import tinybert.core.Answer
import tinybert.core.LatencyStatistics
import tinybert.demo.ClassifierSession.State

/** The lower half of the screen: the answer, a bar for each class, latency, and what was measured. */
class ResultsView(private val root: View) {
    private val answerText: TextView = root.find(R.id.answer)
    private val bars: LinearLayout = root.find(R.id.bars)
    private val latency: TextView = root.find(R.id.latency)
    private val measure: View = root.find(R.id.measure)
    private val measured: TextView = root.find(R.id.measured)

    fun show(state: State.Ready, hasText: Boolean) {
        showAnswer(state.answer)
        measure.isEnabled = hasText && !state.isMeasuring
        measured.text = when {
            state.isMeasuring -> root.context.getString(R.string.measuring)
            else -> state.statistics?.let(::measuredText).orEmpty()
        }
        measured.isVisible = measured.text.isNotEmpty()
    }

    private fun showAnswer(answer: Answer?) {
        val context = root.context
        latency.isVisible = answer != null
        if (answer == null) {
            answerText.setText(R.string.no_answer)
            bars.removeAllViews()
            return
        }
        answerText.text = when {
            answer.isRegression -> context.getString(R.string.score, answer.values[0])
            answer.isMultiLabel -> labelsText(answer)
            else -> context.getString(R.string.answer, answer.labels[answer.best], 100 * answer.values[answer.best])
        }
        val shown = if (answer.isRegression) emptyList() else answer.shown(MOST_BARS)
        while (bars.childCount > shown.size) bars.removeViewAt(bars.childCount - 1)
        shown.forEachIndexed { row, place -> showBar(rowAt(row), answer, place) }
        val times = answer.latency
        latency.text = context.resources.getQuantityString(
            R.plurals.latency, answer.tokenCount, answer.tokenCount, times.tokenizeMs, times.inferenceMs, times.totalMs,
        )
    }

    private fun labelsText(answer: Answer): String = answer.chosen().joinToString { answer.labels[it] }
        .ifEmpty { root.context.getString(R.string.no_label) }

    private fun rowAt(row: Int): ViewGroup = bars.getChildAt(row) as ViewGroup?
        ?: (LayoutInflater.from(root.context).inflate(R.layout.result_row, bars, false) as ViewGroup).also(bars::addView)

    private fun showBar(row: ViewGroup, answer: Answer, place: Int) {
        val percent = row.context.getString(R.string.percent, 100 * answer.values[place])
        row.find<TextView>(R.id.label).text = answer.labels[place]
        row.find<TextView>(R.id.percent).text = percent
        row.contentDescription = row.context.getString(R.string.bar_description, answer.labels[place], percent)
        row.isActivated = place in answer.chosen()
        val bar = row.find<ProgressBar>(R.id.bar)
        val progress = (bar.max * answer.values[place]).roundToInt()
        if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.N) bar.setProgress(progress, true) else bar.progress = progress
    }

    private fun measuredText(runs: LatencyStatistics): String = root.context.getString(
        R.string.measured, runs.runs, runs.medianMs, runs.percentileMs(90), runs.fastestMs, runs.slowestMs,
    )

    private companion object {
        const val MOST_BARS = 10
    }
}
