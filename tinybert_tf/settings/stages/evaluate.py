"""The settings of `--stage=evaluate`."""

import dataclasses

from tinybert_tf.settings.fields import DATA, MODEL, RUN, setting
from tinybert_tf.settings.names import CLASSIFIER, FOLDER
from tinybert_tf.settings.task_data import TaskData, TeacherLabels
from tinybert_tf.settings.training import OnDevices


@dataclasses.dataclass(frozen=True)
class EvaluateConfig(TeacherLabels, TaskData, OnDevices):
    """Settings of `--stage=evaluate`: measures a model: metrics with intervals, a report, GLUE's or SQuAD's files."""

    split: str = setting(
        "", "Part of the data to evaluate on.", DATA, default_means="test, or dev where the test labels are secret"
    )
    model: str = setting("runs/task", f"Classifier or question answerer to evaluate: {CLASSIFIER}.", MODEL, place=True)
    teacher: str = setting("", "Teacher to compare the model with, named as for --model.", MODEL, place=True)
    batch_size: int = setting(64, "Texts per batch.", RUN, at_least=1)
    threshold: float = setting(
        0.5, "Probability from which on a text has a label, where it may have several.", MODEL, above=0, below=1
    )
    null_threshold: float | None = setting(
        None,
        "A question gets no answer if the score of 'no answer' exceeds that of the best answer by more than this.",
        MODEL,
        default_means="the model's own",
    )
    litert: bool = setting(True, "Whether the report measures LiteRT files too: their answers, sizes and times.", RUN)
    seed: int = setting(42, "Seed of the bootstrap.", RUN, at_least=0)
    output_dir: str = setting("runs/evaluate", FOLDER, RUN)
