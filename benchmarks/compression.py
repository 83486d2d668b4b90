"""What does learning under quantization or pruning gain over converting the student as it is?

Each row starts from one finished student, learns the teacher's logits for 300 more steps with the flags in its name,
and is exported. Sizes are those of the files, plain and after gzip, because app stores compress downloads. Latency is
measured with 32 tokens in one thread; the files take turns. Finished runs are not repeated.

    python benchmarks/compression.py --student=runs/task --teacher=runs/finetune --runs=runs/compression
"""

import argparse
import gzip
import json
import statistics
import time
from pathlib import Path

import numpy as np
from product import run_stage

STEPS, TOKENS, ROUNDS = 300, 32, 5
ROWS = {  # title: flags of the training, variant of the file
    "as it is": (None, "int8"),
    "300 steps more": ((), "int8"),
    "--quantize=int8": (("--quantize=int8",), "int8"),
    "--sparsity=0.5": (("--sparsity=0.5",), "int8"),
    "--sparsity=0.5 --quantize=int8": (("--sparsity=0.5", "--quantize=int8"), "int8"),
    "--sparsity=0.8 --quantize=int8": (("--sparsity=0.8", "--quantize=int8"), "int8"),
    "as it is, int4 table": (None, "int4"),
    "300 steps more, int4 table": ((), "int4"),
    "--quantize=int4": (("--quantize=int4",), "int4"),
}


def milliseconds(files: list[Path]) -> list[float]:
    """Returns the median time of a run of each file; the files take turns."""
    from ai_edge_litert.interpreter import Interpreter

    ids = np.arange(2000, 2000 + TOKENS, dtype=np.int32)[None]
    inputs = {"token_ids": ids, "segment_ids": np.zeros_like(ids), "padding_mask": np.ones_like(ids)}
    runners = [Interpreter(str(file), num_threads=1).get_signature_runner() for file in files]
    times = [[] for _ in files]
    for _ in range(ROUNDS):
        for run, own in zip(runners, times):
            run(**inputs)
            for _ in range(50):
                start = time.perf_counter()
                run(**inputs)
                own.append(1e3 * (time.perf_counter() - start))
    return [statistics.median(own) for own in times]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--student", type=Path, default=Path("runs/task"), help="a run of --stage=task")
    parser.add_argument("--teacher", type=Path, default=Path("runs/finetune"), help="its teacher")
    parser.add_argument("--runs", type=Path, default=Path("runs/compression"), help="folder for all runs")
    options = parser.parse_args()
    options.runs.mkdir(parents=True, exist_ok=True)
    log = options.runs / "log.txt"
    steps = (f"--prediction_max_steps={STEPS}", "--eval_steps=100", "--save_steps=100")
    files, found = [], []
    for flags, variant in ROWS.values():
        student = options.student
        if flags is not None:
            name = "-".join(flag.strip("-").replace("=", "") for flag in flags) or "control"
            student = options.runs / name
            start = ("--phase=prediction", "--head_init=own", f"--student={options.student}")
            data = ("--task=movie_reviews", f"--teacher={options.teacher}")
            run_stage("task", student, *data, *start, *steps, *flags, log=log)
        folder = options.runs / f"export-{student.name}-{variant}"
        run_stage("export", folder, f"--model={student}", f"--variants={variant}", log=log)
        files.append(folder / "student.tflite")
        found.append(json.loads((folder / "parity.json").read_text()))
    print("| learning | Keras | file | same answer | mean difference | MB | gzip, MB | ms |\n" + "| --- " * 8 + "|")
    for title, file, row, duration in zip(ROWS, files, found, milliseconds(files)):
        own = row["files"][file.name]
        accuracies = [100 * values["metrics"]["accuracy"] for values in (row["keras"], own)]
        cells = [f"{accuracies[0]:.2f}", f"{accuracies[1]:.2f}", f"{100 * own['agreement']:.2f} %"]
        sizes = [own["size_bytes"] / 1e6, len(gzip.compress(file.read_bytes())) / 1e6]
        cells += [f"{own['mean_difference']:.4f}", *(f"{size:.2f}" for size in sizes), f"{duration:.2f}"]
        print(f"| {title} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
