"""Settings of the stages that read a task's examples, and of their further training texts and answers."""

import dataclasses

from tinybert_tf.data import glue_files
from tinybert_tf.data.squad import TASKS as QUESTION_TASKS
from tinybert_tf.data.tasks import TASK_NAMES, Files
from tinybert_tf.settings.fields import DATA, DISTILLATION, Settings, require, setting
from tinybert_tf.settings.recipes import recipe_default


@dataclasses.dataclass(frozen=True)
class TaskData(Settings):
    """Settings of every stage that reads labelled data; they include those of `Files`."""

    task: str = setting(
        "",
        "Task, unless you give files; for files of questions, squad or squad_v2.",
        DATA,
        default_means="movie_reviews, if no file is given",
        choices=(*TASK_NAMES, *QUESTION_TASKS),
    )
    train_file: str = setting(
        "",
        "Your own examples: .csv, .tsv or .jsonl in UTF-8, with a header; of questions SQuAD's .json, or .jsonl.",
        DATA,
        place=True,
    )
    dev_file: str = setting(
        "",
        "Examples to choose checkpoints by.",
        DATA,
        default_means="the same tenth of --train_file each time",
        place=True,
    )
    test_file: str = setting("", "Examples to report results on.", DATA, place=True)
    glue_dir: str = setting(
        "",
        "Folder that GLUE's download script makes, with a folder per task; for GLUE's tasks.",
        DATA,
        default_means="the environment variable TINYBERT_GLUE, or TFDS",
        place=True,
    )
    text_column: str = setting("text", "Name of the column that holds the text.", DATA)
    text_pair_column: str = setting("", "Name of the column that holds a second text, if there is one.", DATA)
    label_column: str = setting("label", "Name of the column that holds the class, or the number to predict.", DATA)
    label_separator: str = setting(
        "", "Separator of several labels in one field, such as '|'; JSON lists need none.", DATA, default_means="none"
    )
    regression: bool = setting(False, "Whether the labels are numbers to predict.", DATA)
    bad_lines: str = setting(
        "skip",
        "What to do with questions whose answers are not at the given places in their contexts.",
        DATA,
        choices={"skip": "mend them, or leave them out, and count them", "refuse": "stop at the first one"},
    )
    sequence_length: int = setting(
        0, "Tokens in a text or pair, at most.", DATA, default_means=recipe_default("sequence_length"), at_least=8
    )

    def __post_init__(self):
        super().__post_init__()
        of_questions = self.task in QUESTION_TASKS
        expected = "one of the two: --task, or --train_file and the like"
        require(self, "task", of_questions or not (self.task and self.files), expected)
        for name, default in dataclasses.asdict(Files()).items():
            if of_questions and not name.endswith("_file"):
                require(self, name, getattr(self, name) == default, f"none: {self.task} has questions and contexts")
        self._refuse_unread_columns()
        glue_files.check_task(self.glue_dir, self.task)

    def _refuse_unread_columns(self) -> None:
        """Refuses columns and the like where no file has them: who forgets --train_file gets another task."""
        more = getattr(self, "unlabeled_file", ()) or getattr(self, "teacher_predictions", ())
        names = [
            "label_column",
            "label_separator",
            "regression",
            *([] if more else ["text_column", "text_pair_column"]),
        ]
        for name in names if not self.files and self.task not in QUESTION_TASKS else ():
            fits = getattr(self, name) == getattr(Files, name)
            require(self, name, fits, "a --train_file, --dev_file or --test_file that it is said of")

    @property
    def files(self) -> Files:
        """The user's own files; false if none is given."""
        return Files(**{field.name: getattr(self, field.name) for field in dataclasses.fields(Files)})


@dataclasses.dataclass(frozen=True)
class TeacherLabels(Settings):
    """The names of a teacher's classes, for stages that compare them with the task's."""

    teacher_labels: tuple[str, ...] = setting(
        (),
        "Names of the teacher's classes in the order of its logits, if it has others than the task.",
        DATA,
        default_means="its own; for LABEL_0, LABEL_1 and so on the task's",
    )


@dataclasses.dataclass(frozen=True)
class TeacherPredictions(TeacherLabels):
    """Settings of stages whose student may learn from answers in files."""

    teacher_predictions: tuple[str, ...] = setting(
        (),
        "Answers of any teacher to the texts: JSON lines, as --stage=predict writes them; the mean of several files.",
        DATA,
        default_means="none: the --teacher answers",
        place=True,
    )
    label_weight: float = setting(
        0.0,
        "Share of a text's own label in the answer that is learned, where --teacher_predictions has one too.",
        DISTILLATION,
        at_least=0,
        at_most=1,
    )

    def __post_init__(self):
        super().__post_init__()
        expected = "0, or --teacher_predictions that it is weighed against"
        require(self, "label_weight", bool(self.teacher_predictions) or not self.label_weight, expected)


@dataclasses.dataclass(frozen=True)
class OnUnlabelled(Settings):
    """Settings of stages whose student may learn from texts without labels."""

    unlabeled_file: tuple[str, ...] = setting(
        (),
        "Texts of the task without labels, which the teacher answers: a .txt with one per line, .csv, .tsv or .jsonl.",
        DATA,
        default_means="none",
        place=True,
    )


@dataclasses.dataclass(frozen=True)
class OnAugmented(Settings):
    """Settings of stages that may learn from augmented examples."""

    augmented: str = setting(
        "",
        "Run of --stage=augment whose examples are learned from.",
        DATA,
        default_means="the original examples only",
        place=True,
    )
    original_share: float = setting(
        0.0,
        "Share of originals among the examples of a pass over --augmented.",
        DATA,
        default_means=recipe_default("original_share", zero="their share of the file"),
        at_least=0,
        below=1,
    )

    def __post_init__(self):
        super().__post_init__()
        require(self, "original_share", bool(self.augmented) or not self.original_share, "none without --augmented")
