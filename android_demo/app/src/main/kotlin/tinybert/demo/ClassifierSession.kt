package tinybert.demo

import java.util.concurrent.Executor
import java.util.concurrent.ExecutorService
import java.util.concurrent.atomic.AtomicInteger
import tinybert.core.Answer
import tinybert.core.LatencyStatistics
import tinybert.core.ModelException
import tinybert.core.ModelInfo
import tinybert.core.TextClassifier

/**
 * A model at work in the background, and what it last said. Outlives the screen, which a rotation makes anew; used from
 * the main thread.
 *
 * @param open loads the model; runs on [worker], as the model itself does.
 * @param worker a single thread.
 * @param main runs things on the main thread.
 */
class ClassifierSession(
    private val open: () -> TextClassifier,
    private val worker: ExecutorService,
    private val main: Executor,
) {
    /** What the screen shows. */
    sealed interface State {
        object Loading : State

        class Failed(val problem: Throwable) : State

        /** @property answer to the last text; null without one. */
        class Ready(
            val info: ModelInfo,
            val answer: Answer? = null,
            val statistics: LatencyStatistics? = null,
            val isMeasuring: Boolean = false,
        ) : State {
            fun with(
                answer: Answer? = this.answer,
                statistics: LatencyStatistics? = this.statistics,
                isMeasuring: Boolean = this.isMeasuring,
            ) = Ready(info, answer, statistics, isMeasuring)
        }
    }

    var state: State = State.Loading
        private set

    /** Told of each new state; null while there is no screen. */
    var listener: ((State) -> Unit)? = null
        set(value) {
            field = value
            value?.invoke(state)
        }

    private var classifier: TextClassifier? = null // the worker's
    private val lastRequest = AtomicInteger()
    private var lastTexts: Pair<String, String?>? = null

    /** Loads the model, or tries again. */
    fun start() {
        show(State.Loading)
        inBackground(
            work = { open().also { classifier = it }.also { it.classify("") } }, // the first answer takes longer
            done = { loaded ->
                show(State.Ready(loaded.info))
                lastTexts?.let { (text, textPair) -> classify(text, textPair) }
            },
        )
    }

    /** Classifies a text; of several that wait, only the last one. No text, no answer. */
    fun classify(text: String, textPair: String?) {
        lastTexts = Pair(text, textPair)
        val request = lastRequest.incrementAndGet()
        val ready = state as? State.Ready ?: return
        if (text.isBlank()) {
            show(State.Ready(ready.info, isMeasuring = ready.isMeasuring))
            return
        }
        inBackground(
            work = { if (request == lastRequest.get()) classifier?.classify(text, textPair) else null },
            done = { answer -> if (answer != null && request == lastRequest.get()) update { it.with(answer = answer) } },
        )
    }

    /** Measures how long the last text takes, [runs] times. */
    fun measure(runs: Int) {
        val (text, textPair) = lastTexts ?: return
        if ((state as? State.Ready)?.isMeasuring != false || text.isBlank()) return
        update { it.with(isMeasuring = true) }
        inBackground(
            work = { classifier?.measure(text, textPair, runs) },
            done = { statistics -> update { it.with(statistics = statistics, isMeasuring = false) } },
        )
    }

    /** Frees the model, once the worker is done with it. */
    fun close() {
        listener = null
        worker.execute { classifier?.close() }
        worker.shutdown()
    }

    private fun <T> inBackground(work: () -> T, done: (T) -> Unit) = worker.execute {
        try {
            val result = work()
            main.execute { done(result) }
        } catch (error: ModelException) {
            main.execute { show(State.Failed(error)) }
        } catch (error: RuntimeException) { // LiteRT's own
            main.execute { show(State.Failed(error)) }
        } catch (error: LinkageError) { // no native library for this device
            main.execute { show(State.Failed(error)) }
        }
    }

    private fun update(change: (State.Ready) -> State.Ready) {
        (state as? State.Ready)?.let { show(change(it)) }
    }

    private fun show(next: State) {
        state = next
        listener?.invoke(next)
    }
}
