"""What general distillation on English Wikipedia would cost on 1, 8 and 64 GPUs: arithmetic, not a measurement.

Operations are those of the matrix products, as `evaluation.flops` counts them. Everything else is an assumption that
the flags name.

    python benchmarks/scale_plan.py
"""

import argparse

from tinybert_tf.configs import EncoderConfig
from tinybert_tf.evaluation.flops import forward_flops

LENGTH, PARAMETERS = 128, 14.35e6
TEACHER = EncoderConfig(12, 768, 12, 3072, vocabulary_size=30522)
STUDENT = EncoderConfig(4, 312, 12, 1200, vocabulary_size=30522)
NETWORKS = {"NVLink, 200 GB/s": 200e9, "100 Gbit/s": 12.5e9, "25 Gbit/s": 3.1e9, "10 Gbit/s": 1.25e9}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokens", type=float, default=3.3e9, help="WordPieces of the corpus")
    parser.add_argument("--epochs", type=int, default=3, help="passes, as in the paper")
    parser.add_argument("--peak", type=float, default=312e12, help="operations per second of a GPU (A100, bfloat16)")
    parser.add_argument("--share", type=float, default=0.35, help="share of the peak that a step reaches")
    parser.add_argument("--batch_per_gpu", type=int, default=256, help="sequences per GPU and step")
    parser.add_argument("--reads", type=float, default=2e6, help="tokens per second that one core reads and cuts")
    options = parser.parse_args()
    per_sequence = forward_flops(TEACHER, LENGTH) + 3 * forward_flops(STUDENT, LENGTH)
    sequences = options.tokens * options.epochs / LENGTH
    rate = options.peak * options.share / per_sequence
    step = options.batch_per_gpu / rate
    total = sequences * per_sequence
    print(f"{per_sequence / 1e9:.1f} GFLOP per sequence, of it the teacher {forward_flops(TEACHER, LENGTH) / 1e9:.1f}")
    print(f"{total:.2g} operations; {rate:,.0f} sequences/s per GPU, {1e3 * step:.0f} ms per step\n")
    print("| GPUs | network | gradients, ms | of linear | hours | steps | cores that read |\n" + "| --- " * 7 + "|")
    for gpus, network in ((1, ""), (8, "NVLink, 200 GB/s"), *((64, name) for name in list(NETWORKS)[1:])):
        ring = 2 * (gpus - 1) / gpus * 4 * PARAMETERS / NETWORKS[network] if network else 0.0
        linear = step / (step + ring)  # nothing overlaps: the worst case
        hours = sequences / (rate * gpus * linear) / 3600
        steps = sequences / (options.batch_per_gpu * gpus)
        cores = rate * gpus * linear * LENGTH / options.reads
        print(f"| {gpus} | {network} | {1e3 * ring:.1f} | {linear:.0%} | {hours:.2f} | {steps:,.0f} | {cores:.1f} |")


if __name__ == "__main__":
    main()
