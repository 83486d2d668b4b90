package tinybert.core

/**
 * Splits normalised text at white space, punctuation and ideographs, and each word into WordPieces, the longest first.
 *
 * @param vocabulary the WordPieces, in the order of their ids; the last of equal ones counts.
 * @param splitsIdeographs each ideograph is a word by itself.
 * @throws ModelException a special token is missing.
 */
class WordPiece(vocabulary: List<String>, private val splitsIdeographs: Boolean = true) {
    private val ids = HashMap<String, Int>(2 * vocabulary.size)
    private val continuations = HashMap<String, Int>(vocabulary.size)
    private val longest: Int

    val unknownId: Int
    val startId: Int
    val separatorId: Int
    val paddingId: Int

    init {
        vocabulary.forEachIndexed { id, piece ->
            ids[piece] = id
            if (piece.length > 2 && piece.startsWith("##")) continuations[piece.substring(2)] = id
        }
        longest = vocabulary.maxOfOrNull { it.length } ?: 0
        unknownId = idOf("[UNK]")
        startId = idOf("[CLS]")
        separatorId = idOf("[SEP]")
        paddingId = idOf("[PAD]")
    }

    private fun idOf(token: String) = ids[token] ?: throw ModelException("the vocabulary has no $token")

    /**
     * Returns the ids of a normalised text's pieces.
     *
     * @param places gets the characters of [text] that each piece stands for.
     */
    fun tokenize(text: String, places: Places? = null): IntList {
        val found = IntList()
        var wordStart = 0
        var at = 0
        while (at < text.length) {
            val character = text.codePointAt(at)
            val next = at + Character.charCount(character)
            if (character == ' '.code || standsAlone(character, splitsIdeographs)) {
                addWord(text, wordStart, at, found, places)
                if (character != ' '.code) addWord(text, at, next, found, places)
                wordStart = next
            }
            at = next
        }
        addWord(text, wordStart, at, found, places)
        return found
    }

    /** Adds the pieces of the word between two places, or the unknown token. */
    private fun addWord(text: String, start: Int, end: Int, found: IntList, places: Places?) {
        if (start == end) return
        val before = found.size
        var at = start
        if (end - start > MAX_CHARACTERS && text.codePointCount(start, end) > MAX_CHARACTERS) {
            found.add(unknownId)
            places?.add(start, end)
            return
        }
        while (at < end) {
            val pieces = if (at == start) ids else continuations
            var pieceEnd = minOf(end, at + longest)
            var id: Int? = null
            while (pieceEnd > at) {
                id = pieces[text.substring(at, pieceEnd)]
                if (id != null) break
                pieceEnd -= 1
            }
            if (id == null) {
                found.truncate(before)
                found.add(unknownId)
                places?.truncate(before)
                places?.add(start, end)
                return
            }
            found.add(id)
            places?.add(at, pieceEnd)
            at = pieceEnd
        }
    }

    private companion object {
        const val MAX_CHARACTERS = 100

        /** Whether a character is a word by itself: punctuation, or an ideograph if these are split. */
        fun standsAlone(character: Int, splitsIdeographs: Boolean): Boolean {
            if (character < 0x80) return character in 0x21..0x7E && !Character.isLetterOrDigit(character)
            return when (Character.getType(character).toByte()) {
                Character.CONNECTOR_PUNCTUATION, Character.DASH_PUNCTUATION, Character.START_PUNCTUATION,
                Character.END_PUNCTUATION, Character.INITIAL_QUOTE_PUNCTUATION, Character.FINAL_QUOTE_PUNCTUATION,
                Character.OTHER_PUNCTUATION -> true
                else -> splitsIdeographs && isIdeograph(character)
            }
        }

        fun isIdeograph(character: Int): Boolean = character in 0x4E00..0x9FFF || character in 0x3400..0x4DBF ||
            character in 0x20000..0x2A6DF || character in 0x2A700..0x2CEAF ||
            character in 0xF900..0xFAFF || character in 0x2F800..0x2FA1F
    }
}
