"""What an export folds into the head, for better probabilities or labels, and when a file gives no label.

All are found on dev. Classifiers of one label per text have a temperature and that probability: see
`evaluation/calibration.py`. Those of several have a threshold per class: see `evaluation/thresholds.py`.
"""

import dataclasses

import numpy as np
import scipy.special

from tinybert_tf.data.batches import TokenizedExamples
from tinybert_tf.data.tasks import Task
from tinybert_tf.errors import InputError
from tinybert_tf.evaluation.calibration import LEAST_SURE, MOST_SURE, Confidence, fit_temperature
from tinybert_tf.evaluation.prediction import predict_logits
from tinybert_tf.evaluation.thresholds import best_cuts
from tinybert_tf.models import BertClassifier
from tinybert_tf.settings.stages import ExportConfig

_ONE, _SEVERAL = "single_label_classification", "multi_label_classification"
_KINDS = {"calibrate": _ONE, "target_precision": _ONE, "fit_thresholds": _SEVERAL, "abstain_below": _ONE}  # by setting
_EXPECTED = {
    _ONE: "a classifier that gives each text one label",
    _SEVERAL: "a classifier that gives a text several labels",
}
_MOST_DIGITS = 15  # of a threshold


@dataclasses.dataclass(frozen=True)
class Calibration:
    """What an export does to a classifier's probabilities, and what it makes of them; nothing by default.

    Args:
        temperature: Number by which the head's logits are divided; None if they stay as they are.
        abstain_below: Probability below which a text gets no label; None if each text gets one.
        dev_texts: Number of texts on which these were found; 0 if they were given.
        cuts: Number by which each of the head's logits is lowered, in the order of the classes; empty if they stay.
    """

    temperature: float | None = None
    abstain_below: float | None = None
    dev_texts: int = 0
    cuts: tuple[float, ...] = ()

    def __bool__(self) -> bool:
        return self.temperature is not None or self.abstain_below is not None or bool(self.cuts)

    def settings(self) -> dict[str, float | list[float]]:
        """Returns what `model_info.json` says of it."""
        values = {"temperature": self.temperature, "abstain_below": self.abstain_below}
        values["fitted_thresholds"] = [float(f"{value:.4g}") for value in scipy.special.expit(self.cuts)] or None
        return {name: value for name, value in values.items() if value is not None}

    def fold_into(self, model: BertClassifier) -> None:
        """Changes a classifier's last layer: divides its logits by the temperature, and lowers them by the cuts."""
        if self.temperature is not None:
            for weight in (model.classifier.kernel, model.classifier.bias):
                weight.assign(np.asarray(weight, np.float64) / self.temperature)
        if self.cuts:
            model.classifier.bias.assign(np.asarray(model.classifier.bias, np.float64) - self.cuts)

    def measured(self, probabilities: np.ndarray, labels: np.ndarray) -> dict[str, float | None]:
        """Returns the expected calibration error; with a threshold also the share answered, and its accuracy.

        Args:
            probabilities: A file's answers, `[texts, classes]`.
            labels: The right classes, `[texts]`.
        """
        if self.temperature is None and self.abstain_below is None:
            return {}
        found = Confidence(probabilities.max(axis=1), probabilities.argmax(axis=1) == labels)
        values = {"calibration_error": found.calibration_error()}
        if self.abstain_below is not None:
            answered = found.at(self.abstain_below)
            values |= {"coverage": answered["coverage"], "answered_accuracy": answered["accuracy"]}
        return values


def asked(config: ExportConfig, on_dev: bool = False) -> str:
    """Returns the first setting that asks for calibration, abstaining or thresholds; "" if none does.

    Args:
        config: The settings.
        on_dev: Whether only settings count whose value is found on dev.
    """
    return next((name for name in _KINDS if getattr(config, name) and not (on_dev and name == "abstain_below")), "")


def check_kind(config: ExportConfig, kind: str) -> None:
    """Refuses a model of this kind if something is asked for that it has no use for.

    Raises:
        InputError: It is.
    """
    for name, wanted in _KINDS.items():
        if getattr(config, name) and kind != wanted:
            got = f"{_shown(config, name)}, for a {kind.replace('_', ' ')} model"
            raise InputError(name, got, _EXPECTED[wanted])


def unread(config: ExportConfig, reason: object) -> InputError:
    """Returns the error that the texts to calibrate on cannot be read."""
    name = asked(config, on_dev=True)
    return InputError(name, f"{_shown(config, name)}, without labelled texts ({reason})", "--task, or files")


def calibrate(config: ExportConfig, model: BertClassifier, task: Task | None, length: int) -> Calibration:
    """Folds what fits dev into the model, as far as the settings ask for it; returns all that they ask for.

    Args:
        config: The settings.
        model: The classifier, whose head changes.
        task: The task, whose texts to measure on are another split than dev; None if it is not known.
        length: Most tokens in a text.

    Raises:
        InputError: Dev has no labels, or is what files are measured on, or is never answered so precisely.
    """
    name = asked(config, on_dev=True)
    if not name:
        return Calibration(abstain_below=config.abstain_below)
    if task is None:
        raise unread(config, f"{config.model} is no run that has learned a task")
    dev = task.splits.get("dev")
    if dev is None or dev.labels is None or not len(dev) or task.report_split == "dev":
        got = f"{_shown(config, name)}, for {task.name} without labelled texts in both dev and test"
        raise InputError(name, got, "one split to calibrate on, and another to measure files on")
    logits = predict_logits(model, TokenizedExamples(dev, model.tokenizer, length), "dev")
    columns = task.columns_of(model.labels)
    found = _found(logits[:, columns], dev.labels, config)
    if found.cuts:  # in the order of the task's classes
        found = dataclasses.replace(found, cuts=tuple(found.cuts[place] for place in np.argsort(columns)))
    found.fold_into(model)
    return found


def _found(logits: np.ndarray, labels: np.ndarray, config: ExportConfig) -> Calibration:
    """Returns what fits the answers to dev."""
    if config.fit_thresholds:
        return Calibration(dev_texts=len(labels), cuts=tuple(best_cuts(logits, labels).tolist()))
    temperature, threshold = None, config.abstain_below
    if config.calibrate:
        temperature = fit_temperature(logits, labels)
        if not MOST_SURE < temperature < LEAST_SURE:
            got = f"true, for answers to the {len(labels):,} texts of dev that fit no temperature"
            raise InputError("calibrate", got, "texts in dev of which the model gets some right, and some not")
    if config.target_precision:
        found = Confidence.of(logits, labels, temperature or 1.0)
        found = dataclasses.replace(found, confidence=found.confidence.astype(np.float32))  # as files compare it
        threshold = _threshold(found, config.target_precision)
    return Calibration(temperature, threshold, len(labels))


def _threshold(found: Confidence, precision: float) -> float:
    """Returns the number of fewest digits that divides answers as `Confidence.threshold_for` does.

    Files that round otherwise than the Keras model then rarely fall on its other side.
    """
    highest = found.threshold_for(precision)
    if highest is None:
        best = np.floor(1e4 * found.curve()[1].max()) / 1e4
        raise InputError("target_precision", f"{precision}, which no threshold reaches on dev", f"at most {best:g}")
    below = found.confidence[found.confidence < highest].max(initial=0.0)
    rounded = (float(np.floor(highest * 10**digits) / 10**digits) for digits in range(2, _MOST_DIGITS))
    return next((value for value in rounded if np.float32(below) < np.float32(value) <= np.float32(highest)), highest)


def _shown(config: ExportConfig, name: str) -> str:
    return str(getattr(config, name)).lower()
