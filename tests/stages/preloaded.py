"""What every stage's process has imported; nothing of it may run an operation, for TensorFlow's threads do not fork."""

from tinybert_tf import main

main._prepare_environment()

from tinybert_tf.stages import general, task  # noqa: E402, F401
from tinybert_tf.tokenizer.normalizer import normalizer_model  # noqa: E402

normalizer_model(True, True, True, True)  # a second, in Python alone, and then there for every process
