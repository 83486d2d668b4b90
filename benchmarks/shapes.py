"""How accurate, large and fast is each shape of student? All are cut from one teacher and take as many joint steps.

Where a student's heads are not the teacher's, relations (MiniLMv2) take the place of the attention scores. The files
are timed in one thread, in turns. Finished runs are not repeated, and interrupted ones resume.

    python benchmarks/shapes.py --teacher=runs/all/teacher
"""

import argparse
import json
import statistics
import time
from pathlib import Path

from product import run_stage

from tinybert_tf.configs import STUDENT_PRESETS
from tinybert_tf.data.tasks import load_task
from tinybert_tf.models import BertEncoder
from tinybert_tf.tflite import TextClassifier

SHAPES = "tinybert_2l_312,tinybert_4l_256_8h,tinybert_4l_312,tinybert_4l_384,tinybert_6l_312"
# With a weight of 1 the relation loss would be a hundred times as large as the others.
RELATIONS = ("--attention_weight=0", "--relation_weight=0.01")
ROUNDS, REVIEWS = 5, 300


def results_of(folder: Path) -> dict:
    return json.loads((folder / "run.json").read_text(encoding="utf-8"))["results"]


def losses(shape: str, heads: int) -> tuple[str, ...]:
    """Returns the flags of a shape's losses, for a teacher of this number of heads."""
    student = STUDENT_PRESETS[shape]
    if student.num_heads == heads:
        return ()
    relations = heads if student.hidden_dim % heads == 0 else student.num_heads  # a divisor of both widths
    return *RELATIONS, f"--relation_heads={relations}"


def milliseconds(files: dict[str, Path]) -> dict[str, float]:
    """Returns each file's median time per test review, from text to answer; the files take turns."""
    texts = load_task("movie_reviews").split("test").texts[:REVIEWS]
    classifiers = {name: TextClassifier(file) for name, file in files.items()}
    times = {name: [] for name in files}
    for _ in range(ROUNDS):
        for name, classify in classifiers.items():
            start = time.perf_counter()
            for text in texts:
                classify(text)
            times[name].append(1e3 * (time.perf_counter() - start) / len(texts))
    return {name: statistics.median(values) for name, values in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--teacher", required=True)
    parser.add_argument("--shapes", default=SHAPES)
    parser.add_argument("--seed", default="42")
    parser.add_argument("--runs", type=Path, default=Path("runs/shapes"))
    options = parser.parse_args()
    options.runs.mkdir(parents=True, exist_ok=True)
    log, teacher = options.runs / "log.txt", f"--teacher={options.teacher}"
    heads = BertEncoder.from_preset(options.teacher, load_weights=False).config.num_heads

    found, files = {}, {}
    for shape in options.shapes.split(","):
        student, evaluation, exported = (
            options.runs / f"{shape}{ending}_{options.seed}" for ending in ("", "_evaluation", "_files")
        )
        given = ("--phase=joint", "--max_steps=900", f"--seed={options.seed}", f"--student={shape}")
        given += losses(shape, heads)
        run_stage("task", student, "--task=movie_reviews", teacher, *given, log=log)
        data = ("--task=movie_reviews", f"--model={student}")
        run_stage("evaluate", evaluation, *data, teacher, "--split=test", "--litert=false", log=log)
        run_stage("export", exported, *data, log=log)
        found[shape] = results_of(evaluation), results_of(exported)["files"]["student.tflite"]
        files[shape] = exported / "student.tflite"
    times = milliseconds(files)

    titles = ("shape", "accuracy", "of the teacher's", "same answer", "parameters", "GFLOP per text")
    titles += ("accuracy, int8", "size, int8", "ms per review, int8")
    print(f"| {' | '.join(titles)} |\n{'| --- ' * len(titles)}|")
    for shape, (evaluation, file) in found.items():
        test = evaluation["splits"]["test"]
        ours, theirs = (test[key]["accuracy"] for key in ("metrics", "teacher_metrics"))
        print(
            f"| {shape} | {100 * ours:.2f} | {100 * ours / theirs:.1f} % | {100 * test['agreement']:.1f} % "
            f"| {evaluation['model']['parameters'] / 1e6:.1f} M | {evaluation['model']['flops'] / 1e9:.2f} "
            f"| {100 * file['metrics']['accuracy']:.2f} | {file['size_bytes'] / 1e6:.1f} MB | {times[shape]:.2f} |"
        )


if __name__ == "__main__":
    main()
