"""Does memory stay flat as the corpus grows? Measures the peak memory of one whole pass over 5, 50 and 500 MB of text,
over 50 MB in 100,000 files, and over 50 MB of compressed JSON lines.

The text repeats the packaged Wikipedia openings, each time in another order. Each corpus is read in its own process.

    python benchmarks/corpus_memory.py
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import argparse
import gzip
import itertools
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tinybert_tf import assets
from tinybert_tf.data.packaged import wiki_openings

FILES = 100_000


def texts_of(size_bytes: int) -> Iterator[str]:
    texts, rng, written = [row.text for row in wiki_openings()], random.Random(0), 0
    while True:
        rng.shuffle(texts)
        for text in texts:
            text = f"{written} {text}"
            yield text
            written += len(text) + 2
            if written >= size_bytes:
                return


def write_file(folder: Path, size_bytes: int) -> str:
    path = folder / "corpus.txt"
    with path.open("w", encoding="utf-8") as stream:
        stream.writelines(f"{text}\n\n" for text in texts_of(size_bytes))
    return str(path)


def write_files(folder: Path, size_bytes: int) -> str:
    for number, text in enumerate(itertools.islice(itertools.cycle(texts_of(size_bytes)), FILES)):
        path = folder / f"{number // 1000}" / f"{number}.txt"
        path.parent.mkdir(exist_ok=True)
        path.write_text((f"{text} " * 9)[: size_bytes // FILES], encoding="utf-8")
    return str(folder / "*" / "*.txt")


def write_lines(folder: Path, size_bytes: int) -> str:
    path = folder / "corpus.jsonl.gz"
    with gzip.open(path, "wt", encoding="utf-8", compresslevel=1) as stream:
        stream.writelines(json.dumps({"text": text}) + "\n" for text in texts_of(size_bytes))
    return str(path)


CORPORA = {
    "one file": (5, write_file),
    "one file, 10 x": (50, write_file),
    "one file, 100 x": (500, write_file),
    "100,000 files": (50, write_files),
    ".jsonl.gz": (50, write_lines),
}


def read(source: str) -> None:
    """Reads the corpus once and prints tokens, time and memory as JSON."""
    from tinybert_tf.data.packing import PackedText
    from tinybert_tf.data.text import Corpus
    from tinybert_tf.models import BertTokenizer

    tokenizer = BertTokenizer.from_file(assets.fetch("minilm_l6") / "vocab.txt")
    start = time.perf_counter()
    corpus = Corpus([source])
    corpus.fingerprint()
    opened = time.perf_counter() - start
    text = PackedText(corpus, tokenizer, batch_size=32, sequence_length=128)
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
    tokens = sum(batch["token_ids"].size for batch, _ in text.batches(epochs=1))
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    values = {"tokens": tokens, "seconds": seconds, "opened": opened}
    print(json.dumps(values | {"before_mib": before / 1024, "peak_mib": peak / 1024}))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--read", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.read:
        read(options.read)
        return
    titles = ("size", "tokens", "tokens/s", "opened, s", "before", "peak, MiB")
    print("corpus".ljust(18) + "".join(f"{title:>14}" for title in titles))
    for name, (megabytes, write) in CORPORA.items():
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, __file__, f"--read={write(Path(folder), megabytes * 1_000_000)}"]
            row = json.loads(
                subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1]
            )
        cells = (f"{megabytes} MB", f"{row['tokens']:,}", f"{row['tokens'] / row['seconds']:,.0f}")
        cells += (f"{row['opened']:.1f}", f"{row['before_mib']:.0f}", f"{row['peak_mib']:.0f}")
        print(name.ljust(18) + "".join(f"{cell:>14}" for cell in cells), flush=True)


if __name__ == "__main__":
    main()
