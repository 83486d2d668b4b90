"""How much labelled text does it take, and how long should a teacher learn from little?

The first texts of movie_reviews' training split, drawn with a fixed seed, as a user's CSV file, with a tenth as many
dev texts as training texts (at least 50); the test split is whole. Teachers (MiniLM-L6) and students learn with the
defaults, but for --min_steps. Finished runs are not repeated, and interrupted ones resume.

    python benchmarks/small_data.py --texts=100,300,1000 --min_steps=1,300
"""

import argparse
import csv
import json
import random
from pathlib import Path

from product import run_stage

from tinybert_tf.data.tasks import load_task


def write(folder: Path, number: int) -> tuple[str, ...]:
    """Writes train.csv, dev.csv and test.csv; returns the flags that name them."""
    splits = load_task("movie_reviews").splits
    rows = {name: list(zip(splits[name].texts, splits[name].labels, strict=True)) for name in ("train", "dev", "test")}
    for name in ("train", "dev"):
        random.Random(0).shuffle(rows[name])
    rows["train"], rows["dev"] = rows["train"][:number], rows["dev"][: max(50, number // 10)]
    folder.mkdir(parents=True, exist_ok=True)
    for name, chosen in rows.items():
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as stream:
            named = [(text, "positive" if label else "negative") for text, label in chosen]
            csv.writer(stream).writerows([("text", "label"), *named])
    return tuple(f"--{name}_file={folder / name}.csv" for name in rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", default="100,300,1000", help="numbers of training texts")
    parser.add_argument("--min_steps", default="1,300", help="of teachers and students")
    parser.add_argument("--seeds", default="42")
    parser.add_argument("--dtype_policy", default="float32")
    parser.add_argument("--runs", type=Path, default=Path("runs/small_data"))
    options = parser.parse_args()
    print("| texts | --min_steps | seed | steps | TF-IDF | teacher | student | kept |\n" + "| --- " * 8 + "|")
    for number in map(int, options.texts.split(",")):
        data = (*write(options.runs / f"{number}", number), "--sequence_length=64")
        for least in options.min_steps.split(","):
            for seed in options.seeds.split(","):
                print(row(number, least, seed, data, options), flush=True)


def row(number: int, least: str, seed: str, data: tuple[str, ...], options: argparse.Namespace) -> str:
    log = options.runs / "log.txt"
    teacher, student = (options.runs / f"{name}_{number}_{least}_{seed}" for name in ("teacher", "student"))
    evaluation = student.with_name(f"{student.name}_evaluation")
    learning = (f"--min_steps={least}", f"--seed={seed}", f"--dtype_policy={options.dtype_policy}")
    run_stage("finetune", teacher, *data, *learning, log=log)
    new = (f"--teacher={teacher}", "--student=tinybert_4l_312", f"--layer_cache={options.runs / 'layers'}")
    run_stage("task", student, *data, *new, *learning, log=log)
    models = (f"--model={student}", f"--teacher={teacher}")
    run_stage("evaluate", evaluation, *data, *models, "--litert=false", log=log)
    found = json.loads((evaluation / "run.json").read_text(encoding="utf-8"))["results"]["splits"]["test"]
    ours, theirs = (100 * found[key]["accuracy"] for key in ("metrics", "teacher_metrics"))
    simple = 100 * found["baselines"]["tfidf"]["metrics"]["accuracy"]
    steps = (json.loads((run / "run.json").read_text())["results"]["steps"] for run in (teacher, student))
    return (
        f"| {number:,} | {least} | {seed} | {', '.join(map(str, steps))} | {simple:.1f} | {theirs:.1f} | {ours:.1f} "
        f"| {100 * ours / theirs:.1f} % |"
    )


if __name__ == "__main__":
    main()
