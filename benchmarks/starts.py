"""What does each start of a student buy: random weights, an SVD of the embeddings, or closed form?

Each start learns from unlabelled text for 0, 300 and 2,000 steps of general distillation, and then from the task's
teacher for 900 steps of 32 texts: jointly, or in two phases where the layers are random. The rate
of general distillation is 3e-3 for random layers and 1e-3 for those of the closed form. `--seed` is that of the
task's students; general distillation has seed 42. Finished runs are not repeated, and interrupted ones resume.

    python benchmarks/starts.py --teachers=movie_reviews=runs/all/teacher --plot=docs/images/starts.png
"""

import argparse
import json
from pathlib import Path

from product import run_stage

CORPUS = "wiki_openings,movie_reviews"  # without the texts that their tasks evaluate on
RATES = {"random": "3e-3", "svd": "3e-3", "teacher": "1e-3"}
NAMES = {"random": "random weights", "svd": "SVD of the embeddings", "teacher": "closed form"}
COLOURS = {"random": "#888888", "svd": "#c05621", "teacher": "#2b6cb0"}
STUDENT = "tinybert_4l_312"
TWO_PHASES = ("--phase=two", "--max_steps=600", "--prediction_max_steps=300")


def lines_of(file: Path) -> list[dict]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def general(start: str, steps: int, options: argparse.Namespace) -> Path:
    """Runs general distillation from a start; returns its folder."""
    folder = options.runs / f"{start}_{steps}"
    given = (f"--student_init={start}", f"--learning_rate={RATES[start]}", f"--max_steps={steps}", f"--corpus={CORPUS}")
    run_stage("general", folder, *given, f"--dtype_policy={options.dtype_policy}", log=options.runs / "log.txt")
    return folder


def student(task: str, teacher: str, start: str, steps: int, options: argparse.Namespace) -> Path:
    """Distils a task's teacher into a student that starts so, and evaluates it; returns the evaluation's folder."""
    folder, log = options.runs / f"{task}_{start}_{steps}_{options.seed}", options.runs / "log.txt"
    evaluation = folder.with_name(f"{folder.name}_evaluation")
    models = (f"--task={task}", f"--teacher={teacher}")
    given = (
        (f"--student={general(start, steps, options)}",)
        if steps
        else (f"--student={STUDENT}", f"--student_init={start}")
    )
    given += TWO_PHASES if start != "teacher" and not steps else ("--phase=joint", "--max_steps=900")
    given += (
        f"--seed={options.seed}",
        f"--dtype_policy={options.dtype_policy}",
        f"--layer_cache={options.runs / 'layers'}",
    )
    run_stage("task", folder, *models, *given, log=log)
    run_stage("evaluate", evaluation, *models, f"--model={folder}", "--litert=false", log=log)
    return evaluation


def row(task: str, start: str, steps: int, evaluation: Path) -> str:
    found = json.loads((evaluation / "run.json").read_text(encoding="utf-8"))["results"]["splits"]["test"]
    ours, theirs = (100 * found[key]["accuracy"] for key in ("metrics", "teacher_metrics"))
    low, high = (100 * end for end in found["difference_intervals"]["accuracy"])
    return (
        f"| {task} | {NAMES[start]} | {steps:,} | {ours:.2f} | {100 * ours / theirs:.1f} % | {ours - theirs:+.2f} "
        f"({low:+.2f} to {high:+.2f}) | {100 * found['agreement']:.1f} % |"
    )


def plot(runs: dict[str, Path], file: Path) -> None:
    """Draws the held-out losses of general distillation by step."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
    for start, folder in runs.items():
        found = [line for line in lines_of(folder / "metrics.jsonl") if "held_out/loss" in line]
        for axis, name in zip(axes, ("attention_loss", "hidden_loss"), strict=True):
            steps, losses = zip(*((line["step"], line[f"held_out/{name}"]) for line in found), strict=True)
            axis.plot(steps, losses, "o-", color=COLOURS[start], markersize=3, label=NAMES[start])
            axis.set(yscale="log", xlabel="step of general distillation", title=f"Held-out {name.replace('_', ' ')}")
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(axis="y", which="both", alpha=0.2)
    axes[0].legend(frameon=False, fontsize=9)
    figure.savefig(file, dpi=130)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--teachers", default="", help="tasks and their fine-tuned teachers: TASK=FOLDER,…")
    parser.add_argument("--starts", default=",".join(RATES))
    parser.add_argument("--steps", default="0,300,2000", help="of general distillation")
    parser.add_argument("--seed", default="42")
    parser.add_argument("--dtype_policy", default="float32", help="mixed_bfloat16 where the processor has it")
    parser.add_argument("--runs", type=Path, default=Path("runs/starts"))
    parser.add_argument("--plot", type=Path, help="PNG file to draw the losses in")
    options = parser.parse_args()
    if options.plot and options.steps == "0":
        parser.error("--plot needs --steps of general distillation")
    options.runs.mkdir(parents=True, exist_ok=True)
    starts, steps = options.starts.split(","), [int(number) for number in options.steps.split(",")]
    print("| start | steps | attention | hidden | embedding | loss |\n| --- | --- | --- | --- | --- | --- |")
    for start in starts:
        for number in filter(None, steps):
            found = lines_of(general(start, number, options) / "metrics.jsonl")
            last = [line for line in found if "held_out/loss" in line][-1]
            losses = (last[f"held_out/{name}"] for name in ("attention_loss", "hidden_loss", "embedding_loss", "loss"))
            print(f"| {NAMES[start]} | {number:,} | " + " | ".join(f"{loss:.3f}" for loss in losses) + " |", flush=True)
    if options.plot:
        plot({start: options.runs / f"{start}_{max(steps)}" for start in starts}, options.plot)
    print("\n| task | start | steps | accuracy | kept | difference | same answer |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for task, teacher in (pair.split("=", 1) for pair in filter(None, options.teachers.split(","))):
        for number in steps:
            for start in starts:
                print(row(task, start, number, student(task, teacher, start, number, options)), flush=True)


if __name__ == "__main__":
    main()
