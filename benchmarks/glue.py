"""The paper's experiment: how much of BERT-base does a student keep on GLUE's dev sets?

BERT-base (`benchmarks/bert_base.py` makes its folder) is fine-tuned; students are cut out of it in closed form and
take joint steps on the original texts; the teacher's layers on these are kept on disk, in 2 GB for MRPC and 8 for
SST-2. Finished runs are not repeated, and interrupted ones resume; other settings need another `--runs`.

    python benchmarks/glue.py --glue_dir=glue --model=bert_base --tasks=mrpc,rte --seeds=42,43,44 --runs=runs/glue
"""

import argparse
import json
from pathlib import Path

import numpy as np
from product import run_stage

# Steps of teacher and student where three passes of the one and --epochs of the other are too many for two cores.
STEPS = {"sst2": (1400, 6000)}
EVAL_STEPS = {"mrpc": 60, "rte": 60, "stsb": 100, "cola": 200, "sst2": 350}  # of the teacher; about a fifth of a run


def results_of(folder: Path) -> dict:
    return json.loads((folder / "run.json").read_text(encoding="utf-8"))["results"]


def before(folder: Path, metric: str) -> float:
    """Returns a metric on dev before the first step."""
    line = (folder / "joint" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()[0]
    return json.loads(line)[f"held_out/{metric}"]


def student_length(task: str, options: argparse.Namespace) -> tuple[str, ...]:
    """Returns the flags that say for how long a task's student learns."""
    steps = STEPS.get(task)
    more = (f"--max_steps={steps[1]}", "--eval_steps=500") if steps else ("--eval_steps=200",)
    return (f"--epochs={options.epochs}", *more)


def train(task: str, options: argparse.Namespace) -> list[Path]:
    """Runs a task's teacher, and a student and its evaluation per seed; returns the students' folders."""
    log, teacher = options.runs / "log.txt", options.runs / f"{task}_teacher"
    data = (f"--task={task}", f"--glue_dir={options.glue_dir}")
    common = (*data, f"--dtype_policy={options.dtype_policy}")
    steps = STEPS.get(task)
    length = (f"--max_steps={steps[0]}",) if steps else ()
    length += (f"--eval_steps={EVAL_STEPS.get(task, 1000)}",)
    run_stage("finetune", teacher, *common, f"--model={options.model}", *length, log=log)
    length = (*student_length(task, options), f"--layer_cache={options.runs / 'layers'}")
    students = []
    for seed in options.seeds.split(","):
        students.append(options.runs / f"{task}_{seed}")
        given = (f"--teacher={teacher}", "--student=tinybert_4l_312", "--phase=joint", f"--seed={seed}")
        given += (f"--learning_rate={options.learning_rate}",)
        run_stage("task", students[-1], *common, *given, *length, log=log)
        evaluation = options.runs / f"{task}_{seed}_evaluation"
        given = (f"--model={students[-1]}", f"--teacher={teacher}", "--split=dev", "--litert=false")
        run_stage("evaluate", evaluation, *data, *given, log=log)
    return students


def rows(task: str, students: list[Path]) -> tuple[list[str], float]:
    """Returns one line per metric: the teacher's, the students' before and after their steps, what is kept.

    The share that is kept of the last metric (F1, Spearman's correlation) is returned, too.
    """
    found = [results_of(folder.with_name(f"{folder.name}_evaluation"))["splits"]["dev"] for folder in students]
    lines, kept = [], 0.0
    for metric, theirs in found[0]["teacher_metrics"].items():
        ours = 100 * np.array([split["metrics"][metric] for split in found])
        each = "" if len(ours) == 1 else f" ({', '.join(f'{value:.2f}' for value in ours)})"
        start = 100 * np.mean([before(folder, metric) for folder in students])
        intervals = ([100 * end for end in split["difference_intervals"][metric]] for split in found)
        intervals = "; ".join(f"{low:+.1f} to {high:+.1f}" for low, high in intervals)
        kept = ours.mean() / theirs
        same = 100 * np.mean([split.get("agreement", np.nan) for split in found])
        lines.append(
            f"| {task}, {metric} | {100 * theirs:.2f} | {start:.2f} | {ours.mean():.2f}{each} | "
            f"{kept:.1f} % | {intervals} | {'' if np.isnan(same) else f'{same:.1f} %'} |"
        )
    return lines, kept


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--glue_dir", required=True)
    parser.add_argument("--model", default="bert_base", help="what the teachers are fine-tuned from")
    parser.add_argument("--tasks", default="cola")
    parser.add_argument("--seeds", default="42")
    parser.add_argument("--epochs", default="10", help="passes of the student over the originals")
    parser.add_argument("--learning_rate", default="3e-4")
    parser.add_argument("--dtype_policy", default="float32", help="mixed_bfloat16 where the processor has it")
    parser.add_argument("--runs", type=Path, default=Path("runs/glue"))
    options = parser.parse_args()
    options.runs.mkdir(parents=True, exist_ok=True)
    print("| task | BERT-base | student, before its first step | student | kept | difference by seed | same answer |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    kept = {}
    for task in options.tasks.split(","):
        lines, kept[task] = rows(task, train(task, options))
        print("\n".join(lines), flush=True)
    print(f"\nKept on average of {', '.join(kept)}: {np.mean([*kept.values()]):.1f} %")


if __name__ == "__main__":
    main()
