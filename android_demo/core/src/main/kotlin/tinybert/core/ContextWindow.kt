package tinybert.core

/**
 * A row: a question and a part of its context, as `tinybert_tf/data/windows.py` makes it.
 *
 * @property first place of the context's first WordPiece in the row.
 * @property pieces the part of the context.
 * @property best whether a WordPiece is seen with more context around it in no other window.
 */
class ContextWindow(val input: ModelInput, val first: Int, val pieces: Pieces, val best: BooleanArray)

/**
 * Cuts a context that does not fit into windows that overlap: each begins [stride] WordPieces after the one before.
 *
 * @param sequenceLength most tokens in a window.
 */
fun windowsOf(
    tokenizer: BertTokenizer, question: IntArray, context: Pieces, sequenceLength: Int, stride: Int,
): List<ContextWindow> {
    val room = sequenceLength - question.size - 3
    val spans = mutableListOf<IntRange>()
    var begin = 0
    do {
        val size = minOf(room, context.size - begin)
        spans += begin until begin + size
        begin += minOf(size, stride)
    } while (spans.last().last < context.size - 1)
    val best = spans.map { BooleanArray(it.count()) }
    for (place in 0 until context.size) {
        val window = spans.indices.maxByOrNull { around(place, spans[it]) } ?: 0 // the first of equal ones
        best[window][place - spans[window].first] = true
    }
    return spans.mapIndexed { number, span ->
        val part = context.slice(span.first, span.last + 1)
        ContextWindow(tokenizer.row(question, part.ids), question.size + 2, part, best[number])
    }
}

/** How much context a window has around a WordPiece: the fewer of its neighbours, and a hundredth of the window. */
private fun around(place: Int, span: IntRange): Double =
    if (place in span) minOf(place - span.first, span.last - place) + 0.01 * span.count() else -1.0
