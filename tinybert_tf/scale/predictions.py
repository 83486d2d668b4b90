"""A classifier's answers to many texts, in shards."""

from collections.abc import Sequence
from pathlib import Path

from absl import logging

from tinybert_tf.data.line_shards import LineShards
from tinybert_tf.data.shard_files import shard_file
from tinybert_tf.data.teacher_predictions import SHARDS
from tinybert_tf.evaluation.text_answers import TextAnswers
from tinybert_tf.files import sweep, write_whole
from tinybert_tf.kinds.classification import classifier_of
from tinybert_tf.scale.beam import Engine
from tinybert_tf.scale.places import absolute
from tinybert_tf.scale.units import keep_only_from


class Predictions:
    """The units of work that answer texts, see `Inference`; a batch has texts of a shard of similar length.

    Args:
        texts: The texts.
        model: Name of the classifier.
        folder: Folder of the shards of answers, one for each shard of texts.
        options: Arguments of `TextAnswers` besides the model.
    """

    def __init__(self, texts: LineShards, model: str, folder: Path, options: dict):
        self.texts, self.folder, self._options = texts, folder.absolute(), options
        self._model = absolute(model)

    def run(self, engine: Engine, inputs: dict[str, str]) -> None:
        """Writes the shards that are missing, or all of them if the inputs are others than before.

        Args:
            engine: What does the units.
            inputs: SHA-256 of each input of the run, by name.
        """
        numbers = range(self.texts.num_shards)
        keep_only_from(inputs, self.folder, [self._file(number) for number in numbers])
        missing = [number for number in numbers if not self._file(number).exists()]
        logging.info("%d of %d shards are to be answered.", len(missing), self.texts.num_shards)
        if missing:
            engine.infer("predict", self, missing)
        sweep(self.folder)

    def read(self, number: int) -> tuple[list[str], list[str] | None]:
        return self.texts.read(number)

    def load(self) -> TextAnswers:
        return TextAnswers(classifier_of(self._model, "model"), **self._options)

    def answer(self, model: TextAnswers, texts: tuple[list[str], list[str] | None]) -> list[str]:
        return model.lines(*texts) if texts[0] else []

    def write(self, number: int, answers: Sequence[str]) -> None:
        with write_whole(self._file(number)) as stream:
            stream.writelines(answers)

    def _file(self, number: int) -> Path:
        return shard_file(self.folder, SHARDS, number, self.texts.num_shards)
