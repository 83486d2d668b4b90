"""What every stage's process has imported; nothing of it may run an operation, for TensorFlow's threads do not fork."""

from tinybert_tf import main

main._prepare_environment()

import tensorflow as tf  # noqa: E402

from tinybert_tf.stages import general, task  # noqa: E402, F401
from tinybert_tf.tokenizer.normalizer import normalizer_model  # noqa: E402

# Half a second, and then there for every process. By name, as `BertTokenizer` calls it: the cache tells the two apart.
normalizer_model(lowercase=True, strip_accents=True, tokenize_chinese_chars=True, clean_text=True)
# Optimizing the graphs takes as long as tracing them; tiny models gain nothing from it.
tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
