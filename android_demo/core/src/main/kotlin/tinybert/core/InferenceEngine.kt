package tinybert.core

import java.io.Closeable

/** What runs a model: LiteRT in the app, something else in tests. Not for several threads at once. */
interface InferenceEngine : Closeable {

    /**
     * Returns one number per class, or one number; of a question answerer, the start logit of each token and then the
     * end logit of each. [input] may have another length at each call.
     */
    fun run(input: ModelInput): FloatArray
}
