"""The temperature inside a head, the threshold that dev gives, and what is refused."""

import dataclasses

import numpy as np
import pytest

from tinybert_tf.data.batches import TokenizedExamples
from tinybert_tf.data.examples import Examples
from tinybert_tf.data.tasks import Task
from tinybert_tf.errors import InputError
from tinybert_tf.evaluation.calibration import Confidence
from tinybert_tf.evaluation.prediction import predict_logits
from tinybert_tf.evaluation.thresholds import best_cuts
from tinybert_tf.exporters import abstaining
from tinybert_tf.exporters.abstaining import Calibration
from tinybert_tf.settings.stages import ExportConfig

LABELS = ["bad", "good", "neither"]
TEXTS = [
    f"{first} {second}" for first in ("a", "good", "bad", "film") for second in ("fine", "dull", "story", "it", "")
]


@pytest.fixture
def examples():
    return Examples(TEXTS, labels=np.arange(len(TEXTS)) % 3)


@pytest.fixture
def classifier(make_classifier):
    return make_classifier(labels=LABELS, num_layers=1)


def task_of(examples, *splits):
    return Task("films", ("neither", "good", "bad"), ("accuracy",), dict.fromkeys(splits, examples))


def logits_of(classifier, examples):
    return predict_logits(classifier, TokenizedExamples(examples, classifier.tokenizer, 8))


def test_a_folded_temperature_divides_the_logits_and_changes_no_answer(classifier, examples):
    before = logits_of(classifier, examples)
    abstaining.Calibration(temperature=1.37).fold_into(classifier)
    after = logits_of(classifier, examples)
    np.testing.assert_allclose(after, before / 1.37, rtol=0, atol=1e-6 * np.abs(before).max())
    np.testing.assert_array_equal(after.argmax(1), before.argmax(1))
    errors = [Confidence.of(before, examples.labels, 1.37), Confidence.of(after, examples.labels)]
    assert errors[1].calibration_error() == pytest.approx(errors[0].calibration_error(), abs=1e-6)


def test_dev_gives_temperature_and_threshold_in_the_tasks_order_of_labels(classifier, examples):
    before = logits_of(classifier, examples)[:, [2, 1, 0]]
    task = task_of(examples, "train", "dev", "test")
    wanted = abstaining.fit_temperature(before, examples.labels)
    best = Confidence.of(before, examples.labels, wanted).curve()[1].max()
    precision = np.floor(best * 100) / 100
    found = abstaining.calibrate(ExportConfig(calibrate=True, target_precision=precision), classifier, task, 8)
    assert (found.temperature, found.dev_texts) == (wanted, len(TEXTS))
    after = Confidence.of(logits_of(classifier, examples)[:, [2, 1, 0]], examples.labels)
    assert after.at(found.abstain_below)["accuracy"] >= precision
    assert after.at(found.abstain_below)["coverage"] == after.at(after.threshold_for(precision))["coverage"]
    weights = np.asarray(classifier.classifier.kernel)
    same = abstaining.calibrate(ExportConfig(abstain_below=0.7), classifier, None, 8)
    assert same == Calibration(abstain_below=0.7)
    np.testing.assert_array_equal(classifier.classifier.kernel, weights)


@pytest.mark.parametrize(("confidence", "threshold"), [(0.8312345, 0.83), (0.8, 0.8), (0.7123456, 0.712), (1.0, 1.0)])
def test_a_threshold_has_few_digits_and_the_same_texts_above_it(confidence, threshold):
    found = Confidence(np.array([0.9999 if confidence < 1 else 1.0, confidence, 0.7111]), np.array([True, True, False]))
    assert abstaining._threshold(found, 0.9) == threshold


def test_a_threshold_near_1_holds_for_numbers_of_32_bits():
    """In 64 bits two answers are surer than three wrong ones; in 32 bits all five are 1."""
    margins, labels = np.array([20.0, 19.0, 18.9, 18.8, 18.7, 5.0]), np.array([0, 0, 1, 1, 1, 0])
    found = Confidence.of(np.stack([margins, np.zeros(6)], axis=1), labels)
    assert found.at(found.threshold_for(0.9))["coverage"] == pytest.approx(2 / 6)
    rounded = dataclasses.replace(found, confidence=found.confidence.astype(np.float32))
    with pytest.raises(InputError, match="no threshold reaches"):
        abstaining._threshold(rounded, 0.9)


def test_a_temperature_at_the_end_of_its_range_is_refused(classifier, examples):
    answers = logits_of(classifier, examples)[:, [2, 1, 0]].argmax(axis=1)
    weights = np.asarray(classifier.classifier.kernel)
    task = task_of(Examples(TEXTS, labels=answers), "train", "dev", "test")
    with pytest.raises(InputError, match=r"^calibrate: got true, for answers to the 20 texts of dev that fit no temp"):
        abstaining.calibrate(ExportConfig(calibrate=True), classifier, task, 8)
    np.testing.assert_array_equal(classifier.classifier.kernel, weights)


