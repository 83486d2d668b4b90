"""A bias on attention scores that depends on the distance of query and key: T5's, which MPNet uses too."""

import math

import keras
import numpy as np
from keras import ops

from tinybert_tf.layers.activations import bert_initializer
from tinybert_tf.layers.embeddings import DenseGradientEmbedding

_MAX_DISTANCE = 128  # all distances from this one on share a bucket


@keras.saving.register_keras_serializable(package="tinybert_tf")
class RelativePositionBias(keras.layers.Layer):
    """One number per head and bucket of distances (arXiv 1910.10683, section 2.1; for MPNet arXiv 2004.09297).

    Args:
        num_buckets: Number of buckets, half of them for keys after the query.
        num_heads: Number of attention heads.
        max_sequence_length: Length of the longest row.
    """

    def __init__(self, num_buckets: int, num_heads: int, max_sequence_length: int, **kwargs):
        super().__init__(**kwargs)
        self.num_buckets, self.num_heads = num_buckets, num_heads
        self.max_sequence_length = max_sequence_length
        self.table = DenseGradientEmbedding(
            num_buckets, num_heads, embeddings_initializer=bert_initializer(), dtype=self.dtype_policy, name="table"
        )
        distances = np.arange(1 - max_sequence_length, max_sequence_length)
        self._buckets = buckets_of(distances, num_buckets)

    def build(self, input_shape=None):
        self.table.build()
        self.built = True

    def call(self, hidden):
        """Returns the bias `[1, heads, query, key]` for rows as long as those of `hidden` `[batch, length, …]`."""
        places = ops.arange(ops.shape(hidden)[1], dtype="int32")
        distances = ops.expand_dims(places, 0) - ops.expand_dims(places, 1)
        buckets = ops.take(ops.convert_to_tensor(self._buckets), distances + self.max_sequence_length - 1)
        return ops.expand_dims(ops.transpose(self.table(buckets), (2, 0, 1)), 0)

    def get_config(self):
        return super().get_config() | {
            "num_buckets": self.num_buckets,
            "num_heads": self.num_heads,
            "max_sequence_length": self.max_sequence_length,
        }


def buckets_of(distances: np.ndarray, num_buckets: int) -> np.ndarray:
    """Returns the bucket of each distance, key minus query, int32: one per near distance, logarithmic beyond."""
    half = num_buckets // 2
    exact = half // 2
    size = np.abs(distances)
    scale = np.float32(math.log(_MAX_DISTANCE / exact))
    far = np.log(np.maximum(size, 1).astype(np.float32) / exact) / scale * (half - exact)
    far = np.minimum(exact + far.astype(np.int32), half - 1)
    return (np.where(distances > 0, half, 0) + np.where(size < exact, size, far)).astype(np.int32)
