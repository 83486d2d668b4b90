"""How fast are one and two workers of Apache Beam against the plain stages, does memory stay flat, and does a killed
pipeline resume?

All commands run one after another, each in its own process, on short texts: sentences of the packaged Wikipedia
openings, each with a number, so that none occurs twice. Needs the extra `scale`.

    python benchmarks/scale.py --parts=memory,corpus,kill,predict
"""

import argparse
import contextlib
import gzip
import itertools
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import zlib
from pathlib import Path
from typing import NamedTuple

TWO = "--pipeline_options=--direct_num_workers=2 --direct_running_mode=multi_processing"
FILES = 16
# One pass over a corpus as training reads it, cut into sequences: text is tokenized for this, records are not.
READ = """
import sys, time
from tinybert_tf import assets
from tinybert_tf.data.packed_records import open_corpus, packed
from tinybert_tf.models import BertTokenizer
tokenizer = BertTokenizer.from_file(assets.fetch("minilm_l6") / "vocab.txt")
start, cpu = time.perf_counter(), time.process_time()
text = packed(open_corpus([sys.argv[1]]), tokenizer, batch_size=32, sequence_length=128, seed=0)
tokens = sum(batch["token_ids"].size for batch, _ in text.batches(epochs=1))
print(f"{time.perf_counter() - start:7.1f} s, CPU {time.process_time() - cpu:6.1f} s; {tokens:,} tokens")
"""
CLASSIFIER = """
import sys
from tinybert_tf.models import BertClassifier, BertEncoder
BertClassifier(BertEncoder.from_preset("minilm_l6"), ["bad", "good"]).save_to_preset(sys.argv[1])
"""


def texts(count):
    from tinybert_tf.data.packaged import wiki_openings

    sentences = [part for row in wiki_openings() for part in row.text.split(". ") if 20 < len(part) < 200]
    return (f"{number} {text}" for number, text in zip(range(count), itertools.cycle(sentences)))


def write_corpus(folder, count):
    folder.mkdir()
    with contextlib.ExitStack() as stack:
        files = [folder / f"{i:02d}.jsonl.gz" for i in range(FILES)]
        streams = [stack.enter_context(gzip.open(file, "wt", compresslevel=1)) for file in files]
        for number, text in enumerate(texts(count)):
            streams[number % FILES].write(json.dumps({"text": text}) + "\n")
    return f"{folder}/*.jsonl.gz"


class Measured(NamedTuple):
    """Time of a command and of all its processes' CPU in seconds, peak memory in MiB, and output."""

    seconds: float
    cpu: float
    peak: float
    output: str

    def __str__(self):
        return f"{self.seconds:7.1f} s, CPU {self.cpu:6.1f} s"


def measured(command, out=subprocess.DEVNULL):
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=out, stderr=subprocess.PIPE, text=True)
    output = process.stdout.read() if out == subprocess.PIPE else ""
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{command} failed: {errors[-2000:]}")
    cpu = usage.ru_utime + usage.ru_stime
    return Measured(time.perf_counter() - start, cpu, usage.ru_maxrss / 1024, output)


def stage(name, **flags):
    return [sys.executable, "-m", "tinybert_tf.main", f"--stage={name}", *(f"--{k}={v}" for k, v in flags.items())]


def results_of(folder):
    return json.loads((folder / "run.json").read_text())["results"]


def memory(folder, counts):
    print("records on the DirectRunner, one worker\ntexts          tokens   seconds   peak, MiB")
    for count in counts:
        source, run = write_corpus(folder / f"m{count}", count), folder / f"records-{count}"
        peak = measured(stage("corpus", corpus=source, output_dir=run)).peak
        results = results_of(run)
        print(f"{count:<12,}{results['tokens']:>9,}{results['seconds']:>10.1f}{peak:>12.0f}", flush=True)


def corpus(folder, count):
    source, few = write_corpus(folder / "corpus", count), write_corpus(folder / "few", FILES)
    print(f"corpus of {count:,} texts", flush=True)
    print(f"plain reading of one pass    {measured([sys.executable, '-c', READ, source], subprocess.PIPE).output}")
    for name, options in (("one worker", []), ("two workers", [TWO])):
        for size, text in (("few", few), ("all", source)):
            run = folder / f"{name} {size}"
            spent = measured([*stage("corpus", corpus=text, output_dir=run), *options])
            inside = results_of(run)["seconds"]
            print(f"{name:<12} {size} texts, command {spent}; pipeline {inside:6.1f} s", flush=True)
    print(f"reading the records, one pass {measured([sys.executable, '-c', READ, str(run)], subprocess.PIPE).output}")


def contents(run):
    """Returns the CRC-32 of each file of a run by its name."""
    files = [file for file in run.rglob("*") if file.is_file() and file.name not in ("run.json", ".lock")]
    return {file.relative_to(run): zlib.crc32(file.read_bytes()) for file in files}


def kill(folder, count):
    source, whole, cut = write_corpus(folder / "kill", count), folder / "whole", folder / "cut"
    first = measured([*stage("corpus", corpus=source, output_dir=whole), TWO])
    command = [*stage("corpus", corpus=source, output_dir=cut), TWO]
    for kind, number in (("parts", 5), ("shards", 3)):
        start = time.perf_counter()
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
        while len(list((cut / kind).glob("[0-9]*"))) < number and process.poll() is None:
            time.sleep(0.002)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        done = {name: len(list((cut / name).glob("[0-9]*"))) for name in ("parts", "shards")}
        print(f"killed after {time.perf_counter() - start:.1f} s with {done}", flush=True)
    again = measured(command)
    same = contents(cut) == contents(whole)
    print(f"resumed in {again}; a whole run takes {first}; the same files: {same}")


def predict(folder, count):
    model, source = folder / "model", folder / "texts.jsonl"
    measured([sys.executable, "-c", CLASSIFIER, str(model)])
    source.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts(count)), encoding="utf-8")
    few = folder / "few.jsonl"
    few.write_text((json.dumps({"text": "a film"}) + "\n") * 2, encoding="utf-8")
    print(f"predictions of {count:,} texts", flush=True)
    for size, text in (("few", few), ("all", source)):
        print(
            f"plain stage  {size} texts, command {measured(stage('predict', model=model, input_file=text))}", flush=True
        )
    for name, options in (("one worker", []), ("two workers", [TWO])):
        for size, text in (("few", few), ("all", source)):
            run = folder / f"{name} {size}"
            flags = {"model": model, "input_file": text, "runner": "DirectRunner", "output_dir": run, "num_shards": 2}
            spent = measured([*stage("predict", **flags), *options])
            inside = results_of(run)["seconds"]
            print(f"{name:<12} {size} texts, command {spent}; pipeline {inside:6.1f} s", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", default="memory,corpus,kill,predict")
    parser.add_argument("--counts", default="10000,100000,1000000")
    parser.add_argument("--texts", type=int, default=500_000)
    parser.add_argument("--predictions", type=int, default=8000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for part in options.parts.split(","):
            place = Path(folder) / part
            place.mkdir()
            if part == "memory":
                memory(place, map(int, options.counts.split(",")))
            elif part == "predict":
                predict(place, options.predictions)
            else:
                {"corpus": corpus, "kill": kill}[part](place, options.texts)


if __name__ == "__main__":
    main()
