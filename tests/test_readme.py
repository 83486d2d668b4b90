"""The README's Python examples run as they stand."""

import dataclasses
import re
from pathlib import Path

import keras
import numpy as np
import pytest

README = Path(__file__).parents[1] / "README.md"


def test_the_short_python_example_runs(tmp_path, monkeypatch, make_encoder):
    from tinybert_tf.models import BertClassifier

    monkeypatch.chdir(tmp_path)
    BertClassifier(make_encoder(), ["negative", "positive"]).save_to_preset("runs/all/student/model")
    (code,) = re.findall(r"## Python\n\n```python\n(.*?)```", README.read_text(), re.DOTALL)
    names = {}
    exec(compile(code, "README.md", "exec"), names)
    assert names["logits"].shape == (1, 2) and names["student"].labels == ["negative", "positive"]


@pytest.mark.assets
def test_the_python_example_runs(tmp_path, monkeypatch, eagerly):
    """Uses the first texts of each split, one epoch where it has several, and a student of one narrow layer."""
    from tinybert_tf.configs import STUDENT_PRESETS
    from tinybert_tf.data import tasks
    from tinybert_tf.models import BertClassifier

    monkeypatch.chdir(tmp_path)
    small = dataclasses.replace(STUDENT_PRESETS["tinybert_2l_312"], num_layers=1, hidden_dim=36, intermediate_dim=40)
    monkeypatch.setitem(STUDENT_PRESETS, "tinybert_4l_312", small)
    whole = tasks.load_task("movie_reviews")
    splits = {name: part.take(np.arange(8)) for name, part in whole.splits.items()}
    monkeypatch.setattr(tasks, "load_task", lambda name: dataclasses.replace(whole, splits=splits))
    fit = keras.Model.fit
    monkeypatch.setattr(keras.Model, "fit", lambda self, data, epochs: fit(self, data, epochs=min(epochs, 1)))
    (code,) = re.findall(r"<!-- python example: .*? -->\n```python\n(.*?)```", README.read_text(), re.DOTALL)
    exec(compile(code, "README.md", "exec"), {})
    assert BertClassifier.from_preset("my_student").labels == ["negative", "positive"]
