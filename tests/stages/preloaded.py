"""What every stage's process has imported; nothing of it may run an operation, for TensorFlow's threads do not fork."""

from tinybert_tf import main

main._prepare_environment()

from tinybert_tf.stages import general, task  # noqa: E402, F401
