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
from pathlib import Path

TWO = "--pipeline_options=--direct_num_workers=2 --direct_running_mode=multi_processing"
FILES = 16
# One pass over the corpus as training reads it: the text is tokenized and cut into sequences.
PLAIN = """
import sys, time
from tinybert_tf import assets
from tinybert_tf.data.packing import PackedText
from tinybert_tf.data.text import Corpus
from tinybert_tf.models import BertTokenizer
tokenizer = BertTokenizer.from_file(assets.fetch("minilm_l6") / "vocab.txt")
start = time.perf_counter()
text = PackedText(Corpus([sys.argv[1]]), tokenizer, batch_size=32, sequence_length=128)
tokens = sum(batch["token_ids"].size for batch, _ in text.batches(epochs=1))
print(time.perf_counter() - start)
"""
# The same from records.
RECORDS = """
import sys, time
from tinybert_tf import assets
from tinybert_tf.data.packed_records import open_corpus, packed
from tinybert_tf.models import BertTokenizer
tokenizer = BertTokenizer.from_file(assets.fetch("minilm_l6") / "vocab.txt")
start = time.perf_counter()
text = packed(open_corpus([sys.argv[1]]), tokenizer, batch_size=32, sequence_length=128, seed=0)
tokens = sum(batch["token_ids"].size for batch, _ in text.batches(epochs=1))
print(time.perf_counter() - start)
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


def measured(command, out=subprocess.DEVNULL):
    """Returns the seconds of a command, the peak memory of its largest process in MiB, and its output."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=out, stderr=subprocess.PIPE, text=True)
    output = process.stdout.read() if out == subprocess.PIPE else ""
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{command} failed: {errors[-2000:]}")
    return time.perf_counter() - start, usage.ru_maxrss / 1024, output


def stage(name, **flags):
    return [sys.executable, "-m", "tinybert_tf.main", f"--stage={name}", *(f"--{k}={v}" for k, v in flags.items())]


def results_of(folder):
    return json.loads((folder / "run.json").read_text())["results"]


def memory(folder, counts):
    print("records on the DirectRunner, one worker\ntexts          tokens   seconds   peak, MiB")
    for count in counts:
        source, run = write_corpus(folder / f"m{count}", count), folder / f"records-{count}"
        _, peak, _ = measured(stage("corpus", corpus=source, output_dir=run))
        results = results_of(run)
        print(f"{count:<12,}{results['tokens']:>9,}{results['seconds']:>10.1f}{peak:>12.0f}", flush=True)


def corpus(folder, count):
    source = write_corpus(folder / "corpus", count)
    plain = float(measured([sys.executable, "-c", PLAIN, source], subprocess.PIPE)[2])
    print(f"corpus of {count:,} texts\nplain reading of one pass      {plain:7.1f} s")
    for name, options in (("one worker", []), ("two workers", [TWO])):
        run = folder / name.replace(" ", "-")
        seconds, _, _ = measured([*stage("corpus", corpus=source, output_dir=run), *options])
        inside = results_of(run)["seconds"]
        print(f"{name:<14} pipeline        {inside:7.1f} s   command {seconds:7.1f} s", flush=True)
    again = float(measured([sys.executable, "-c", RECORDS, str(run)], subprocess.PIPE)[2])
    print(f"reading the records, one pass  {again:7.1f} s")


def kill(folder, count):
    source, whole, cut = write_corpus(folder / "kill", count), folder / "whole", folder / "cut"
    seconds, _, _ = measured([*stage("corpus", corpus=source, output_dir=whole), TWO])
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
    again, _, _ = measured(command)
    same = all(
        (cut / file.relative_to(whole)).read_bytes() == file.read_bytes()
        for file in whole.rglob("*")
        if file.is_file() and file.name not in ("run.json", ".lock")
    )
    print(f"resumed in {again:.1f} s; a whole run takes {seconds:.1f} s; the same files: {same}")


def predict(folder, count):
    model, source = folder / "model", folder / "texts.jsonl"
    measured([sys.executable, "-c", CLASSIFIER, str(model)])
    source.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts(count)), encoding="utf-8")
    few = folder / "few.jsonl"
    few.write_text(json.dumps({"text": "a film"}) + "\n", encoding="utf-8")
    start, _, _ = measured(stage("predict", model=model, input_file=few))
    seconds, _, _ = measured(stage("predict", model=model, input_file=source))
    print(
        f"predictions of {count:,} texts\nplain stage    command {seconds:7.1f} s, of which start {start:.1f} s",
        flush=True,
    )
    for name, options in (("one worker", []), ("two workers", [TWO])):
        run = folder / f"predict-{name.replace(' ', '-')}"
        flags = {"model": model, "input_file": source, "runner": "DirectRunner", "output_dir": run}
        seconds, _, _ = measured([*stage("predict", **flags), *options])
        print(f"{name:<14} command {seconds:7.1f} s   pipeline {results_of(run)['seconds']:7.1f} s", flush=True)


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
