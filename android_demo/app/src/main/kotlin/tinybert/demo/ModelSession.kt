package tinybert.demo

import java.util.concurrent.Executor
import java.util.concurrent.ExecutorService
import java.util.concurrent.atomic.AtomicInteger
import tinybert.core.LatencyStatistics
import tinybert.core.ModelException
import tinybert.core.ModelInfo
import tinybert.core.Reply
import tinybert.core.TextModel

/**
 * A model at work in the background, and what it last said. Outlives the screen, which a rotation makes anew; used from
 * the main thread.
 *
 * @param open loads the model; runs on [worker], as the model itself does.
 * @param worker a single thread.
 * @param main runs things on the main thread.
 */
class ModelSession(
    private val open: () -> TextModel,
    private val worker: ExecutorService,
    private val main: Executor,
) {
    /** What the screen shows. */
    sealed interface State {
        object Loading : State

        class Failed(val problem: Throwable) : State

        /** @property reply to the last texts; null without any. */
        class Ready(
            val info: ModelInfo,
            val reply: Reply? = null,
            val statistics: LatencyStatistics? = null,
            val isMeasuring: Boolean = false,
        ) : State {
            fun with(
                reply: Reply? = this.reply,
                statistics: LatencyStatistics? = this.statistics,
                isMeasuring: Boolean = this.isMeasuring,
            ) = Ready(info, reply, statistics, isMeasuring)
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

    private var model: TextModel? = null // the worker's
    private val lastRequest = AtomicInteger()
    private var lastTexts: Pair<String, String?>? = null

    /** Loads the model, or tries again. */
    fun start() {
        show(State.Loading)
        inBackground(
            work = {
                model?.close() // one that has failed
                model = null
                open().also { model = it }.also(TextModel::warmUp) // the first answer takes longer
            },
            done = { loaded ->
                show(State.Ready(loaded.info))
                lastTexts?.let { (text, textPair) -> reply(text, textPair) }
            },
        )
    }

    /** Replies to a text, or to two; of several that wait, only to the last ones. No text, no reply. */
    fun reply(text: String, textPair: String?) {
        lastTexts = Pair(text, textPair)
        val request = lastRequest.incrementAndGet()
        val ready = state as? State.Ready ?: return
        if (!ready.info.canRead(text, textPair)) {
            show(State.Ready(ready.info, isMeasuring = ready.isMeasuring))
            return
        }
        inBackground(
            work = { if (request == lastRequest.get()) model?.reply(text, textPair) else null },
            done = { reply -> if (reply != null && request == lastRequest.get()) update { it.with(reply = reply) } },
        )
    }

    /** Measures how long the last text takes, [runs] times. */
    fun measure(runs: Int) {
        val (text, textPair) = lastTexts ?: return
        val ready = state as? State.Ready ?: return
        if (ready.isMeasuring || !ready.info.canRead(text, textPair)) return
        update { it.with(isMeasuring = true) }
        inBackground(
            work = { model?.measure(text, textPair, runs) },
            done = { statistics -> update { it.with(statistics = statistics, isMeasuring = false) } },
        )
    }

    /** Frees the model, once the worker is done with it. */
    fun close() {
        listener = null
        worker.execute { model?.close() }
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
