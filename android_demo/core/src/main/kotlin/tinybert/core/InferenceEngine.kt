package tinybert.core

import java.io.Closeable

/** What runs a model: LiteRT in the app, something else in tests. Not for several threads at once. */
interface InferenceEngine : Closeable {

    /** Returns one number a class, or one number; [input] may have another length at each call. */
    fun run(input: ModelInput): FloatArray
}
