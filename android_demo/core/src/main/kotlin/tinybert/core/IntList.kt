package tinybert.core

/** Characters of a text, from [begins] to before [ends]: of each WordPiece, or of each character made of others. */
class Places {
    val begins = IntList()
    val ends = IntList()

    fun add(begin: Int, end: Int) {
        begins.add(begin)
        ends.add(end)
    }

    /** Forgets what comes after the first [count]. */
    fun truncate(count: Int) {
        begins.truncate(count)
        ends.truncate(count)
    }
}

/** A growing array of ints, without boxes. */
class IntList {
    private var values = IntArray(64)
    var size = 0
        private set

    operator fun get(index: Int): Int = values[index]

    fun add(value: Int) {
        if (size == values.size) values = values.copyOf(2 * size)
        values[size++] = value
    }

    /** Forgets what comes after the first [count] values. */
    fun truncate(count: Int) {
        size = count
    }

    fun toIntArray(): IntArray = values.copyOf(size)
}
