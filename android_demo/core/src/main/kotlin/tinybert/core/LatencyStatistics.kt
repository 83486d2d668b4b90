package tinybert.core

import kotlin.math.ceil

/**
 * What to tell of several runs, in milliseconds.
 *
 * @throws IllegalArgumentException there are no runs.
 */
class LatencyStatistics(runsMs: List<Double>) {
    private val sorted = runsMs.sorted()

    init {
        require(sorted.isNotEmpty()) { "no runs" }
    }

    val runs: Int get() = sorted.size
    val fastestMs: Double get() = sorted.first()
    val slowestMs: Double get() = sorted.last()
    val medianMs: Double get() = (sorted[(runs - 1) / 2] + sorted[runs / 2]) / 2

    /** The smallest value that [percent] of 100 runs do not exceed (nearest rank). */
    fun percentileMs(percent: Int): Double = sorted[(ceil(percent / 100.0 * runs).toInt() - 1).coerceIn(0, runs - 1)]
}
