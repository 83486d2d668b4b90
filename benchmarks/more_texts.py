"""What do unlabelled texts, augmented texts and mixtures of texts buy, in the same number of steps?

Students are cut from finished teachers (`--stage=all --seed=N --output_dir=runs/all_N`) and take the main job's 900
joint steps: as they are; with sentences of film reviews that nobody has labelled; with variants of the training texts
(`--stage=augment`, with MiniLM-L6 as masked LM; all seeds share them); with mixtures (MixKD). Finished runs are not
repeated, and interrupted ones resume.

    python benchmarks/more_texts.py --reviews=imdb_unlabelled.txt.gz --teachers=runs/all_42,runs/all_43,runs/all_44
"""

import argparse
import gzip
import json
import random
import re
from pathlib import Path

import numpy as np
from product import run_stage

WORDS = range(5, 41)  # of a sentence; the task's reviews are single sentences too


def sentences(file: Path, number: int) -> list[str]:
    """Returns this many sentences, drawn at random from a file of reviews, without repeats."""
    with gzip.open(file, "rt", encoding="utf-8") as stream:
        found = re.split(r"(?<=[.!?])\s+", stream.read())
    found = sorted({" ".join(text.split()) for text in found if len(text.split()) in WORDS})
    return random.Random(0).sample(found, min(number, len(found)))


def augmented(folder: str, runs: Path, log: Path) -> Path:
    """Returns a run that holds variants of the training texts, made as `--stage=all --augment` makes them.

    `folder`, a run of `--stage=all`, names the texts that the masked LM must not read; its teacher counts flips.
    """
    masked_lm, variants, without = runs / "masked_lm", runs / "augment", f"--without={folder}/evaluation_texts.txt"
    run_stage("masked_lm", masked_lm, "--max_steps=400", without, log=log)
    given = (f"--masked_lm={masked_lm}", f"--teacher={folder}/teacher")
    run_stage("augment", variants, "--task=movie_reviews", *given, log=log)
    return variants


def answers(evaluation: Path) -> np.ndarray:
    """Returns whether each answer to the test texts is right, the teacher's, and whether the two are the same."""
    lines = (evaluation / "predictions.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [(row["prediction"], row["label"], row["teacher"]) for row in map(json.loads, lines)]
    return np.array([(ours == label, theirs == label, ours == theirs) for ours, label, theirs in rows]).T


def difference(values: np.ndarray, others: np.ndarray) -> str:
    """Returns the difference of two means in points, with its 95 % interval: texts are the sample.

    Args:
        values: One per student and text, bool `[students, texts]`.
        others: The same of other students of the same teachers.
    """
    gained = values.mean(axis=0) - others.mean(axis=0)
    return f"{100 * gained.mean():+.2f} ± {196 * gained.std(ddof=1) / np.sqrt(len(gained)):.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reviews", type=Path, required=True, help="reviews without labels, gzip")
    parser.add_argument("--teachers", required=True, help="folders of --stage=all, comma-separated: seeds 42, 43, …")
    parser.add_argument("--sentences", type=int, default=30_000)
    parser.add_argument("--rows", default="unlabelled,augmented,mixup")
    parser.add_argument("--runs", type=Path, default=Path("runs/more_texts"))
    options = parser.parse_args()
    options.runs.mkdir(parents=True, exist_ok=True)
    log, texts = options.runs / "log.txt", options.runs / f"sentences_{options.sentences}.txt"
    if not texts.exists():
        texts.write_text("\n".join(sentences(options.reviews, options.sentences)) + "\n", encoding="utf-8")
    folders = options.teachers.split(",")
    flags = {"unlabelled": [f"--unlabeled_file={texts}"], "mixup": ["--mixup=0.5"]}
    if "augmented" in options.rows.split(","):
        flags["augmented"] = [f"--augmented={augmented(folders[0], options.runs, log)}"]

    found = {name: [] for name in ("neither", *options.rows.split(","))}
    for seed, folder in enumerate(map(Path, folders), 42):
        teacher = f"--teacher={folder / 'teacher'}"
        found["neither"].append(answers(folder / "evaluation"))
        for row in options.rows.split(","):
            student, evaluation = options.runs / f"{row}_{seed}", options.runs / f"{row}_{seed}_evaluation"
            given = ("--task=movie_reviews", teacher, "--student=tinybert_4l_312", "--phase=joint", f"--seed={seed}")
            run_stage("task", student, *given, "--max_steps=900", *flags[row], log=log)
            data = ("--task=movie_reviews", "--split=test", "--litert=false")
            run_stage("evaluate", evaluation, *data, f"--model={student}", teacher, log=log)
            found[row].append(answers(evaluation))
    found = {name: np.stack(values, axis=1) for name, values in found.items()}
    right, teachers, same = found["neither"]
    print("| | accuracy, by seed | mean | difference | the teacher's answer, by seed | mean | difference |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name, (ours, _, alike) in found.items():
        cells = [name]
        for values, others in ((ours, right), (alike, same)):
            cells.append(", ".join(f"{100 * value:.2f}" for value in values.mean(axis=1)))
            cells.append(f"{100 * values.mean():.2f}")
            cells.append("" if name == "neither" else difference(values, others))
        print(f"| {' | '.join(cells)} |")
    print(f"\nTeachers: {', '.join(f'{100 * value:.2f}' for value in teachers.mean(axis=1))}.")


if __name__ == "__main__":
    main()
