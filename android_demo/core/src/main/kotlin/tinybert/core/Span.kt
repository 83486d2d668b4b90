package tinybert.core

import kotlin.math.exp

/**
 * An answer to a question, or none.
 *
 * @property text the answer, cut from the context; that of the best span even where it is not given.
 * @property start place of its first character, as a String counts them.
 * @property end place after its last character.
 * @property score sum of its start and end logits.
 * @property probability of the answer that is given, "no answer" included, among the best spans.
 * @property nullOdds score of "no answer" minus that of the span.
 * @property isNone whether the answer is "no answer".
 */
class Span(
    val text: String,
    val start: Int,
    val end: Int,
    val score: Double,
    val probability: Double,
    val nullOdds: Double,
    val isNone: Boolean,
)

/**
 * Finds the best span over all windows, as `tinybert_tf/data/spans.py` does.
 *
 * @param logits of each window: the start logits of its tokens, and then the end logits.
 * @param nullThreshold odds of "no answer" above which that is the answer; null for a model that always answers.
 * @param maxAnswer most WordPieces of an answer.
 */
fun bestSpan(
    context: String, windows: List<ContextWindow>, logits: List<FloatArray>, nullThreshold: Double?, maxAnswer: Int,
): Span {
    val ranked = windows.indices.flatMap { bestIn(windows[it], logits[it], maxAnswer) }.sortedByDescending { it.score }
    val byText = LinkedHashMap<String, Candidate>()
    for (candidate in ranked) {
        val text = context.substring(candidate.start, candidate.end)
        if (text !in byText) byText[text] = candidate
        if (byText.size == N_BEST) break
    }
    val none = logits.minOf { it[0].toDouble() + it[it.size / 2].toDouble() }
    val (text, best) = byText.entries.firstOrNull() ?: return Span("", 0, 0, none, 1.0, 0.0, true) // no word at all
    val isNone = nullThreshold != null && none - best.score > nullThreshold
    val scores = byText.values.map { it.score } + if (nullThreshold == null) emptyList() else listOf(none)
    val largest = scores.max()
    val given = exp((if (isNone) none else best.score) - largest)
    return Span(
        text, best.start, best.end, best.score, given / scores.sumOf { exp(it - largest) }, none - best.score, isNone,
    )
}

private class Candidate(val score: Double, val start: Int, val end: Int)

/** A window's best spans; each begins at a WordPiece that no other window shows with more context. */
private fun bestIn(window: ContextWindow, logits: FloatArray, maxAnswer: Int): List<Candidate> {
    val found = ArrayList<Candidate>()
    val pieces = window.pieces
    val ends = logits.size / 2 + window.first
    for (first in 0 until pieces.size) {
        if (!window.best[first]) continue
        val start = logits[window.first + first].toDouble()
        for (last in first until minOf(first + maxAnswer, pieces.size)) {
            found += Candidate(start + logits[ends + last], pieces.begins[first], pieces.ends[last])
        }
    }
    return found.sortedByDescending { it.score }.take(KEPT)
}

private const val N_BEST = 20
private const val KEPT = 4 * N_BEST
