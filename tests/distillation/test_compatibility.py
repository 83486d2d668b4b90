import copy
import importlib.util
import math
import os
import subprocess
import sys

import keras
import pytest

from tests.conftest import PIECES
from tinybert_tf.configs import LossWeights
from tinybert_tf.distillation import TinyBertDistiller
from tinybert_tf.errors import InputError
from tinybert_tf.models import BertClassifier, BertTokenizer

JOINT = LossWeights.joint()


def test_settings_without_a_meaning(make_encoder):
    teacher, student = make_encoder(), make_encoder()
    for settings, argument, message in (
        ({"projection": "per_head"}, "projection", "got 'per_head'; expected one of per_layer, shared"),
        ({"temperature": 0.0}, "temperature", "got 0.0; expected a number above 0"),
        ({"temperature": -1.0}, "temperature", "got -1.0; expected a number above 0"),
        ({"temperature": math.nan}, "temperature", "got nan; expected a number above 0"),
        ({"layer_map": "2,3"}, "layer_map", "got 2,3; expected teacher layers from 1 to 2"),
    ):
        with pytest.raises(InputError, match=f"^{argument}: {message}"):
            TinyBertDistiller(teacher, student, **settings)


def test_weights_without_a_meaning(make_encoder):
    teacher, student = make_encoder(), make_encoder()
    for weights in (
        LossWeights(0, 0, 0, 0),
        LossWeights(0, (0, 0), [0, 0], 0),
        LossWeights(embedding=-1.0),
        LossWeights(hidden=(1.0, -0.5)),
        LossWeights(attention=[1.0, math.nan]),
        LossWeights(prediction=math.inf),
    ):
        with pytest.raises(InputError, match=r"^loss_weights: got .*; expected weights of 0 or more, not all 0"):
            TinyBertDistiller(teacher, student, loss_weights=weights)
    for argument, weights in (
        ("hidden_weight: got 1 numbers", LossWeights(hidden=(1.0,))),
        ("attention_weight: got 3 numbers", LossWeights(attention=(1.0, 1.0, 1.0))),
    ):
        with pytest.raises(InputError, match=f"^{argument}; expected one, or 2"):
            TinyBertDistiller(teacher, student, loss_weights=weights)


def test_models_that_do_not_fit(make_encoder):
    teacher = make_encoder()
    for shape, message in (
        ({"num_heads": 2}, "got 2 heads; expected 3, as the teacher"),
        ({"vocabulary_size": 40}, "got 40 WordPieces; expected the teacher's 30"),
    ):
        with pytest.raises(InputError, match=f"^student: {message}"):
            TinyBertDistiller(teacher, make_encoder(**shape))


def test_another_vocabulary(make_encoder):
    swapped = [*PIECES[:5], PIECES[6], PIECES[5], *PIECES[7:]]
    teacher, student = make_encoder(), make_encoder(tokenizer=BertTokenizer(swapped, sequence_length=16))
    with pytest.raises(InputError, match=r"^student: got another vocabulary of the same size"):
        TinyBertDistiller(teacher, student)
    student.tokenizer = None
    TinyBertDistiller(teacher, student)
    for name in ("lowercase", "strip_accents", "tokenize_chinese_chars"):
        student.tokenizer = copy.copy(teacher.tokenizer)
        setattr(student.tokenizer, name, False)
        with pytest.raises(InputError, match=rf"^student: got {name}=False; expected True, as the teacher"):
            TinyBertDistiller(teacher, student)


def test_one_label_per_text_and_several_are_not_compared(make_encoder):
    one, several = (BertClassifier(make_encoder(), ["a", "b"], multi_label=value) for value in (False, True))
    expected = "student: got a multi_label_classification; expected a single_label_classification, as the teacher"
    with pytest.raises(InputError, match=expected):
        TinyBertDistiller(one, several, loss_weights=LossWeights.joint())


def test_predictions_need_classifiers_with_the_same_labels(make_encoder, make_classifier):
    teacher = make_classifier(["negative", "positive"])
    with pytest.raises(InputError, match=r"^teacher: got an encoder without logits; expected a BertClassifier"):
        TinyBertDistiller(make_encoder(), teacher, loss_weights=JOINT)
    with pytest.raises(InputError, match=r"^student: got an encoder without logits"):
        TinyBertDistiller(teacher, make_encoder(), loss_weights=JOINT)
    for labels in (["positive", "negative"], ["negative"], ["negative", "positive", "neutral"]):
        student = BertClassifier(make_encoder(), labels)
        with pytest.raises(
            InputError, match=r"^student: got labels .*; expected the teacher's \['negative', 'positive'\]"
        ):
            TinyBertDistiller(teacher, student, loss_weights=JOINT)
        TinyBertDistiller(teacher, student)


def test_the_student_must_be_able_to_learn(make_encoder):
    teacher, student = make_encoder(), make_encoder()
    student.trainable = False
    for model in (student, teacher):
        with pytest.raises(InputError, match=r"^student: got a frozen model, or the teacher itself"):
            TinyBertDistiller(teacher, model)


@pytest.mark.parametrize("attention", [0.0, (0.0, 0.0)])
def test_heads_may_differ_where_attention_is_not_matched(make_distiller, attention):
    make_distiller(LossWeights(attention=attention), student={"num_heads": 2})


def test_compile_takes_neither_losses_nor_useless_metrics(make_distiller):
    distiller = make_distiller()
    for arguments, name in (
        ({"loss": "mse"}, "loss"),
        ({"loss_weights": [1.0]}, "loss_weights"),
        ({"metrics": ["accuracy"]}, "metrics"),
    ):
        with pytest.raises(InputError, match=f"^{name}: "):
            distiller.compile("sgd", **arguments)


SCRIPT = """
from tinybert_tf.distillation import TinyBertDistiller
from tinybert_tf.models import BertEncoder
shape = dict(vocabulary_size=9, num_layers=1, num_heads=1, hidden_dim=4, intermediate_dim=4)
TinyBertDistiller(BertEncoder(**shape), BertEncoder(**shape))
"""


def test_another_backend_is_refused(make_distiller, monkeypatch):
    expected = "Keras runs on '{}'; TinyBertDistiller needs 'tensorflow'"
    for backend in ("jax", "torch"):
        if importlib.util.find_spec(backend) is not None:
            environment = os.environ | {"KERAS_BACKEND": backend}
            run = subprocess.run([sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True)
            assert run.returncode == 1
            assert expected.format(backend) in run.stderr.splitlines()[-1]
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(RuntimeError, match=expected.format("jax")):
        make_distiller()
