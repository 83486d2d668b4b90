"""The paper's experiment: how much of BERT-base does a student keep on GLUE's dev sets?

BERT-base (`benchmarks/bert_base.py` makes its folder) is fine-tuned for three passes; students are cut out of it in
closed form and take joint steps on the original texts. The teacher's layers on these are kept on disk. Finished runs
are not repeated, and interrupted ones resume.

    python benchmarks/glue.py --glue_dir=glue --model=bert_base --tasks=cola --runs=runs/glue
"""

import argparse
import json
from pathlib import Path

import numpy as np
from product import run_stage


def score(folder: Path) -> float:
    return json.loads((folder / "run.json").read_text(encoding="utf-8"))["results"]["dev"]["score"]


def first_score(folder: Path) -> float:
    """Returns the score on dev before the first step."""
    line = (folder / "joint" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()[0]
    return json.loads(line)["held_out/score"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--glue_dir", required=True)
    parser.add_argument("--model", default="bert_base", help="what the teachers are fine-tuned from")
    parser.add_argument("--tasks", default="cola")
    parser.add_argument("--seeds", default="42")
    parser.add_argument("--epochs", default="10", help="passes of the student over the originals")
    parser.add_argument("--learning_rate", default="3e-4")
    parser.add_argument("--runs", type=Path, default=Path("runs/glue"))
    options = parser.parse_args()
    options.runs.mkdir(parents=True, exist_ok=True)
    log, seeds = options.runs / "log.txt", options.seeds.split(",")
    print("| task | BERT-base | student, before its first step | student | kept | seeds |")
    print("| --- | --- | --- | --- | --- | --- |")
    for task in options.tasks.split(","):
        data, teacher = (f"--task={task}", f"--glue_dir={options.glue_dir}"), options.runs / f"{task}_teacher"
        run_stage("finetune", teacher, *data, f"--model={options.model}", "--eval_steps=200", log=log)
        students = []
        for seed in seeds:
            students.append(options.runs / f"{task}_{seed}")
            given = (f"--teacher={teacher}", "--student=tinybert_4l_312", "--phase=joint", f"--seed={seed}")
            given += (f"--epochs={options.epochs}", f"--learning_rate={options.learning_rate}", "--eval_steps=200")
            run_stage("task", students[-1], *data, *given, f"--layer_cache={options.runs / 'layers'}", log=log)
        before, after = (100 * np.array([found(folder) for folder in students]) for found in (first_score, score))
        theirs = 100 * score(teacher)
        each = "" if len(seeds) == 1 else f" ({', '.join(f'{value:.2f}' for value in after)})"
        kept = f"{100 * after.mean() / theirs:.1f} %"
        print(
            f"| {task} | {theirs:.2f} | {before.mean():.2f} | {after.mean():.2f}{each} | {kept} | {', '.join(seeds)} |"
        )


if __name__ == "__main__":
    main()
