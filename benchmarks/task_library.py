"""Does the old Task Library answer questions with our file as our own runtime does?

Its last release, tflite-support 0.4.4, needs Python 3.11 at most and protobuf below 4, so it gets an environment of its
own, in which this script imports nothing else. The second command then compares.

    tinybert --stage=export --model=runs/student --fixed_length --variants=float32 --output_dir=runs/fixed
    old/bin/python benchmarks/task_library.py --model=runs/fixed/student.tflite --dev_file=dev.json --answers=found.json
    python benchmarks/task_library.py --model=runs/fixed/student.tflite --dev_file=dev.json --answers=found.json
"""

import argparse
import json
from importlib.util import find_spec
from pathlib import Path


def rows_of(file: Path, limit: int) -> list[dict]:
    """Returns the first questions of a file of SQuAD's JSON: id, question, context."""
    rows = [
        {"id": question["id"], "question": question["question"], "context": paragraph["context"]}
        for article in json.loads(file.read_text(encoding="utf-8"))["data"]
        for paragraph in article["paragraphs"]
        for question in paragraph["qas"]
    ]
    return rows[:limit]


def ask_the_task_library(options) -> None:
    from tflite_support.task import text

    answerer = text.BertQuestionAnswerer.create_from_file(str(options.model))
    found = {}
    for row in rows_of(options.dev_file, options.questions):
        answers = answerer.answer(row["context"], row["question"]).answers
        found[row["id"]] = answers[0].text if answers else ""
    options.answers.write_text(json.dumps(found), encoding="utf-8")


def compare(options) -> None:
    import numpy as np

    from tinybert_tf.data.question_files import read_questions
    from tinybert_tf.evaluation.squad import METRICS, normalized, scores
    from tinybert_tf.tflite import QuestionAnswerer

    theirs = json.loads(options.answers.read_text(encoding="utf-8"))
    ours, answerer = {}, QuestionAnswerer(options.model)
    for row in rows_of(options.dev_file, options.questions):
        ours[row["id"]] = answerer(row["question"], row["context"])["answer"]
    questions = read_questions(options.dev_file)
    questions = questions.take(np.arange(min(options.questions, len(questions))))
    print(f"| {len(ours):,} questions | exact match | F1 |\n| --- | --- | --- |")
    for name, found in (("QuestionAnswerer", ours), ("Task Library", theirs)):
        values = scores(questions, [found[key] for key in questions.ids])
        print(f"| {name} | " + " | ".join(f"{100 * values[metric].mean():.2f}" for metric in METRICS) + " |")
    same = np.mean([normalized(ours[key]) == normalized(theirs[key]) for key in ours])
    print(f"The same answer, normalized as SQuAD does: {100 * same:.1f} %.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True, help="a file that --fixed_length made")
    parser.add_argument("--dev_file", type=Path, required=True)
    parser.add_argument("--answers", type=Path, required=True, help="the Task Library's answers, written or read")
    parser.add_argument("--questions", type=int, default=500)
    options = parser.parse_args()
    (ask_the_task_library if find_spec("tflite_support") else compare)(options)


if __name__ == "__main__":
    main()
