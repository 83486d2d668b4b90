"""How fast is a distillation step, and what share of this machine's matrix peak does it reach?

It measures the step of `--stage=general` (MiniLM-L6 or another teacher, 4 x 312 student, the embedding, hidden and
attention losses): on full sequences of 64 and 128 tokens, on movie reviews in length buckets, and on the same reviews
padded to 64 and to 128. Each round runs all variants, so that drift of the machine affects all of them equally.

    python benchmarks/distillation_throughput.py
    python benchmarks/distillation_throughput.py --teacher=mpnet_base --steps=4
    python benchmarks/distillation_throughput.py --jit_compile --dtype_policy=mixed_bfloat16
"""

import argparse
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

import json
import platform
import statistics
import time
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from tinybert_tf.configs import STUDENT_PRESETS
from tinybert_tf.data.packaged import movie_reviews
from tinybert_tf.distillation import TinyBertDistiller
from tinybert_tf.evaluation.flops import forward_flops
from tinybert_tf.models import BertEncoder
from tinybert_tf.training import devices
from tinybert_tf.training.optimizer import bert_optimizer

BATCH = 32


def matrix_peak_gflops(dtype: str, jit_compile: bool) -> float:
    """Returns the rate of the fastest product among sizes that BERTs use: the most that the library can do."""
    best = 0.0
    for rows, inner, columns in ((2048, 2048, 2048), (2048, 384, 1536), (4096, 312, 1200), (4096, 1024, 4096)):
        a, b = (tf.cast(tf.random.normal(shape), dtype) for shape in ([rows, inner], [inner, columns]))
        product = tf.function(tf.matmul, jit_compile=jit_compile).get_concrete_function(a, b)
        product(a, b)
        for _ in range(8):
            start = time.perf_counter()
            product(a, b).numpy()
            best = max(best, 2 * rows * inner * columns / (time.perf_counter() - start) / 1e9)
    return best


def step_flops(distiller, batch) -> float:
    """Returns the operations of a step: teacher once forward; student and projections forward and twice backward."""
    tokens, length = batch["token_ids"].size, batch["token_ids"].shape[1]
    teacher, student = distiller.teacher.config, distiller.student.config
    projections = len(distiller.projections) * 2 * student.hidden_dim * teacher.hidden_dim * tokens
    depth = max(match.teacher_layer for match in distiller.matches)
    sequences = tokens / length
    learned = sequences * forward_flops(student, length) + projections
    return sequences * forward_flops(teacher, length, depth) + 3 * learned


def full_batches(vocabulary_size: int, length: int, number: int) -> list[dict]:
    rng = np.random.default_rng(0)
    ids = rng.integers(1000, vocabulary_size, (number, BATCH, length)).astype("int32")
    return [{"token_ids": i, "segment_ids": np.zeros_like(i), "padding_mask": np.ones_like(i)} for i in ids]


