"""What does a smaller table of WordPieces cost a finished student, and how small does its file become?

Each student is cut to its special tokens, all single characters and the pieces that are most frequent in its training
texts, and exported. All accuracies are of the LiteRT files, on the test texts, and each cut file is compared with the
whole one of the same number format, int8_pq with that of int8. With `--steps`, each cut student is then trained for
that many steps on its teacher's answers to the training texts, with the smaller table. Finished runs are not repeated.

    python benchmarks/vocabulary.py --students=runs/all/student,runs/all_43/student,runs/all_44/student \\
        --runs=runs/vocabulary_sizes
    python benchmarks/vocabulary.py --students=… --runs=runs/vocabulary_sizes --sizes=9600,8000 --steps=900
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from product import run_stage

from tinybert_tf.data.tasks import load_task
from tinybert_tf.tflite import TextClassifier
from tinybert_tf.tflite.archive import read_files
from tinybert_tf.tflite.tokenizer import bert_tokenizer, tokenizer_rules

FILES = {"int8": "student.tflite", "int8_pq": "student_int8_pq.tflite", "int4": "student_int4.tflite"}
WHOLE = 0  # stands for the whole table among the numbers of pieces


def exported(student: Path, size: int, options: argparse.Namespace) -> Path:
    """Returns the folder of a student's files with this number of pieces; runs what has not been run."""
    name, log = "-".join(student.parts[-2:]), options.runs / "log.txt"
    name, model = f"{name}-{size or 'whole'}", student
    if size != WHOLE:
        model = options.runs / name
        run_stage("vocabulary", model, f"--model={student}", f"--vocabulary_size={size}", log=log)
        if options.steps:
            name = f"{name}-{options.steps}-{options.learning_rate}-{options.seed}"
            given = (f"--student={model}", f"--teacher_predictions={teachers_answers(student, options.runs)}")
            given += ("--phase=prediction", "--prediction_epochs=100", f"--prediction_max_steps={options.steps}")
            given += (f"--prediction_learning_rate={options.learning_rate}", f"--seed={options.seed}")
            model = options.runs / name
            run_stage("task", model, "--task=movie_reviews", *given, log=log)
    folder = options.runs / f"export-{name}"
    run_stage("export", folder, f"--model={model}", f"--variants={','.join(FILES)}", log=log)
    return folder


def teachers_answers(student: Path, runs: Path) -> Path:
    """Returns a file of what the student's teacher answers to the training texts."""
    texts, file = runs / "texts.jsonl", runs / f"answers-{student.parent.name}.jsonl"
    if not file.exists():
        lines = (json.dumps({"text": text}) + "\n" for text in load_task("movie_reviews").split("train").texts)
        texts.write_text("".join(lines), encoding="utf-8")
        command = (sys.executable, "-m", "tinybert_tf.main", "--stage=predict", f"--model={student.parent / 'teacher'}")
        done = subprocess.run((*command, f"--input_file={texts}"), check=True, stdout=subprocess.PIPE)
        file.write_bytes(done.stdout)
    return file


def words_of(file: Path, texts: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Yields the pieces of each word of the texts, as an exported student cuts it."""
    vocabulary, info = read_files(file)
    for row in bert_tokenizer(vocabulary, **tokenizer_rules(info)).encode_batch(list(texts), add_special_tokens=False):
        pieces = {}
        for word, piece in zip(row.word_ids, row.tokens):
            pieces.setdefault(word, []).append(piece)
        yield from map(tuple, pieces.values())


def respelt(file: Path, whole: Path, texts: Sequence[str]) -> str:
    """Returns the share of the words that a smaller table cuts otherwise, and of those that only it does not know."""
    pairs = list(zip(words_of(file, texts), words_of(whole, texts), strict=True))
    changed = sum(ours != theirs for ours, theirs in pairs)
    unknown = sum("[UNK]" in ours and "[UNK]" not in theirs for ours, theirs in pairs)
    return f"{100 * changed / len(pairs):.2f} % | {unknown}"


def cells(right: np.ndarray, whole_right: np.ndarray, same: np.ndarray) -> str:
    """Returns accuracy, difference to the whole table with its 95 % interval, and share of the same answers.

    Args:
        right: Whether each answer is right, bool `[students, texts]`.
        whole_right: The same of the files with the whole table.
        same: Whether each answer is that of the whole table.
    """
    lost = right.mean(axis=0) - whole_right.mean(axis=0)  # per text, the students' mean: texts are the sample
    interval = 1.96 * lost.std(ddof=1) / np.sqrt(len(lost))
    return f"{100 * right.mean():.2f} | {100 * lost.mean():+.2f} ± {100 * interval:.2f} | {100 * same.mean():.2f} %"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--students", default="runs/all/student", help="students of --stage=all, comma-separated")
    parser.add_argument("--sizes", default="16000,12000,8000", help="numbers of pieces, comma-separated; may be empty")
    parser.add_argument("--runs", type=Path, default=Path("runs/vocabulary_sizes"), help="folder for all runs")
    parser.add_argument("--steps", type=int, default=0, help="steps of a cut student on its teacher's answers")
    parser.add_argument("--learning_rate", default="1e-4", help="learning rate of --steps")
    parser.add_argument("--seed", default="42", help="seed of --steps")
    options = parser.parse_args()
    options.runs.mkdir(parents=True, exist_ok=True)
    students = [Path(name) for name in options.students.split(",")]
    sizes = [WHOLE, *map(int, filter(None, options.sizes.split(",")))]
    folders = {size: [exported(student, size, options) for student in students] for size in sizes}
    task = load_task("movie_reviews")
    test = task.split("test")
    print("| file | pieces | MB | accuracy | difference | same answer | words cut otherwise | newly unknown |")
    print("| --- " * 8 + "|")
    by_student = []
    for number_format, name in FILES.items():
        if number_format != "int8_pq":
            whole = None
        for size in sizes:
            files = [folder / name for folder in folders[size]]
            # The labels of the task are in the order of its class numbers, and so are the students'.
            answers = np.array([TextClassifier(file).predict(test.texts).argmax(axis=1) for file in files])
            right = answers == test.labels
            whole = answers if whole is None else whole
            found = cells(right, whole == test.labels, answers == whole)
            pieces, megabytes = len(read_files(files[0])[0]), files[0].stat().st_size / 1e6
            words = respelt(files[0], folders[WHOLE][0] / name, test.texts)
            print(f"| {number_format} | {pieces:,} | {megabytes:.2f} | {found} | {words} |", flush=True)
            each = ", ".join(f"{100 * accuracy:.2f}" for accuracy in right.mean(axis=1))
            by_student.append(f"{number_format}, {pieces:,} pieces, each student: {each}")
    print("\n".join(by_student))


if __name__ == "__main__":
    main()
