package tinybert.core

/**
 * What a model takes: three rows of the same length.
 *
 * @property tokenIds `[CLS] text [SEP]`, and for a pair `text [SEP]` after it.
 * @property segmentIds 1 for a second text and its `[SEP]`.
 * @property paddingMask 1 for a token, 0 for padding.
 */
class ModelInput(val tokenIds: IntArray, val segmentIds: IntArray, val paddingMask: IntArray) {
    val length: Int get() = tokenIds.size

    /** Tokens that are no padding. */
    val tokenCount: Int get() = paddingMask.sum()
}

/**
 * Turns a text, or a pair of them, into ids: the ones that `tinybert_tf.models.BertTokenizer` gives in Python.
 *
 * @param vocabulary the WordPieces, in the order of their ids.
 * @param lowercase lower-case, as uncased models want.
 * @param sequenceLength most tokens in a row, special tokens included.
 * @param fixedLength pad every row to that length.
 * @param stripAccents decompose characters and drop their accents.
 * @param tokenizeChineseChars each ideograph is a word by itself.
 * @param cleanText drop control, format and private characters.
 */
class BertTokenizer(
    vocabulary: List<String>,
    lowercase: Boolean,
    private val sequenceLength: Int,
    private val fixedLength: Boolean = false,
    stripAccents: Boolean = lowercase,
    tokenizeChineseChars: Boolean = true,
    cleanText: Boolean = true,
) {
    private val normalizer = TextNormalizer(lowercase, stripAccents, cleanText)
    private val wordPiece = WordPiece(vocabulary, tokenizeChineseChars)

    fun encode(text: String, textPair: String? = null): ModelInput {
        val first = pieces(text)
        val second = textPair?.let(::pieces)
        val room = sequenceLength - if (second == null) 2 else 3
        val (firstSize, secondSize) = truncatedSizes(first.size, second?.size ?: 0, room)
        val used = firstSize + 2 + if (second == null) 0 else secondSize + 1
        val length = if (fixedLength) sequenceLength else used
        val ids = IntArray(length) { wordPiece.paddingId }
        val segments = IntArray(length)
        ids[0] = wordPiece.startId
        for (i in 0 until firstSize) ids[1 + i] = first[i]
        ids[1 + firstSize] = wordPiece.separatorId
        if (second != null) {
            for (i in 0 until secondSize) ids[2 + firstSize + i] = second[i]
            ids[used - 1] = wordPiece.separatorId
            segments.fill(1, 2 + firstSize, used)
        }
        return ModelInput(ids, segments, IntArray(length) { if (it < used) 1 else 0 })
    }

    private fun pieces(text: String) = wordPiece.tokenize(normalizer.normalize(text))
}

/**
 * Cuts two lengths to [room] together, the longer one first: Hugging Face's `longest_first`.
 *
 * The shorter text keeps up to half of the room; where both are longer, an odd piece goes to the longer text, or to
 * the second one if they are equally long.
 */
fun truncatedSizes(first: Int, second: Int, room: Int): Pair<Int, Int> {
    var short = minOf(first, second)
    if (first + second > room) short = minOf(short, room / 2)
    val long = minOf(maxOf(first, second), room - short)
    return if (first > second) Pair(long, short) else Pair(short, long)
}
