"""The settings of `--stage=export`."""

import dataclasses
from typing import ClassVar

from tinybert_tf.configs import NUMBER_FORMATS
from tinybert_tf.settings.fields import EXPORT, MODEL, RUN, require, setting, setting_like
from tinybert_tf.settings.names import CLASSIFIER
from tinybert_tf.settings.stages.evaluate import EvaluateConfig
from tinybert_tf.settings.task_data import TaskData

# One line per module of `tinybert_tf.exporters`: its name, and what it makes.
EXPORT_FORMATS = {
    "litert": "LiteRT for phones",
    "saved_model": "SavedModel for TF Serving",
    "onnx": "ONNX in the layout of Hugging Face's hub",
    "web": "web page that runs the first variant",
}


@dataclasses.dataclass(frozen=True)
class ExportConfig(TaskData):
    """Settings of `--stage=export`: writes a model for phones (LiteRT), servers (SavedModel, ONNX) and browsers."""

    RENAMED: ClassVar[dict[str, str]] = {"student": "model"}

    task: str = setting_like(
        TaskData,
        "task",
        help="Task to measure the files on, unless you give files of examples.",
        default_means="what the run of --model was trained on",
    )
    sequence_length: int = setting_like(
        TaskData, "sequence_length", default_means="as many as the model was saved with"
    )
    model: str = setting("runs/task", f"Classifier or question answerer to export: {CLASSIFIER}.", MODEL, place=True)
    null_threshold: float | None = setting_like(EvaluateConfig, "null_threshold")
    export_formats: tuple[str, ...] = setting(("litert",), "Formats, comma-separated.", EXPORT, choices=EXPORT_FORMATS)
    variants: tuple[str, ...] = setting(
        ("int8",),
        "Number formats of LiteRT files, comma-separated; the first becomes student.tflite.",
        EXPORT,
        choices=tuple(NUMBER_FORMATS),
    )
    fixed_length: bool = setting(
        False, "Whether files take exactly --sequence_length tokens, as CompiledModel and NPUs need.", EXPORT
    )
    calibrate: bool = setting(
        False, "Whether a temperature, fitted on dev, calibrates the files' probabilities.", EXPORT
    )
    target_precision: float | None = setting(
        None,
        "Share of the answers to dev that must be right; files give no label below the probability that reaches it.",
        EXPORT,
        default_means="each text gets an answer",
        above=0,
        at_most=1,
    )
    abstain_below: float | None = setting(
        None,
        "Probability below which files give a text no label.",
        EXPORT,
        default_means="the one that --target_precision finds, or none",
        above=0,
        below=1,
    )
    fit_thresholds: bool = setting(
        False,
        "Whether each label gets the threshold with the best F1 on dev; for models of several labels per text.",
        EXPORT,
    )
    android_assets: str = setting(
        "", "Assets folder of an Android app, to which the model's four files are copied.", EXPORT
    )
    push_to_hub: str = setting(
        "",
        "Hugging Face repository, USER/NAME, to which the model, its card, LiteRT and ONNX files are uploaded.",
        EXPORT,
    )
    hub_private: bool = setting(False, "Whether a new repository on the hub is private.", EXPORT)
    hub_licence: str = setting("", "Licence of the model on the hub, such as mit or apache-2.0.", EXPORT)
    output_dir: str = setting("runs/export", "Folder of the files.", RUN)

    def __post_init__(self):
        super().__post_init__()
        expected = "one of the two: --abstain_below or --target_precision"
        require(self, "abstain_below", self.abstain_below is None or self.target_precision is None, expected)
        uploads = bool({"litert", "onnx"} & set(self.export_formats))
        require(self, "push_to_hub", uploads or not self.push_to_hub, "--export_formats with litert or onnx, to upload")
        require(self, "android_assets", not self.android_assets or "litert" in self.export_formats, "litert among them")
