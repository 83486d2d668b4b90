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
        val first = ids(text)
        val second = textPair?.let(::ids)
        val room = sequenceLength - if (second == null) 2 else 3
        val (firstSize, secondSize) = truncatedSizes(first.size, second?.size ?: 0, room)
        return row(first.copyOf(firstSize), second?.copyOf(secondSize))
    }

    /** Returns the row of a text's WordPieces, or of two texts'; they must fit. */
    fun row(first: IntArray, second: IntArray?): ModelInput {
        val used = first.size + 2 + if (second == null) 0 else second.size + 1
        val length = if (fixedLength) sequenceLength else used
        val ids = IntArray(length) { wordPiece.paddingId }
        val segments = IntArray(length)
        ids[0] = wordPiece.startId
        first.copyInto(ids, 1)
        ids[1 + first.size] = wordPiece.separatorId
        if (second != null) {
            second.copyInto(ids, 2 + first.size)
            ids[used - 1] = wordPiece.separatorId
            segments.fill(1, 2 + first.size, used)
        }
        return ModelInput(ids, segments, IntArray(length) { if (it < used) 1 else 0 })
    }

    /** Returns a text's WordPieces with their places; a mark such as an accent belongs to what it is on. */
    fun pieces(text: String): Pieces {
        val sources = Places()
        val places = Places()
        val ids = wordPiece.tokenize(normalizer.normalize(text, sources), places).toIntArray()
        val begins = IntArray(ids.size) { sources.begins[places.begins[it]] }
        val ends = IntArray(ids.size) { sources.ends[places.ends[it] - 1] }
        for (i in ids.indices) {
            val next = if (i + 1 < ids.size) begins[i + 1] else text.length
            while (ends[i] < next && isMark(text.codePointAt(ends[i]))) {
                ends[i] += Character.charCount(text.codePointAt(ends[i]))
            }
        }
        return Pieces(ids, begins, ends)
    }

    private fun ids(text: String) = wordPiece.tokenize(normalizer.normalize(text)).toIntArray()

    private fun isMark(character: Int): Boolean = when (Character.getType(character).toByte()) {
        Character.NON_SPACING_MARK, Character.ENCLOSING_MARK, Character.COMBINING_SPACING_MARK -> true
        else -> false
    }
}

/** WordPieces, and the characters (UTF-16, as a String counts them) that each stands for: from begin to before end. */
class Pieces(val ids: IntArray, val begins: IntArray, val ends: IntArray) {
    val size: Int get() = ids.size

    fun slice(from: Int, until: Int) =
        Pieces(ids.copyOfRange(from, until), begins.copyOfRange(from, until), ends.copyOfRange(from, until))
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
