"""The exported page's classifier in headless Chromium against the same file in Python: numbers, and time per review.

python -m benchmarks.web runs/export/web [runs/other_export/web ...]

Each folder is one of `--stage=export --export_formats=web`. Rounds alternate between the folders, so that a change of
the machine's pace meets all of them.
"""

import argparse
import json
import shutil
import tempfile
from pathlib import Path

import numpy as np

from tests.exporters.browser import found_by
from tinybert_tf.data.tasks import load_task
from tinybert_tf.tflite import TextClassifier

ROUNDS = 3
PAGE = """
<!doctype html><meta charset="utf-8"><body>
<script type="importmap">{ "imports": { "@litertjs/wasm-utils": "./litert/wasm-utils/dist/index.js" } }</script>
<script type="module">
const texts = await (await fetch("texts.json")).json(), start = performance.now();
const { TextClassifier } = await import("./classifier.js"), classifier = await TextClassifier.load(), answers = [];
const loading = performance.now() - start;
for (const text of texts) answers.push(await classifier.predict(text));
await fetch("/", { method: "POST", body: JSON.stringify({ loading, answers }) });
</script>
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--texts", type=int, default=200, help="movie reviews of the test split")
    options = parser.parse_args()
    texts = list(load_task("movie_reviews").split("test").texts[: options.texts])
    times, loads, far = ([[] for _ in options.folders] for _ in range(3))
    with tempfile.TemporaryDirectory() as scratch:
        for number in ROUNDS * list(range(len(options.folders))):
            copy = Path(scratch, str(number))
            if not copy.exists():
                shutil.copytree(options.folders[number], copy)
                (copy / "texts.json").write_text(json.dumps(texts))
                (copy / "measure.html").write_text(PAGE)
            found = found_by(copy, "measure.html", seconds=300)
            expected = TextClassifier(copy / "student.tflite").predict(texts)
            values = np.array([answer["values"] for answer in found["answers"]])
            far[number] = np.abs(values - expected).max(-1)
            times[number] += [answer["milliseconds"] for answer in found["answers"]]
            loads[number].append(found["loading"])
    for number, folder in enumerate(options.folders):
        middle, mean, load = np.median(times[number]), np.mean(times[number]), np.median(loads[number])
        differences = f"difference at most {far[number].max():.1e}, mean {far[number].mean():.1e}"
        print(f"{folder}: {len(texts)} reviews, {differences}")
        print(f"    ms per review: median {middle:.1f}, mean {mean:.1f}; ready after {load:.0f} ms")


if __name__ == "__main__":
    main()
