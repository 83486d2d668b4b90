"""Does MediaPipe's TextClassifier give the answers that this package's own runtime gives, text by text?

    pip install --no-deps --target=mediapipe mediapipe==1.2.2
    python benchmarks/mediapipe_parity.py --model=export/student_int8.tflite --mediapipe=mediapipe texts.csv

Texts are the column `text` of CSV files. Those with and those without ASCII capitals have a row each: MediaPipe
lower-cases these capitals for every model, so that a cased model reads other pieces.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
from pathlib import Path

from tinybert_tf.tflite import TextClassifier

ANSWERS = Path(__file__).resolve().parent.parent / "tests" / "tflite" / "mediapipe_answers.py"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--model", required=True)
    parser.add_argument("--mediapipe", required=True, help="the folder it is installed in")
    options = parser.parse_args()
    texts = []
    for file in options.files:
        with file.open(encoding="utf-8", newline="") as stream:
            texts += [row["text"] for row in csv.DictReader(stream)]
    done = subprocess.run(
        [sys.executable, ANSWERS, options.model],
        input=json.dumps(texts),
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": options.mediapipe},
    )
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    theirs = json.loads(done.stdout)
    classifier = TextClassifier(options.model)
    ours, labels = classifier.predict(texts), classifier.labels
    rows = []
    for text, mine, other in zip(texts, ours, theirs, strict=True):
        values = [other.get(label, 0.0) for label in labels]
        difference = max(abs(a - b) for a, b in zip(mine, values, strict=True))
        capitals = any("A" <= character <= "Z" for character in text)
        rows.append((capitals, difference, labels[int(mine.argmax())] != labels[values.index(max(values))]))
    print("| texts | number | within 1e-4 | largest difference | other answers |\n| --- | --- | --- | --- | --- |")
    for name, kind in (("without ASCII capitals", False), ("with ASCII capitals", True)):
        chosen = [(difference, other) for capitals, difference, other in rows if capitals == kind]
        near = sum(difference <= 1e-4 for difference, _ in chosen)
        largest = max((difference for difference, _ in chosen), default=0.0)
        print(f"| {name} | {len(chosen):,} | {near:,} | {largest:.3g} | {sum(other for _, other in chosen)} |")


if __name__ == "__main__":
    main()
