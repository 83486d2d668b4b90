"""The settings of `--stage=corpus`."""

import dataclasses

from tinybert_tf.errors import InputError
from tinybert_tf.settings.fields import MODEL, RUN, require, setting, setting_like
from tinybert_tf.settings.names import ANY_MODEL, FOLDER
from tinybert_tf.settings.scale import OnRunner
from tinybert_tf.settings.training import OnText


@dataclasses.dataclass(frozen=True)
class CorpusConfig(OnRunner):
    """Settings of `--stage=corpus`: tokenizes unlabelled text once, without duplicates, into records in shards."""

    corpus: tuple[str, ...] = setting_like(OnText, "corpus")
    corpus_field: str = setting_like(OnText, "corpus_field")
    bad_lines: str = setting_like(OnText, "bad_lines")
    without: tuple[str, ...] = setting_like(OnText, "without")
    teacher: str = setting("minilm_l6", f"Model whose tokenizer makes the records: {ANY_MODEL}.", MODEL, place=True)
    runner: str = setting_like(OnRunner, "runner", default="DirectRunner", default_means="")
    num_shards: int = setting_like(
        OnRunner, "num_shards", help="Parts of the records, each of which one worker writes, and fits in its memory."
    )
    output_dir: str = setting("runs/records", FOLDER, RUN)

    def __post_init__(self):
        super().__post_init__()
        require(self, "runner", bool(self.runner), "the name of a runner of Apache Beam")
        if not self.corpus:
            raise InputError("corpus", "nothing", "at least one source")
