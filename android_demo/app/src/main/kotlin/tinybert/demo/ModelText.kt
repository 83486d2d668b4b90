package tinybert.demo

import android.content.Context
import java.text.NumberFormat
import tinybert.core.MissingModelException
import tinybert.core.ModelInfo

/** The line under the title: what the model tells apart. */
fun modelSubtitle(context: Context, info: ModelInfo): String = when {
    info.isQuestionAnswerer -> context.getString(R.string.subtitle_question)
    info.isRegression -> context.getString(R.string.subtitle_number, info.labels[0])
    info.multiLabel -> context.resources.getQuantityString(R.plurals.subtitle_labels, info.labels.size, info.labels.size)
    info.labels.size <= MOST_NAMED -> info.labels.joinToString(context.getString(R.string.or))
    else -> context.resources.getQuantityString(R.plurals.subtitle_classes, info.labels.size, info.labels.size)
}

/** What `model_info.json` says, a line each. */
fun modelDetails(context: Context, info: ModelInfo): String {
    val numbers = NumberFormat.getIntegerInstance()
    val lines = mutableListOf(context.getString(R.string.info_name, info.name, info.variant))
    if (info.task.isNotEmpty()) lines += context.getString(R.string.info_task, info.task)
    lines += context.getString(R.string.info_size, info.sizeBytes / 1e6, info.parameters / 1e6)
    val casing = if (info.lowercase) R.string.info_uncased else R.string.info_cased
    val reads = when {
        info.isQuestionAnswerer -> R.string.info_reads_question
        info.textPairs -> R.string.info_reads_pair
        else -> R.string.info_reads_text
    }
    lines += context.getString(reads, info.sequenceLength, context.getString(casing))
    for ((name, value) in info.metrics) {
        lines += context.getString(R.string.info_metric, name, 100 * value, numbers.format(info.metricTexts))
    }
    if (info.metrics.isEmpty()) lines += context.getString(R.string.info_no_metric)
    info.abstainBelow?.let { lines += context.getString(R.string.info_abstains, it.toString()) }
    return lines.joinToString("\n")
}

/** What is wrong with the model, and what to do about it. */
fun problemText(context: Context, problem: Throwable): String = when (problem) {
    is MissingModelException -> context.getString(R.string.problem_missing, problem.file)
    else -> context.getString(R.string.problem_broken, problem.message ?: problem.javaClass.simpleName)
}

private const val MOST_NAMED = 3
