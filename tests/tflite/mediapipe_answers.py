"""What MediaPipe's TextClassifier says: `mediapipe_answers.py MODEL`, texts as a JSON list on standard input.

Runs in a process of its own: MediaPipe and tensorflow-model-optimization want different versions of absl-py.
"""

import json
import sys

from mediapipe.tasks.python import BaseOptions, text


def main(path):
    options = text.TextClassifierOptions(base_options=BaseOptions(model_asset_path=path))
    classifier = text.TextClassifier.create_from_options(options)
    answers = []
    for sentence in json.load(sys.stdin):
        (head,) = classifier.classify(sentence).classifications
        answers.append({category.category_name: category.score for category in head.categories})
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1])
