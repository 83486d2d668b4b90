"""What do more layers buy? Students of several shapes, cut from one teacher, after the same number of joint steps.

Finished runs are not repeated, and interrupted ones resume.

    python benchmarks/shapes.py --teacher=runs/all/teacher
"""

import argparse
import json
from pathlib import Path

from product import run_stage

SHAPES = "tinybert_2l_312,tinybert_4l_312,tinybert_6l_312"


def results_of(folder: Path) -> dict:
    return json.loads((folder / "run.json").read_text(encoding="utf-8"))["results"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--teacher", required=True)
    parser.add_argument("--shapes", default=SHAPES)
    parser.add_argument("--seed", default="42")
    parser.add_argument("--runs", type=Path, default=Path("runs/shapes"))
    options = parser.parse_args()
    options.runs.mkdir(parents=True, exist_ok=True)
    log, teacher = options.runs / "log.txt", f"--teacher={options.teacher}"

    lines = []
    for shape in options.shapes.split(","):
        student, evaluation, files = (
            options.runs / f"{shape}{ending}_{options.seed}" for ending in ("", "_evaluation", "_files")
        )
        given = ("--phase=joint", "--max_steps=900", f"--seed={options.seed}", f"--student={shape}")
        run_stage("task", student, "--task=movie_reviews", teacher, *given, log=log)
        data = ("--task=movie_reviews", f"--model={student}")
        run_stage("evaluate", evaluation, *data, teacher, "--split=test", "--litert=false", log=log)
        run_stage("export", files, *data, log=log)
        found = results_of(evaluation)
        test, file = found["splits"]["test"], results_of(files)["files"]["student.tflite"]
        ours, theirs = (test[key]["accuracy"] for key in ("metrics", "teacher_metrics"))
        lines.append(
            f"| {shape} | {100 * ours:.2f} | {100 * ours / theirs:.1f} % | {100 * test['agreement']:.1f} % "
            f"| {found['model']['parameters'] / 1e6:.1f} M | {found['model']['flops'] / 1e9:.2f} "
            f"| {100 * file['metrics']['accuracy']:.2f} | {file['size_bytes'] / 1e6:.1f} MB "
            f"| {file['milliseconds_a_text']:.2f} |"
        )
    titles = ("shape", "accuracy", "of the teacher's", "same answer", "parameters", "GFLOP per text")
    titles += ("accuracy, int8", "size, int8", "ms per text, int8")
    print(f"| {' | '.join(titles)} |\n{'| --- ' * len(titles)}|\n" + "\n".join(lines))


if __name__ == "__main__":
    main()
