"""Variants of a task's training texts, in chunks of examples: each chunk is the same whoever makes it."""

from pathlib import Path

from absl import logging

from tinybert_tf.augmentation.augmenter import Augmenter, read_stop_words
from tinybert_tf.augmentation.word_vectors import WordVectors
from tinybert_tf.data.shard_files import shard_file
from tinybert_tf.errors import naming
from tinybert_tf.files import write_whole
from tinybert_tf.kinds import kind_of
from tinybert_tf.models import BertMaskedLM
from tinybert_tf.scale.beam import Engine
from tinybert_tf.scale.places import with_absolute_places
from tinybert_tf.scale.units import keep_only_from
from tinybert_tf.settings.recipes import recipe_for
from tinybert_tf.settings.stages import AugmentConfig

CHUNK = 500  # examples whose texts the masked LM reads together
_TITLE = "variants"


class Variants:
    """What makes variants: task, masked LM and word vectors.

    Args:
        config: The settings.

    Raises:
        InputError: One of these cannot be read.
    """

    def __init__(self, config: AugmentConfig):
        self.config = config
        self.kind = kind_of(config)(config)
        self.task = self.kind.task
        self.examples = self.task.split("train")
        with naming("masked_lm"):
            self.masked_lm = BertMaskedLM.from_preset(config.masked_lm, new_head=False)
        self.vectors = WordVectors.load(config.vectors) if config.vectors else None
        self.stop_words = read_stop_words(config.stop_words)
        self.num_variants = config.num_variants or recipe_for(self.task.name).num_variants
        self._augmenter = None

    def lines(self, begin: int) -> list[str]:
        """Returns the lines of a chunk's examples, each followed by its variants; `begin` is the first example."""
        numbers = range(begin, min(begin + CHUNK, len(self.examples)))
        firsts, seconds = self.kind.columns(self.examples)
        texts = [firsts[i] for i in numbers] + ([seconds[i] for i in numbers] if seconds else [])
        places = self.augmenter.places(texts)
        lines = []
        for k, i in enumerate(numbers):
            where = (places[k], places[len(numbers) + k] if seconds else ())
            lines += self.kind.variant_lines(self.examples, i, where, self.config, self.num_variants)
        return lines

    @property
    def augmenter(self) -> Augmenter:
        """What finds the words that may change; made when it is first needed."""
        if self._augmenter is None:
            config = self.config
            options = config.num_candidates, config.batch_tokens, config.masked_share, self.stop_words
            self._augmenter = Augmenter(self.masked_lm, self.vectors, *options)
        return self._augmenter


class VariantShards:
    """The units of work that make variants, see `Inference`; a shard has chunks that follow each other.

    Args:
        config: The settings.
        num_examples: Number of training examples.
        folder: Folder of the shards.
    """

    def __init__(self, config: AugmentConfig, num_examples: int, folder: Path):
        self._config, self._examples, self.folder = with_absolute_places(config), num_examples, folder.absolute()
        self.num_shards = config.num_shards

    def run(self, engine: Engine, inputs: dict[str, str]) -> None:
        """Writes the shards that are missing, or all of them if the inputs are others than before.

        Args:
            engine: What does the units.
            inputs: SHA-256 of each input of the run, by name.
        """
        keep_only_from(inputs, self.folder, [self.folder])
        missing = [number for number in range(self.num_shards) if not self.file(number).exists()]
        logging.info("%d of %d shards of variants are to be made.", len(missing), self.num_shards)
        if missing:
            engine.infer("augment", self, missing)

    def file(self, number: int) -> Path:
        """Returns the file of a shard."""
        return shard_file(self.folder, _TITLE, number, self.num_shards)

    def read(self, number: int) -> list[int]:
        chunks = -(-self._examples // CHUNK)
        first, last = (chunks * k // self.num_shards for k in (number, number + 1))
        return [chunk * CHUNK for chunk in range(first, last)]

    def load(self) -> Variants:
        return Variants(self._config)

    def answer(self, model: Variants, texts: list[int]) -> list[str]:
        return [line for begin in texts for line in model.lines(begin)]

    def write(self, number: int, answers: list[str]) -> None:
        with write_whole(self.file(number)) as stream:
            stream.writelines(answers)
