package tinybert.core

/**
 * Reads JSON into maps, lists, strings, doubles, booleans and null: all that `model_info.json` needs, so that this
 * module depends on nothing.
 *
 * @throws ModelException the text is not JSON; the message says where.
 */
fun parseJson(text: String): Any? = JsonReader(text).read()

private class JsonReader(private val text: String) {
    private var at = 0

    fun read(): Any? {
        val value = value(depth = 0)
        skipSpace()
        if (at < text.length) fail("more after its end")
        return value
    }

    private fun value(depth: Int): Any? {
        if (depth > MAX_DEPTH) fail("too deeply nested")
        skipSpace()
        return when (peek()) {
            '{' -> members(depth)
            '[' -> elements(depth)
            '"' -> string()
            't' -> word("true", true)
            'f' -> word("false", false)
            'n' -> word("null", null)
            else -> number()
        }
    }

    private fun members(depth: Int): Map<String, Any?> {
        val found = LinkedHashMap<String, Any?>()
        eachUntil('}') {
            val name = string()
            skipSpace()
            expect(':')
            found[name] = value(depth + 1)
        }
        return found
    }

    private fun elements(depth: Int): List<Any?> {
        val found = ArrayList<Any?>()
        eachUntil(']') { found += value(depth + 1) }
        return found
    }

    private inline fun eachUntil(end: Char, read: () -> Unit) {
        at += 1
        skipSpace()
        if (peek() == end) {
            at += 1
            return
        }
        while (true) {
            skipSpace()
            read()
            skipSpace()
            if (peek() == end) break
            expect(',')
        }
        at += 1
    }

    private fun string(): String {
        expect('"')
        val found = StringBuilder()
        while (true) {
            val character = next()
            when {
                character == '"' -> return found.toString()
                character == '\\' -> found.append(escaped())
                character < ' ' -> fail("a control character in a string")
                else -> found.append(character)
            }
        }
    }

    private fun escaped(): Char = when (val character = next()) {
        '"', '\\', '/' -> character
        'b' -> '\b'
        'f' -> '\u000C'
        'n' -> '\n'
        'r' -> '\r'
        't' -> '\t'
        'u' -> {
            val digits = String(CharArray(4) { next() })
            if (!HEX.matches(digits)) fail("no code \\u$digits")
            digits.toInt(16).toChar()
        }
        else -> fail("an unknown escape \\$character")
    }

    private fun number(): Double {
        val match = NUMBER.find(text, at)
        if (match == null || match.range.first != at) fail("neither a value nor a number")
        at = match.range.last + 1
        return match.value.toDouble()
    }

    private fun <T> word(word: String, value: T): T {
        if (!text.startsWith(word, at)) fail("neither a value nor a number")
        at += word.length
        return value
    }

    private fun expect(character: Char) {
        if (peek() != character) fail("no '$character'")
        at += 1
    }

    private fun peek(): Char = if (at < text.length) text[at] else fail("it ends too soon")

    private fun next(): Char = peek().also { at += 1 }

    private fun skipSpace() {
        while (at < text.length && text[at] in " \t\n\r") at += 1
    }

    private fun fail(reason: String): Nothing = throw ModelException("not JSON at character $at: $reason")

    private companion object {
        const val MAX_DEPTH = 100
        val HEX = Regex("[0-9a-fA-F]{4}")
        val NUMBER = Regex("-?(0|[1-9][0-9]*)(\\.[0-9]+)?([eE][-+]?[0-9]+)?")
    }
}
