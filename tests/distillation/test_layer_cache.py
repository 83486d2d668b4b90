"""A teacher's layers on disk: the same losses in half precision, computed once, and what is refused."""

import shutil

import numpy as np
import pytest

from tests.distillation.conftest import evaluate, train, weights_of
from tinybert_tf.configs import LossWeights
from tinybert_tf.data.batches import TokenizedExamples
from tinybert_tf.data.examples import Examples
from tinybert_tf.distillation import TinyBertDistiller
from tinybert_tf.distillation.layer_cache import LayerCache
from tinybert_tf.errors import InputError
from tinybert_tf.models import BertQuestionAnswerer

TEXTS = ["a good film", "film", "it was a dull story of a play", "fine"]
WEIGHTS = LossWeights(1.0, (1.0, 0.5), (1.0, 2.0), 1.0, (0.0, 1.0))
HALF = 2.0**-10  # twice the rounding of half precision: 0.1 %


@pytest.fixture
def distiller(make_distiller):
    """The third layer of the teacher is matched twice."""
    return make_distiller(WEIGHTS, {"num_layers": 3}, relation_heads=2, layer_map=[3, 3])


@pytest.fixture
def rows(distiller):
    return TokenizedExamples(Examples(TEXTS), distiller.student.tokenizer, 12)


def without_teacher(distiller, monkeypatch):
    def fail(*_, **__):
        raise AssertionError("the teacher ran")

    monkeypatch.setattr(type(distiller), "teachers_features", fail)


def test_losses_and_gradients_are_those_of_the_teacher_itself(distiller, rows, tmp_path, monkeypatch):
    batch = rows.rows(np.array([2, 0, 3]))
    expected, weights = evaluate(distiller, batch), weights_of(distiller)
    train(distiller, batch)
    steps = [after - before for after, before in zip(weights_of(distiller), weights)]
    cached = LayerCache(distiller, rows, tmp_path / "new" / "folder", batch_size=3)
    for variable, value in zip(distiller.trainable_variables, weights):
        variable.assign(value)
    without_teacher(distiller, monkeypatch)
    given = cached.rows(np.array([2, 0, 3]))
    found = evaluate(distiller, given)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=HALF), name
    train(distiller, given)
    scale = max(np.abs(step).max() for step in steps)
    for after, before, step in zip(weights_of(distiller), weights, steps):
        np.testing.assert_allclose(after - before, step, rtol=0, atol=HALF * scale)


def test_each_feature_is_the_teachers_rounded_and_padded_with_zeros(distiller, rows, tmp_path):
    cached = LayerCache(distiller, rows, tmp_path)
    places = np.array([1, 2])
    found, inputs = cached.rows(places), rows.rows(places)
    outputs = distiller.teachers_features(inputs, distiller.matches)
    assert set(found) == set(inputs) | set(outputs)
    for name, values in outputs.items():
        values = np.array(values)
        assert found[name].dtype == np.float16 and found[name].shape == values.shape
        for row, place in enumerate(places):
            padded, length = inputs["token_ids"].shape[1], rows.lengths[place]
            real = tuple(slice(length if size == padded else size) for size in values.shape[1:])
            np.testing.assert_allclose(found[name][row][real], values[row][real], rtol=HALF, atol=1e-6)
            beyond = found[name][row].copy()
            beyond[real] = 0
            assert not beyond.any()


def test_a_second_run_reads_what_the_first_one_wrote(distiller, rows, tmp_path, monkeypatch):
    first = LayerCache(distiller, rows, tmp_path).rows(np.arange(4))
    (file,) = tmp_path.iterdir()
    with file.open("ab") as stream:
        stream.write(b"damage")
    LayerCache(distiller, rows, tmp_path)  # of another size, so it is written again
    without_teacher(distiller, monkeypatch)
    second = LayerCache(distiller, rows, tmp_path).rows(np.arange(4))
    assert all(np.array_equal(first[name], second[name]) for name in first)
    with pytest.raises(AssertionError, match="the teacher ran"):
        LayerCache(distiller, TokenizedExamples(Examples(TEXTS[:2]), rows.tokenizer, 12), tmp_path)
    assert [*tmp_path.iterdir()] == [file]


def test_other_weights_have_another_file(distiller, rows, tmp_path):
    teacher = distiller.teacher
    for weight in (teacher.encoder.embeddings.layer_norm.gamma, teacher.classifier.kernel):
        LayerCache(distiller, rows, tmp_path)
        weight.assign(2 * weight)
    LayerCache(distiller, rows, tmp_path)
    assert len([*tmp_path.iterdir()]) == 3


def test_answers_that_the_batches_have_are_not_kept(distiller, rows, tmp_path):
    found = LayerCache(distiller, rows, tmp_path, given=["teacher_logits"]).rows(np.arange(2))
    assert "teacher_logits" not in found and "teacher_hidden_states_3" in found


def test_a_question_answerers_start_and_end_are_kept(make_encoder, rows, tmp_path, monkeypatch):
    models = [BertQuestionAnswerer(make_encoder(seed=seed, dropout=0.0)) for seed in (1, 2)]
    distiller = TinyBertDistiller(*models, loss_weights=LossWeights.joint())
    distiller.compile("sgd")
    expected = evaluate(distiller, rows.rows(np.array([2, 0])))
    cached = LayerCache(distiller, rows, tmp_path)
    without_teacher(distiller, monkeypatch)
    found = evaluate(distiller, cached.rows(np.array([2, 0])))
    assert found == pytest.approx(expected, rel=HALF)


def test_what_cannot_be_kept_is_refused(distiller, rows, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"layer_cache: got .*file.*; expected a folder to write to"):
        LayerCache(distiller, rows, tmp_path / "file")
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 9, 1))
        with pytest.raises(InputError, match=r"layer_cache: got .* with 0\.0 GB of room; expected 0\.0 GB for"):
            LayerCache(distiller, rows, tmp_path)
    gamma = distiller.teacher.encoder.embeddings.layer_norm.gamma
    gamma.assign(1e6 * gamma)
    with pytest.raises(InputError, match="that half precision cannot hold; expected none beyond 65504"):
        LayerCache(distiller, rows, tmp_path)
    with pytest.raises(InputError, match=r"layer_cache: got .*\(File name too long\); expected a folder to write to"):
        LayerCache(distiller, rows, tmp_path / ("x" * 300))
    assert [*tmp_path.iterdir()] == [tmp_path / "file"]
