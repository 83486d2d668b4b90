"""Tiny distillers, and a counter of their work."""

from collections import Counter

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.conftest import randomize
from tinybert_tf.distillation import TinyBertDistiller
from tinybert_tf.models import BertClassifier


@pytest.fixture
def make_distiller(make_encoder):
    """A function that makes a distiller: a teacher of 2 layers and width 12, a student of 2 layers and width 6.

    Neither drops anything out unless told to. The models are classifiers, or encoders with `labels=None`.
    """

    def model(labels, seed, **shape):
        encoder = make_encoder(seed=seed, **{"dropout": 0.0} | shape)
        if labels is None:
            return encoder
        classifier = BertClassifier(encoder, labels, dtype=encoder.dtype_policy)
        randomize(classifier.classifier, seed)
        return classifier

    def make(weights=None, teacher=None, student=None, labels=("no", "yes"), **kwargs):
        student = {"hidden_dim": 6, "intermediate_dim": 8} | (student or {})
        models = model(labels, 1, **teacher or {}), model(labels, 2, **student)
        distiller = TinyBertDistiller(*models, loss_weights=weights, **kwargs)
        for number, layer in distiller.projections.items():
            randomize(layer, 3 + int(number))
        distiller.compile(keras.optimizers.SGD(0.1))
        return distiller

    return make


@pytest.fixture
def calls(monkeypatch):
    """How often each layer was called, by its `id`, since the counter was last cleared."""
    counter, call = Counter(), keras.layers.Layer.__call__

    def counted(self, *args, **kwargs):
        counter[id(self)] += 1
        return call(self, *args, **kwargs)

    monkeypatch.setattr(keras.layers.Layer, "__call__", counted)
    return counter


def tensors(batch):
    return {name: tf.constant(value) for name, value in batch.items()}


def evaluate(distiller, batch, *rest):
    """One step of evaluation, as numbers."""
    distiller.reset_metrics()
    return {name: float(value) for name, value in distiller.test_step((tensors(batch), *rest)).items()}


def train(distiller, batch, *rest):
    """One step of training, as numbers."""
    distiller.reset_metrics()
    return {name: float(value) for name, value in distiller.train_step((tensors(batch), *rest)).items()}


def weights_of(model):
    return [np.asarray(variable).copy() for variable in model.trainable_variables]