def test_what_is_measured(examples):
    answers = np.array([[0.6, 0.4], [0.1, 0.9], [0.8, 0.2], [0.2, 0.8]], np.float32)
    labels = np.array([0, 1, 0, 0])
    assert Calibration().measured(answers, labels) == {}
    found = Calibration(2.0, 0.8).measured(answers, labels)
    assert (found["coverage"], found["answered_accuracy"]) == (0.75, pytest.approx(2 / 3))
    assert found["calibration_error"] == pytest.approx((0.4 + 0.1 + 2 * 0.3) / 4, abs=1e-6)
    assert Calibration(abstain_below=0.95).measured(answers, labels)["answered_accuracy"] is None
    assert set(Calibration(2.0).measured(answers, labels)) == {"calibration_error"}


@pytest.mark.parametrize("name", ["calibrate", "target_precision"])
def test_texts_to_calibrate_on_are_not_those_that_are_measured(name, classifier, examples):
    config = ExportConfig(**{name: True if name == "calibrate" else 0.5})
    for splits in (("train", "dev"), ("train", "test"), ("test",)):
        with pytest.raises(InputError, match=rf"{name}: got .*, for films without labelled texts in both dev and test"):
            abstaining.calibrate(config, classifier, task_of(examples, *splits), 8)
    with pytest.raises(InputError, match=rf"{name}: got .*, without labelled texts \(runs/task is no run"):
        abstaining.calibrate(config, classifier, None, 8)


def test_a_precision_that_is_not_reached_is_refused_with_the_best_that_is():
    found = Confidence(np.array([0.9, 0.8, 0.8, 0.7]), np.array([False, True, True, False]))
    with pytest.raises(InputError, match=r"target_precision: got 0\.9, which no threshold reaches on dev; .* 0\.6666$"):
        abstaining._threshold(found, 0.9)
    assert abstaining._threshold(found, 0.6666) == 0.8


@pytest.mark.parametrize("option", [{"calibrate": True}, {"target_precision": 0.9}, {"abstain_below": 0.9}])
def test_other_kinds_of_models_are_refused(option):
    config, (name,) = ExportConfig(**option), option
    for kind in ("regression", "multi_label_classification", "question answering"):
        with pytest.raises(
            InputError, match=f"{name}: got .* {kind.replace('_', ' ')} model; expected a classifier"
        ) as error:
            abstaining.check_kind(config, kind)
        assert "\n" not in str(error.value)
        abstaining.check_kind(ExportConfig(), kind)
    abstaining.check_kind(config, "single_label_classification")


def test_a_threshold_is_given_or_found():
    with pytest.raises(InputError, match=r"abstain_below: got 0\.8; expected one of the two"):
        ExportConfig(abstain_below=0.8, target_precision=0.9)
    for value in (0.0, 1.0, -1.0):
        with pytest.raises(InputError, match="abstain_below: got"):
            ExportConfig(abstain_below=value)
    with pytest.raises(InputError, match=r"target_precision: got 95\.0"):
        ExportConfig(target_precision=95.0)


def test_thresholds_of_several_labels_are_lowered_logits_in_the_models_order(make_classifier):
    model = make_classifier(labels=LABELS, num_layers=1)
    model.multi_label = True
    has = np.array([[1, "good" in text, "film" not in text] for text in TEXTS], int)
    task = dataclasses.replace(task_of(Examples(TEXTS, labels=has), "train", "dev", "test"), multi_label=True)
    before = logits_of(model, task.splits["dev"])
    found = abstaining.calibrate(ExportConfig(fit_thresholds=True), model, task, 8)
    np.testing.assert_array_equal(found.cuts, best_cuts(before[:, [2, 1, 0]], has)[[2, 1, 0]])
    assert any(found.cuts) and found.dev_texts == len(TEXTS)
    np.testing.assert_allclose(logits_of(model, task.splits["dev"]), before - found.cuts, rtol=0, atol=1e-6)
    thresholds = found.settings()["fitted_thresholds"]
    np.testing.assert_allclose(thresholds, 1 / (1 + np.exp(-np.array(found.cuts))), atol=1e-4)
    assert found and not found.measured(before, has)


def test_each_kind_of_model_refuses_what_the_other_has():
    several, one = "multi_label_classification", "single_label_classification"
    with pytest.raises(
        InputError, match=r"fit_thresholds: got true, for a single label .*; expected a classifier that gives a"
    ):
        abstaining.check_kind(ExportConfig(fit_thresholds=True), one)
    with pytest.raises(
        InputError, match=r"calibrate: got true, for a multi label .*; expected a classifier that gives"
    ):
        abstaining.check_kind(ExportConfig(calibrate=True, fit_thresholds=True), several)
    abstaining.check_kind(ExportConfig(fit_thresholds=True), several)
