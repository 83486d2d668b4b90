package tinybert.core

import java.text.Normalizer

/**
 * BERT's normalisation, character by character, as `tinybert_tf/tokenizer/normalizer.py` has it.
 *
 * @param lowercase lower-case.
 * @param stripAccents decompose (NFD) and drop accents.
 * @param cleanText drop control, format and private characters.
 */
class TextNormalizer(
    private val lowercase: Boolean,
    private val stripAccents: Boolean = lowercase,
    private val cleanText: Boolean = true,
) {

    /**
     * Returns the text as the vocabulary spells it; words are still whole.
     *
     * @param sources gets the characters of [text] that each of the result stands for.
     */
    fun normalize(text: String, sources: Places? = null): String {
        val result = StringBuilder(text.length + 8)
        var at = 0
        while (at < text.length) {
            val character = text.codePointAt(at)
            val begin = at
            at += Character.charCount(character)
            val before = result.length
            if (character in ASCII_PRINTABLE) {
                result.append(if (lowercase) asciiLowercase(character) else character.toChar())
            } else {
                append(character, result)
            }
            if (sources != null) repeat(result.length - before) { sources.add(begin, at) }
        }
        return result.toString()
    }

    private fun append(character: Int, result: StringBuilder) {
        val type = Character.getType(character).toByte()
        when {
            character == '\t'.code || character == '\n'.code || character == '\r'.code || type in SEPARATORS ->
                result.append(' ')
            type == SURROGATE || cleanText && (type in DROPPED || character == REPLACEMENT) -> Unit
            character in OTHER_SPACES -> result.append(' ')
            type == Character.UNASSIGNED -> result.appendCodePoint(character)
            stripAccents -> {
                val parts = Normalizer.normalize(String(Character.toChars(character)), Normalizer.Form.NFD)
                var at = 0
                while (at < parts.length) {
                    val part = parts.codePointAt(at)
                    at += Character.charCount(part)
                    if (Character.getType(part).toByte() != Character.NON_SPACING_MARK) {
                        result.appendCodePoint(if (lowercase) Character.toLowerCase(part) else part)
                    }
                }
            }
            lowercase && character == DOTTED_I -> result.append("i\u0307") // the one letter that becomes two
            lowercase -> result.appendCodePoint(Character.toLowerCase(character))
            else -> result.appendCodePoint(character)
        }
    }

    private fun asciiLowercase(character: Int): Char =
        (if (character in UPPERCASE_LETTERS) character + ('a' - 'A') else character).toChar()

    private companion object {
        const val REPLACEMENT = 0xFFFD
        const val DOTTED_I = 0x130
        val ASCII_PRINTABLE = 0x20..0x7E
        val UPPERCASE_LETTERS = 'A'.code..'Z'.code
        val SEPARATORS = setOf(Character.SPACE_SEPARATOR, Character.LINE_SEPARATOR, Character.PARAGRAPH_SEPARATOR)
        // White space that cleaning drops, because these are control characters.
        val OTHER_SPACES = setOf(0x0B, 0x0C, 0x85)
        // Half of a character (a lone surrogate) has no UTF-8: it goes, as what Python decodes it to does.
        const val SURROGATE = Character.SURROGATE
        val DROPPED = setOf(Character.CONTROL, Character.FORMAT, Character.PRIVATE_USE)
    }
}
