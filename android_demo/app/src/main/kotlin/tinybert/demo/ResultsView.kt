package tinybert.demo

import android.graphics.Typeface
import android.os.Build
import android.text.SpannableStringBuilder
import android.text.Spanned
import android.text.style.StyleSpan
import android.view.LayoutInflater
import android.view.View
import android.view.ViewGroup
import android.widget.LinearLayout
import android.widget.ProgressBar
import android.widget.TextView
import kotlin.math.roundToInt
import tinybert.core.Answer
import tinybert.core.FoundAnswer
import tinybert.core.Latency
import tinybert.core.LatencyStatistics
import tinybert.core.ModelInfo
import tinybert.demo.ModelSession.State

/** The lower half of the screen: the answer, a bar per class or the text around it, latency, and what was measured. */
class ResultsView(private val root: View) {
    private val answerText: TextView = root.find(R.id.answer)
    private val excerpt: TextView = root.find(R.id.excerpt)
    private val bars: LinearLayout = root.find(R.id.bars)
    private val latency: TextView = root.find(R.id.latency)
    private val measure: View = root.find(R.id.measure)
    private val measured: TextView = root.find(R.id.measured)

    fun show(state: State.Ready, hasText: Boolean) {
        showReply(state)
        measure.isEnabled = hasText && !state.isMeasuring
        measured.text = when {
            state.isMeasuring -> root.context.getString(R.string.measuring)
            else -> state.statistics?.let(::measuredText).orEmpty()
        }
        measured.isVisible = measured.text.isNotEmpty()
    }

    private fun showReply(state: State.Ready) {
        val reply = state.reply
        latency.isVisible = reply != null
        excerpt.isVisible = reply is FoundAnswer
        if (reply !is Answer) bars.removeAllViews()
        when (reply) {
            null -> answerText.setText(if (state.info.isQuestionAnswerer) R.string.no_question else R.string.no_answer)
            is Answer -> showAnswer(reply)
            is FoundAnswer -> showFound(reply, state.info)
        }
        if (reply != null) showLatency(reply.tokenCount, reply.latency)
    }

    private fun showLatency(tokens: Int, times: Latency) {
        latency.text = root.context.resources.getQuantityString(
            R.plurals.latency, tokens, tokens, times.tokenizeMs, times.inferenceMs, times.totalMs,
        )
    }

    private fun showFound(found: FoundAnswer, info: ModelInfo) {
        val context = root.context
        val percent = 100 * found.span.probability
        answerText.text = if (found.span.isNone) {
            context.getString(R.string.none_found, percent)
        } else {
            context.getString(R.string.answer, found.span.text, percent)
        }
        val text = SpannableStringBuilder()
        if (!found.span.isNone) text.append(excerptOf(found))
        if (found.isQuestionCut) {
            if (text.isNotEmpty()) text.append("\n")
            text.append(context.getString(R.string.question_cut, info.maxQuestion))
        }
        excerpt.text = text
        excerpt.isVisible = text.isNotEmpty()
    }

    /** The text around an answer, which is bold. */
    private fun excerptOf(found: FoundAnswer): CharSequence {
        val (text, span) = Pair(found.context, found.span)
        val begin = if (span.start <= AROUND) 0 else (span.start - AROUND).wholeIn(text)
        val end = if (text.length - span.end <= AROUND) text.length else (span.end + AROUND).wholeIn(text)
        val shown = SpannableStringBuilder(if (begin > 0) "… " else "")
        val bold = shown.length + span.start - begin
        shown.append(text, begin, end).append(if (end < text.length) " …" else "")
        shown.setSpan(StyleSpan(Typeface.BOLD), bold, bold + span.end - span.start, Spanned.SPAN_EXCLUSIVE_EXCLUSIVE)
        return shown
    }

    private fun showAnswer(answer: Answer) {
        val context = root.context
        answerText.text = when {
            answer.isRegression -> context.getString(R.string.score, answer.values[0])
            answer.isMultiLabel -> labelsText(answer)
            answer.isUnsure -> context.getString(R.string.unsure, 100 * answer.values[answer.best])
            else -> context.getString(R.string.answer, answer.labels[answer.best], 100 * answer.values[answer.best])
        }
        val shown = if (answer.isRegression) emptyList() else answer.shown(MOST_BARS)
        while (bars.childCount > shown.size) bars.removeViewAt(bars.childCount - 1)
        shown.forEachIndexed { row, place -> showBar(rowAt(row), answer, place) }
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
        const val AROUND = 80 // characters of the text before and after an answer

        /** The place before this one if this one is within a character. */
        fun Int.wholeIn(text: String): Int = if (text[this].isLowSurrogate()) this - 1 else this
    }
}
