"""Does memory stay flat as the corpus grows? Measures the peak memory of one whole pass over 5, 50 and 500 MB of text.

The text repeats the packaged Wikipedia openings, each time in another order. Each size is read in its own process.

    python benchmarks/corpus_memory.py
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tinybert_tf import assets
from tinybert_tf.data.packaged import wiki_openings

MEGABYTES = (5, 50, 500)


def write_corpus(path: Path, size_bytes: int) -> None:
    texts = [row.text for row in wiki_openings()]
    rng, written = random.Random(0), 0
    with path.open("w", encoding="utf-8") as stream:
        while written < size_bytes:
            rng.shuffle(texts)
            for text in texts:
                written += stream.write(f"{written} {text}\n\n")
                if written >= size_bytes:
                    break


def read(path: Path) -> None:
    """Reads the corpus once and prints tokens, time and memory as JSON."""
    from tinybert_tf.data.packing import PackedText
    from tinybert_tf.data.text import Corpus
    from tinybert_tf.models import BertTokenizer

    tokenizer = BertTokenizer.from_file(assets.fetch("minilm_l6") / "vocab.txt")
    text = PackedText(Corpus([str(path)]), tokenizer, batch_size=32, sequence_length=128)
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
    tokens = sum(batch["token_ids"].size for batch, _ in text.batches(epochs=1))
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"tokens": tokens, "seconds": seconds, "before_mib": before / 1024, "peak_mib": peak / 1024}))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--read", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.read:
        read(options.read)
        return
    print(
        f"{'corpus':>8}{'tokens':>14}{'tokens/s':>12}{'MB/s':>8}{'before':>10}{'peak':>10}   peak resident memory, MiB"
    )
    with tempfile.TemporaryDirectory() as folder:
        for megabytes in MEGABYTES:
            path = Path(folder) / f"{megabytes}.txt"
            write_corpus(path, megabytes * 1_000_000)
            command = [sys.executable, __file__, f"--read={path}"]
            result = subprocess.run(command, capture_output=True, text=True, check=True)
            row = json.loads(result.stdout.splitlines()[-1])
            path.unlink()
            print(f"{megabytes:5} MB{row['tokens']:14,}{row['tokens'] / row['seconds']:12,.0f}", end="")
            print(f"{megabytes / row['seconds']:8.1f}{row['before_mib']:10.0f}{row['peak_mib']:10.0f}", flush=True)


if __name__ == "__main__":
    main()
