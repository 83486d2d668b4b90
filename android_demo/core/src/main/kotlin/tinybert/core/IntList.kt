package tinybert.core

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
