package tinybert.core

/** Model files that cannot be used; the message says what is wrong with them. */
open class ModelException(message: String, cause: Throwable? = null) : Exception(message, cause)

/** A model file that is not there. */
class MissingModelException(val file: String) : ModelException("$file is missing")
