"""How much of its teacher does a student keep on SQuAD, and how much of the student do its files keep?

The teacher is fine-tuned on the training questions, the student is cut out of it and learns from it, and everything is
measured on all dev questions. Finished runs are not repeated, and interrupted ones resume.

    python benchmarks/questions.py --train_file=train-part-11877.json --dev_file=dev-v1.1.json --runs=runs/questions

SQuAD 2.0, with the file that benchmarks/unanswerable.py makes; each model has the threshold that is best on dev:

    python benchmarks/questions.py --task=squad_v2 --train_file=train-unanswerable.json --dev_file=dev-v2.0-half.json \
        --runs=runs/questions_v2
"""

import argparse
import json
from pathlib import Path

from product import run_stage

METRICS = {"exact_match": "exact match", "f1": "F1"}
GROUPS = {"has_answer_f1": "F1 where there is an answer", "no_answer_f1": "where there is none"}


def results_of(folder: Path) -> dict:
    return json.loads((folder / "run.json").read_text(encoding="utf-8"))["results"]


def row(name: str, metrics: dict, teacher: dict, size_bytes: int) -> str:
    kept = "" if metrics is teacher else f"{100 * metrics['f1'] / teacher['f1']:.1f} %"
    values = [f"{100 * metrics[key]:.2f}" if key in metrics else "" for key in columns(teacher)]
    return f"| {' | '.join([name, *values, kept, f'{size_bytes / 1e6:.1f} MB'])} |"


def columns(metrics: dict) -> dict[str, str]:
    return METRICS | {key: title for key, title in GROUPS.items() if key in metrics}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", default="squad", choices=("squad", "squad_v2"))
    parser.add_argument("--train_file", required=True)
    parser.add_argument("--dev_file", required=True)
    parser.add_argument("--model", default="minilm_l6", help="what the teacher is fine-tuned from")
    parser.add_argument("--student", default="tinybert_4l_312")
    parser.add_argument("--seed", default="42")
    parser.add_argument("--dtype_policy", default="float32", help="mixed_bfloat16 where the processor has it")
    parser.add_argument("--runs", type=Path, default=Path("runs/questions"))
    options = parser.parse_args()
    options.runs.mkdir(parents=True, exist_ok=True)
    log = options.runs / "log.txt"
    dev = (f"--task={options.task}", f"--dev_file={options.dev_file}")
    data = (
        *dev,
        f"--train_file={options.train_file}",
        f"--seed={options.seed}",
        f"--dtype_policy={options.dtype_policy}",
    )
    teacher, student, evaluation, files = (
        options.runs / name for name in ("teacher", "student", "evaluation", "export")
    )

    run_stage("finetune", teacher, *data, f"--model={options.model}", log=log)
    run_stage("task", student, *data, f"--teacher={teacher}", f"--student={options.student}", log=log)
    run_stage("evaluate", evaluation, *dev, f"--model={student}", f"--teacher={teacher}", log=log)
    run_stage("export", files, *dev, f"--model={student}", "--variants=int8", log=log)

    found = results_of(evaluation)
    (split,) = found["splits"].values()
    ours, theirs = (split[f"{who}metrics"] | split[f"{who}by_group"] for who in ("", "teacher_"))
    titles = [f"{split['examples']:,} dev questions", *columns(theirs).values(), "of the teacher's F1", "size"]
    print(f"| {' | '.join(titles)} |\n|{' --- |' * len(titles)}")
    print(row(f"teacher: {options.model}", theirs, theirs, found["teacher"]["size_bytes"]))
    print(row(f"student: {options.student}", ours, theirs, found["model"]["size_bytes"]))
    for name, values in results_of(files)["files"].items():
        print(row(name, values["metrics"], theirs, values["size_bytes"]))
    low, high = (100 * value for value in split["difference_intervals"]["f1"])
    print(f"\nThe student's F1 less the teacher's, 95 % interval: {low:+.2f} to {high:+.2f} points.")
    print(f"The two give the same answer to {split['agreement']:.2%} of the questions.")


if __name__ == "__main__":
    main()
