"""The settings of `--stage=vocabulary`."""

import dataclasses

from tinybert_tf.settings.fields import DATA, MODEL, RUN, Settings, require, setting, setting_like
from tinybert_tf.settings.names import ANY_MODEL, FOLDER
from tinybert_tf.settings.training import OnText


@dataclasses.dataclass(frozen=True)
class VocabularyConfig(Settings):
    """Settings of `--stage=vocabulary`: leaves out WordPieces that a corpus does not use, or uses seldom."""

    model: str = setting("minilm_l6", f"Model that gets smaller, with its head: {ANY_MODEL}.", MODEL, place=True)
    corpus: tuple[str, ...] = setting_like(
        OnText, "corpus", default=(), default_means="the training texts of --model, which must be a run of a task"
    )
    corpus_field: str = setting_like(OnText, "corpus_field")
    bad_lines: str = setting_like(OnText, "bad_lines")
    without: tuple[str, ...] = setting_like(OnText, "without")
    min_count: int = setting(1, "Fewest occurrences of a WordPiece that stays.", DATA, at_least=1)
    vocabulary_size: int = setting(
        0,
        "WordPieces that stay: special tokens, all single characters, then the most frequent ones.",
        DATA,
        default_means="those that occur",
        at_least=1,
    )
    output_dir: str = setting("runs/vocabulary", FOLDER, RUN)

    def __post_init__(self):
        super().__post_init__()
        require(self, "without", bool(self.corpus) or not self.without, "a --corpus that they stay out of")
        require(self, "min_count", self.min_count == 1 or not self.vocabulary_size, "1 with --vocabulary_size")
