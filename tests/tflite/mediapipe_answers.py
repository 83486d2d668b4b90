"""What MediaPipe's TextClassifier says: `mediapipe_answers.py MODEL`, texts as a JSON list on standard input.

Runs in a process of its own: MediaPipe and tensorflow-model-optimization want different versions of absl-py. Without
half a gigabyte of MediaPipe's requirements: its package imports them for pictures and sound, which texts do not use.
"""

import json
import sys
from unittest import mock

for name in ("cv2", "matplotlib", "matplotlib.pyplot", "sounddevice"):
    sys.modules[name] = mock.MagicMock()
sys.modules["tensorflow"] = None  # MediaPipe does without where there is none: seconds

from mediapipe.tasks.python import BaseOptions, text  # noqa: E402


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
