"""How fast are questions answered, beside BERT-base?

LiteRT files in one run, one thread: BERT-base with a span head (random weights, which do not change the speed), the
teacher, and the student in float32 and int8. Each is timed at fixed numbers of tokens, and on dev questions from text
to answer, tokenizer and windows included. The files take turns, each time in a fresh process.

    python benchmarks/questions_latency.py --dev_file=dev-v1.1.json --runs=runs/questions
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from latency import load
from product import run_stage
from task_library import rows_of

LENGTHS = (128, 384)
ROUNDS, SECONDS = 3, 4.0
FILES = {
    "BERT-base, float32": "bert_base_export/student.tflite",
    "teacher, float32": "teacher_export/student.tflite",
    "student, float32": "student_export/student.tflite",
    "student, int8": "student_export/student_int8.tflite",
}


def build(runs: Path, folder: Path) -> None:
    """Exports the models that are not exported yet."""
    from tinybert_tf.configs import EncoderConfig
    from tinybert_tf.models import BertEncoder, BertQuestionAnswerer

    if not (base := folder / "bert_base").exists():
        tokenizer = BertQuestionAnswerer.from_preset(str(runs / "student"), new_head=False).tokenizer
        shape = EncoderConfig(12, 768, 12, 3072, vocabulary_size=len(tokenizer.vocabulary), activation="gelu")
        BertQuestionAnswerer(BertEncoder.from_shape(shape, tokenizer=tokenizer)).save_to_preset(base)
    for name, model in (("bert_base", base), ("teacher", runs / "teacher/model"), ("student", runs / "student/model")):
        variants = "float32,int8" if name == "student" else "float32"
        export = folder / f"{name}_export"  # a folder without run.json names no dev set, which export would answer
        run_stage("export", export, f"--model={model}", f"--variants={variants}", log=folder / "log.txt")


def milliseconds(run, arguments: list[tuple]) -> float:
    """Returns the median over calls with these arguments: whole passes over them, for some seconds and five calls."""
    run(*arguments[0])
    times, start = [], time.perf_counter()
    while len(times) < 5 or time.perf_counter() - start < SECONDS:
        for values in arguments:
            before = time.perf_counter()
            run(*values)
            times.append(time.perf_counter() - before)
    return 1e3 * statistics.median(times)


def measure(file: Path, dev_file: Path) -> list[float]:
    """Returns the milliseconds of a forward pass at each length, and of a question."""
    from tinybert_tf.tflite import QuestionAnswerer

    run = load(file)
    found = [milliseconds(run, [(list(range(2000, 2000 + length)),)]) for length in LENGTHS]
    asked = [(row["question"], row["context"]) for row in rows_of(dev_file, 10_570)[::500]]
    return [*found, milliseconds(QuestionAnswerer(file), asked)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dev_file", type=Path, required=True)
    parser.add_argument("--runs", type=Path, default=Path("runs/questions"), help="what benchmarks/questions.py made")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure, options.dev_file)))
        return
    folder = options.runs / "latency"
    folder.mkdir(exist_ok=True)
    build(options.runs, folder)
    found = {name: [] for name in FILES}
    for turn in range(ROUNDS):
        for name, file in FILES.items():
            print(f"round {turn + 1} of {ROUNDS}: {name}", file=sys.stderr)
            command = [sys.executable, __file__, f"--dev_file={options.dev_file}", f"--measure={folder / file}"]
            done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
            found[name].append(json.loads(done.stdout.splitlines()[-1]))
    middle = {name: np.median(rounds, axis=0) for name, rounds in found.items()}
    (base, *_), columns = middle.values(), [f"{length} tokens" for length in LENGTHS]
    print(f"| one thread, ms | {' | '.join(columns)} | a dev question | times as fast as BERT-base |")
    print("| --- | --- | --- | --- | --- |")
    for name, values in middle.items():
        cells = [
            f"{value:.3g} ({min(rounds):.3g} to {max(rounds):.3g})" for value, rounds in zip(values, zip(*found[name]))
        ]
        print(f"| {name} | {' | '.join(cells)} | {', '.join(f'{ratio:.1f}' for ratio in base / values)} |")


if __name__ == "__main__":
    main()
