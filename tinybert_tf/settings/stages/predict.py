"""The settings of `--stage=predict`."""

import dataclasses

from tinybert_tf.data.files import SURROGATE
from tinybert_tf.errors import InputError
from tinybert_tf.settings.fields import DATA, MODEL, RUN, require, setting, setting_like
from tinybert_tf.settings.names import CLASSIFIER
from tinybert_tf.settings.scale import OnRunner
from tinybert_tf.settings.stages.evaluate import EvaluateConfig
from tinybert_tf.settings.task_data import TaskData
from tinybert_tf.settings.training import OnDevices


@dataclasses.dataclass(frozen=True)
class PredictConfig(OnRunner, OnDevices):
    """Settings of `--stage=predict`: labels texts or answers questions; writes one JSON object per line."""

    text: str | None = setting(None, "A single text.", DATA, default_means="none")
    text_pair: str = setting("", "Second text, for a model of pairs; needs --text.", DATA)
    question: str = setting("", "A single question, for a model that answers questions.", DATA)
    context: str = setting("", "Text in which the model looks for the answer to --question.", DATA)
    input_file: str = setting(
        "",
        "Texts: a .txt with one per line, or a .csv, .tsv or .jsonl with columns; questions: SQuAD's .json, or .jsonl. "
        "A --runner takes .txt or .jsonl, and globs.",
        DATA,
        default_means="standard input: per line a text, or a JSON object with question and context",
        place=True,
    )
    text_column: str = setting_like(TaskData, "text_column")
    text_pair_column: str = setting_like(TaskData, "text_pair_column")
    sequence_length: int = setting_like(
        TaskData, "sequence_length", default_means="as many as the model was saved with"
    )
    model: str = setting("runs/task", f"Classifier or question answerer: {CLASSIFIER}.", MODEL, place=True)
    threshold: float = setting_like(EvaluateConfig, "threshold")
    abstain_below: float | None = setting(
        None,
        "Probability below which a text gets no label: the label is null.",
        MODEL,
        default_means="each text gets a label",
        above=0,
        below=1,
    )
    null_threshold: float | None = setting_like(EvaluateConfig, "null_threshold")
    batch_size: int = setting_like(EvaluateConfig, "batch_size")
    output_dir: str = setting(
        "",
        "Folder of the shards that a --runner writes; repeat the command to resume.",
        RUN,
        default_means="none: standard output",
    )

    def __post_init__(self):
        super().__post_init__()
        for name in ("text", "text_pair", "question", "context"):
            if SURROGATE.search(getattr(self, name) or ""):
                raise InputError(name, ascii(getattr(self, name)), "text in UTF-8")
        require(self, "input_file", self.text is None or not self.input_file, "one of the two: --text or --input_file")
        require(self, "text_pair", self.text is not None or not self.text_pair, "a --text that it belongs to")
        require(
            self, "context", bool(self.context.strip()) == bool(self.question.strip()), "both --question and --context"
        )
        require(
            self, "input_file", not (self.question and self.input_file), "one of the two: --question or --input_file"
        )
        require(self, "input_file", bool(self.input_file) or not self.runner, "a file for the --runner to read")
        require(self, "devices", self.devices == "1" or not self.runner, "1: each worker of a --runner has one device")
        expected = "a folder with --runner, and none without it"
        require(self, "output_dir", bool(self.output_dir) == bool(self.runner), expected)
