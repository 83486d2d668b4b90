"""How much faster is batched augmentation than predicting one word at a time?

Three ways to candidates, on the same reviews with the same masked LM, in turn in one process: the product's batches;
a batch of one for each word with our graph (vocabulary only at the masked place); and a batch of one as the reference
implementation does it: the masked sentence and the unmasked one as a pair, the vocabulary at every place, all of it
sorted.

    python benchmarks/augmentation_throughput.py --masked_lm=runs/masked_lm
"""

import argparse
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

import statistics
import time

import numpy as np
import tensorflow as tf

from tinybert_tf.data.augmentation import Augmenter
from tinybert_tf.data.tasks import load_task
from tinybert_tf.data.word_vectors import WordVectors
from tinybert_tf.models.presets import load_masked_lm


class OneByOne(Augmenter):
    """An augmenter that reads one masked sentence at a time.

    Args:
        as_reference: whether it computes what the reference implementation does.
    """

    def __init__(self, *args, as_reference: bool = False, **kwargs):
        self.as_reference = as_reference
        super().__init__(*args, batch_tokens=1, **kwargs)

    def _make_guess(self):
        guess = super()._make_guess()
        if not self.as_reference:
            return guess

        @tf.function(input_signature=guess.input_signature)
        def guess_as_reference(token_ids, lengths, positions, originals):
            unmasked = tf.tensor_scatter_nd_update(token_ids, [[0, positions[0]]], originals)[:, 1:]
            pair = tf.concat([token_ids, unmasked], axis=1)
            inputs = {
                "token_ids": pair,
                "segment_ids": tf.concat([tf.zeros_like(token_ids), tf.ones_like(unmasked)], axis=1),
                "padding_mask": tf.ones_like(pair),
                "masked_positions": tf.expand_dims(tf.range(tf.shape(pair)[1]), 0),
            }
            logits = tf.gather(self.masked_lm(inputs, training=False), positions, axis=1, batch_dims=1)
            return tf.argsort(logits + self._forbidden, direction="DESCENDING")[:, : self.num_candidates]

        return guess_as_reference


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--masked_lm", default="runs/masked_lm")
    parser.add_argument("--reviews", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    model = load_masked_lm(options.masked_lm, head_required=True)
    vectors = WordVectors.load("glove_6b_50d")
    texts = load_task("movie_reviews").split("train").texts[: options.reviews]
    ways = {
        "batched": Augmenter(model, vectors),
        "one by one": OneByOne(model, vectors),
        "one by one, as the reference": OneByOne(model, vectors, as_reference=True),
    }
    few = {"batched": texts, "one by one": texts[:32], "one by one, as the reference": texts[:32]}
    seconds = {name: [] for name in ways}
    for number in range(options.rounds + 1):
        for name, way in ways.items():
            start = time.perf_counter()
            places = way.places(few[name])
            if number:  # the first round traces the graphs
                seconds[name].append((time.perf_counter() - start) / len(few[name]))
    words = np.mean([len(row) for row in places])
    print(
        f"{len(texts)} reviews, {words:.1f} words each that may change, {os.cpu_count()} cores, TF {tf.__version__}\n"
    )
    base = statistics.median(seconds["batched"])
    print(f"{'':36}{'reviews/s':>10}{'spread':>8}{'batched is':>13}")
    for name, values in seconds.items():
        middle = statistics.median(values)
        spread = (max(values) - min(values)) / middle
        print(f"{name:36}{1 / middle:10.2f}{spread:8.1%}{middle / base:11.1f} x")


if __name__ == "__main__":
    main()