def review_batches(tokenizer, number: int, pad_to: int | None = None, multiple: int = 8) -> list[dict]:
    """Batches of reviews of like length, from all lengths alike; or the same batches padded to one length."""
    texts = [row.text for row in movie_reviews()]
    order = np.argsort([int(n) for n in tokenizer.tokenize(texts).row_lengths()], kind="stable")
    starts = np.linspace(0, len(texts) - BATCH, 2 * number + 1, dtype=int)[1::2]  # each length has its share
    np.random.default_rng(0).shuffle(starts)
    batches = []
    for start in starts:
        batch = tokenizer([texts[i] for i in order[start : start + BATCH]], sequence_length=pad_to or 128)
        width = pad_to or -(-batch["token_ids"].shape[1] // multiple) * multiple
        batches.append({k: np.pad(v, ((0, 0), (0, width - v.shape[1]))) for k, v in batch.items()})
    return batches


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--teacher", default="minilm_l6", help="model to imitate")
    parser.add_argument("--steps", type=int, default=10, help="timed steps per variant and round")
    parser.add_argument("--rounds", type=int, default=3, help="rounds through all variants; the median counts")
    parser.add_argument("--jit_compile", action="store_true", help="compile the step with XLA")
    parser.add_argument("--dtype_policy", default="float32", help="float32, mixed_bfloat16 or mixed_float16")
    parser.add_argument("--not_deterministic", action="store_true", help="allow ops whose results vary")
    parser.add_argument("--output", type=Path, help="JSON file to write the figures to")
    options = parser.parse_args()
    keras.utils.set_random_seed(0)
    if not options.not_deterministic:
        tf.config.experimental.enable_op_determinism()

    teacher = BertEncoder.from_preset(options.teacher, dtype=options.dtype_policy)
    student = BertEncoder.from_shape(STUDENT_PRESETS["tinybert_4l_312"], dropout=0.0, dtype=options.dtype_policy)
    distiller = TinyBertDistiller(teacher, student, dtype=options.dtype_policy)
    distiller.compile(bert_optimizer(1e-4, 10_000), jit_compile=options.jit_compile)

    tokenizer, size = teacher.tokenizer, teacher.config.vocabulary_size
    variants = {
        "full, 64": full_batches(size, 64, options.steps),
        "full, 128": full_batches(size, 128, options.steps),
        "reviews, bucketed": review_batches(tokenizer, options.steps),
        "reviews, padded to 64": review_batches(tokenizer, options.steps, 64),
        "reviews, padded to 128": review_batches(tokenizer, options.steps, 128),
    }
    step = devices.train_step(distiller, variants["full, 64"][0])
    for batches in variants.values():  # trace, and compile every shape
        for batch in batches:
            step(batch)
    peaks, own_peaks, times = [], [], {name: [] for name in variants}
    compute_dtype = keras.DTypePolicy(options.dtype_policy).compute_dtype
    for _ in range(options.rounds):
        peaks.append(matrix_peak_gflops("float32", False))
        own_peaks.append(max(matrix_peak_gflops(compute_dtype, jit_compile) for jit_compile in (False, True)))
        for name, batches in variants.items():
            start = time.perf_counter()
            for batch in batches:
                losses = step(batch)
            float(losses["loss"])
            times[name].append(time.perf_counter() - start)

    peak, own_peak = statistics.median(peaks), statistics.median(own_peaks)
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, TensorFlow {tf.__version__}, Keras {keras.__version__}, ",
        end="",
    )
    print(f"{options.dtype_policy}, XLA {options.jit_compile}, batch {BATCH}")
    print(f"matrix peaks: float32 {peak:.0f} GFLOP/s, {compute_dtype} {own_peak:.0f} GFLOP/s")
    print(f"\n{'':24}{'sequences/s':>12}{'tokens/s':>10}{'MFLOP/token':>13}{'of peak':>9}{'of dtype':>9}{'spread':>8}")
    rows = {}
    for name, batches in variants.items():
        seconds = statistics.median(times[name])
        tokens = sum(int(batch["padding_mask"].sum()) for batch in batches)
        computed = sum(batch["token_ids"].size for batch in batches)
        flops = sum(step_flops(distiller, batch) for batch in batches)
        rows[name] = {
            "sequences_per_second": len(batches) * BATCH / seconds,
            "tokens_per_second": tokens / seconds,
            "share_of_peak": flops / seconds / 1e9 / peak,
            "share_of_own_peak": flops / seconds / 1e9 / own_peak,
        }
        spread = (max(times[name]) - min(times[name])) / seconds
        print(f"{name:24}{len(batches) * BATCH / seconds:12.1f}{tokens / seconds:10.0f}", end="")
        print(f"{flops / computed / 1e6:13.1f}{rows[name]['share_of_peak']:9.1%}", end="")
        print(f"{rows[name]['share_of_own_peak']:9.1%}{spread:8.1%}")
    ours = rows["reviews, bucketed"]["sequences_per_second"]
    for name in ("reviews, padded to 64", "reviews, padded to 128"):
        print(f"bucketed against {name}: {ours / rows[name]['sequences_per_second']:.2f} x")
    if options.output:
        options.output.write_text(
            json.dumps({"peak_gflops": peak, "own_peak_gflops": own_peak, "rows": rows}, indent=2) + "\n"
        )


if __name__ == "__main__":
    main()
