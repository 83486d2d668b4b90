"""How much faster is batched augmentation than predicting one word at a time, and are its guesses as good?

Four ways to get candidates take turns in one process, on the same reviews with the same masked LM:

- the product's batches, several words of a text at a time;
- batches, one word of a text at a time;
- one row per word, with our graph (the vocabulary only at the masked place);
- one row per word, computing what the reference implementation computes: the sentence twice, as a pair, the
  vocabulary at every place, and all of it sorted.

Then, on reviews that the masked LM has not read: how often the masked word is its first guess, or among its first five.

    python benchmarks/augmentation_throughput.py --masked_lm=runs/masked_lm
"""

import argparse
import itertools
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

import statistics
import time

import numpy as np
import tensorflow as tf

from tinybert_tf.augmentation.augmenter import Augmenter
from tinybert_tf.augmentation.word_vectors import WordVectors
from tinybert_tf.data.tasks import load_task
from tinybert_tf.models import BertMaskedLM


class OneByOne(Augmenter):
    """An augmenter that reads one masked sentence at a time.

    Args:
        as_reference: Whether it computes what the reference implementation does.
    """

    def __init__(self, *args, as_reference: bool = False, **kwargs):
        self.as_reference = as_reference
        super().__init__(*args, batch_tokens=1, masked_share=0.0, **kwargs)

    def _make_guess(self):
        guess = super()._make_guess()
        if not self.as_reference:
            return guess

        @tf.function(input_signature=guess.input_signature)
        def guess_as_reference(token_ids, lengths, positions):
            second = token_ids[:, 1:]  # masked too, which costs the same
            pair = tf.concat([token_ids, second], axis=1)
            inputs = {
                "token_ids": pair,
                "segment_ids": tf.concat([tf.zeros_like(token_ids), tf.ones_like(second)], axis=1),
                "padding_mask": tf.ones_like(pair),
                "masked_positions": tf.expand_dims(tf.range(tf.shape(pair)[1]), 0),
            }
            logits = tf.gather(self.masked_lm(inputs, training=False), positions, axis=1, batch_dims=1)
            return tf.argsort(logits + self._forbidden, direction="DESCENDING")[..., : self.num_candidates + 1]

        return guess_as_reference


class Recovering(Augmenter):
    """An augmenter that counts how often the original word is its first guess, or among its first five."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.first, self.among_five = [], []

    def _likeliest(self, readings):
        likeliest, originals = super()._likeliest(readings)
        found = (likeliest == originals[..., None])[originals != self.tokenizer.cls_id]
        self.first += found[:, 0].tolist()
        self.among_five += found[:, :5].any(axis=1).tolist()
        return likeliest, originals


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--masked_lm", default="runs/masked_lm", help="a run of --stage=masked_lm")
    parser.add_argument("--reviews", type=int, default=256, help="reviews that are augmented")
    parser.add_argument("--rounds", type=int, default=3, help="timed rounds; the median counts")
    parser.add_argument("--shares", type=float, nargs="*", default=[0.15, 0.3], help="masked shares of the guesses")
    options = parser.parse_args()
    model = BertMaskedLM.from_preset(options.masked_lm, new_head=False)
    vectors = WordVectors.load("glove_6b_50d")
    texts = load_task("movie_reviews").split("train").texts[: options.reviews]
    ways = {
        "batched": Augmenter(model, vectors),
        "batched, one word at a time": Augmenter(model, vectors, masked_share=0.0),
        "one by one": OneByOne(model, vectors),
        "one by one, as the reference": OneByOne(model, vectors, as_reference=True),
    }
    few = {name: texts if name.startswith("batched") else texts[:32] for name in ways}
    seconds, places = {name: [] for name in ways}, {}
    for number in range(options.rounds + 1):
        for name, way in ways.items():
            start = time.perf_counter()
            places[name] = way.places(few[name])
            if number:  # the first round traces the graphs
                seconds[name].append((time.perf_counter() - start) / len(few[name]))
    words = np.mean([len(row) for row in places["batched"]])
    print(
        f"{len(texts)} reviews, {words:.1f} words each that may change, {os.cpu_count()} cores, TF {tf.__version__}\n"
    )
    base = statistics.median(seconds["batched"])
    print(f"{'':36}{'reviews/s':>10}{'spread':>8}{'batched is':>13}")
    for name, values in seconds.items():
        middle = statistics.median(values)
        spread = (max(values) - min(values)) / middle
        print(f"{name:36}{1 / middle:10.2f}{spread:8.1%}{middle / base:11.1f} x")
    pairs = list(zip(*(itertools.chain(*places[name]) for name in ("batched", "batched, one word at a time"))))
    shared = [len(set(a.candidates) & set(b.candidates)) / len(b.candidates) for a, b in pairs]
    print(f"\nCandidates shared with one word at a time: {np.mean(shared):.1%}")
    texts = load_task("movie_reviews").split("dev").texts
    for share in (0.0, *options.shares):
        way = Recovering(model, None, masked_share=share)
        way.places(texts)
        print(f"masked share {share:4}: the word first {np.mean(way.first):.1%}, in five {np.mean(way.among_five):.1%}")


if __name__ == "__main__":
    main()
