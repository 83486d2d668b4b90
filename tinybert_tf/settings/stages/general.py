"""The settings of `--stage=general`."""

import dataclasses

from tinybert_tf.settings.distillation import Distillation
from tinybert_tf.settings.fields import MODEL, RUN, TRAINING, setting
from tinybert_tf.settings.names import ANY_MODEL, FOLDER, SHAPES
from tinybert_tf.settings.training import OnText


@dataclasses.dataclass(frozen=True)
class GeneralConfig(Distillation, OnText):
    """Settings of `--stage=general`: distils a BERT into a general student on unlabelled text (paper, section 3.2)."""

    teacher: str = setting("minilm_l6", f"BERT whose layers the student imitates: {ANY_MODEL}.", MODEL, place=True)
    student: str = setting(
        "tinybert_4l_312",
        f"Shape of a new student ({SHAPES}), or a model to continue with, named as for --teacher.",
        MODEL,
        place=True,
    )
    dropout: float = setting(0.0, "Dropout of the student in training.", TRAINING, at_least=0, below=1)
    output_dir: str = setting("runs/general", FOLDER, RUN)
