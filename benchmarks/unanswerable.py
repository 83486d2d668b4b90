"""Makes training questions of SQuAD 2.0 out of those of 1.1: some are asked again of a paragraph that lacks the answer.

Each of these gets the paragraph of its article whose words are most like the question's (TF-IDF) among those without
any of its right answers. Half as many are added as there are questions, so that a third has no answer, as in the
training file of SQuAD 2.0.

    python benchmarks/unanswerable.py --train_file=train-part-11877.json --output=train-unanswerable.json
"""

import argparse
import json
import random
from pathlib import Path

from sklearn.feature_extraction.text import TfidfVectorizer


def lacking(question: dict, paragraphs: list[str], likeness) -> int | None:
    """Returns the paragraph most like a question among those that hold none of its answers, ignoring case."""
    answers = [answer["text"].casefold() for answer in question["answers"]]
    for place in likeness.argsort(kind="stable")[::-1]:
        if not any(answer in paragraphs[place].casefold() for answer in answers):
            return int(place)
    return None


def add_unanswerable(article: dict, share: float, rng: random.Random) -> int:
    """Adds questions without an answer to the paragraphs of an article; returns how many."""
    paragraphs = [paragraph["context"] for paragraph in article["paragraphs"]]
    questions = [question for paragraph in article["paragraphs"] for question in paragraph["qas"]]
    for question in questions:
        question["is_impossible"] = False
    chosen = rng.sample(questions, round(share * len(questions)))
    vectors = TfidfVectorizer(sublinear_tf=True, stop_words="english")
    rows = vectors.fit_transform(paragraphs)
    likeness = (vectors.transform([question["question"] for question in chosen]) @ rows.T).toarray()
    added = 0
    for question, row in zip(chosen, likeness):
        place = lacking(question, paragraphs, row)
        if place is not None:
            other = {"question": question["question"], "id": f"{question['id']}-elsewhere", "answers": []}
            article["paragraphs"][place]["qas"].append(other | {"is_impossible": True})
            added += 1
    return added


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train_file", type=Path, required=True, help="questions in SQuAD's 1.1 format")
    parser.add_argument("--output", type=Path, required=True, help="file in SQuAD's 2.0 format to write")
    parser.add_argument("--share", type=float, default=0.5, help="share of the questions that are asked again")
    parser.add_argument("--seed", type=int, default=42)
    options = parser.parse_args()
    content = json.loads(options.train_file.read_text(encoding="utf-8"))
    rng = random.Random(options.seed)
    added = sum(add_unanswerable(article, options.share, rng) for article in content["data"])
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(content | {"version": "v2.0"}), encoding="utf-8")
    print(f"Added {added:,} questions without an answer: {options.output}")


if __name__ == "__main__":
    main()
