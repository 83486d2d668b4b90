"""What is each part of the method worth? The paper's table of ablations, on the teachers of `glue.py`.

Each row leaves one part out of the student that `glue.py` distils, or changes one; its students are the row "all".
Without the prediction loss the head stays as it was cut out of the teacher. A random start learns in two phases, at
5e-4 and 3e-5. Finished runs are not repeated, and interrupted ones resume. Each set of losses and layers keeps a file
of the teacher's layers in `layers`: about 15 GB together for MRPC.

    python benchmarks/glue.py --glue_dir=glue --model=bert_base --tasks=mrpc --seeds=42,43,44 --epochs=6
    python benchmarks/glue_ablations.py --glue_dir=glue --tasks=mrpc --seeds=42,43,44 --epochs=6
"""

import argparse
from pathlib import Path

import numpy as np
from glue import results_of, student_length
from product import run_stage

NO_LAYERS = ("--attention_weight=0", "--hidden_weight=0")
ROWS = {
    "all": None,
    "no embedding loss": ("--embedding_weight=0",),
    "no attention loss": ("--attention_weight=0",),
    "no hidden loss": ("--hidden_weight=0",),
    "neither of the two": NO_LAYERS,
    "no prediction loss": ("--prediction_weight=0",),
    "prediction loss alone": ("--embedding_weight=0", *NO_LAYERS),
    "top layers": ("--layer_map=top",),
    "bottom layers": ("--layer_map=bottom",),
    "random start": ("--student_init=random", "--phase=two", "--learning_rate=5e-4"),
}


def metrics(task: str, row: str, seed: str, options: argparse.Namespace) -> dict[str, float]:
    """Returns a student's metrics on dev; it is distilled first where it is not there."""
    name = f"{task}_{seed}" if ROWS[row] is None else f"{task}_{row.replace(' ', '_')}_{seed}"
    student, evaluation = options.runs / name, options.runs / f"{name}_evaluation"
    data = (f"--task={task}", f"--glue_dir={options.glue_dir}")
    teacher, log = f"--teacher={options.runs / f'{task}_teacher'}", options.runs / "log.txt"
    if ROWS[row] is not None:
        given = ("--student=tinybert_4l_312", "--phase=joint", f"--seed={seed}", *student_length(task, options))
        given += (f"--learning_rate={options.learning_rate}", f"--dtype_policy={options.dtype_policy}", *ROWS[row])
        if row != "prediction loss alone":
            given += (f"--layer_cache={options.runs / 'layers'}",)
        run_stage("task", student, *data, teacher, *given, log=log)
        run_stage(
            "evaluate", evaluation, *data, teacher, f"--model={student}", "--split=dev", "--litert=false", log=log
        )
    return results_of(evaluation)["splits"]["dev"]["metrics"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--glue_dir", required=True)
    parser.add_argument("--tasks", default="mrpc")
    parser.add_argument("--seeds", default="42")
    parser.add_argument("--rows", default=",".join(ROWS))
    parser.add_argument("--epochs", default="10", help="as they were given to glue.py, like the next two")
    parser.add_argument("--learning_rate", default="3e-4")
    parser.add_argument("--dtype_policy", default="float32")
    parser.add_argument("--runs", type=Path, default=Path("runs/glue"), help="where glue.py has left its runs")
    options = parser.parse_args()
    rows = ["all", *(row for row in options.rows.split(",") if row != "all")]
    if unknown := set(rows) - {*ROWS}:
        parser.error(f"--rows: {', '.join(unknown)}; there are {', '.join(ROWS)}")
    print("| task | | metric | by seed | mean | difference to all |\n| --- | --- | --- | --- | --- | --- |")
    for task in options.tasks.split(","):
        whole = {}
        for row in rows:
            found = [metrics(task, row, seed, options) for seed in options.seeds.split(",")]
            for metric in found[0]:
                values = 100 * np.array([one[metric] for one in found])
                mean = whole.setdefault(metric, values.mean())
                each = ", ".join(f"{value:.2f}" for value in values)
                difference = "" if row == "all" else f"{values.mean() - mean:+.2f}"
                print(f"| {task} | {row} | {metric} | {each} | {values.mean():.2f} | {difference} |", flush=True)


if __name__ == "__main__":
    main()
