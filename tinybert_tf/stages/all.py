"""The whole recipe for a task in one command: teacher, general student, augmentation, student, comparison.

Each step is a run of a stage in its own folder; finished steps are not repeated. Where files hold a teacher's answers,
a plain BERT learns from these in place of labels, and then its layers teach the student together with them.
"""

import dataclasses
import time
from collections.abc import Iterator

import keras
from absl import logging

from tinybert_tf.augmentation.augmenter import read_stop_words
from tinybert_tf.augmentation.word_vectors import WordVectors
from tinybert_tf.data.packed_records import open_corpus
from tinybert_tf.data.question_task import QuestionTask
from tinybert_tf.data.records import Records
from tinybert_tf.data.tasks import Task
from tinybert_tf.distillation.compatibility import check_pair
from tinybert_tf.distillation.layer_cache import cache_folder
from tinybert_tf.errors import InputError, naming
from tinybert_tf.files import write_text
from tinybert_tf.kinds import Kind, kind_of
from tinybert_tf.models import BertMaskedLM
from tinybert_tf.presets.resolve import open_preset
from tinybert_tf.settings import stages as configs
from tinybert_tf.settings.distillation import Distillation
from tinybert_tf.settings.recipes import recipe_for
from tinybert_tf.settings.task_data import TaskData
from tinybert_tf.stages import augment, evaluate, finetune, general, masked_lm, task
from tinybert_tf.stages.all_summary import summary
from tinybert_tf.stages.common import check_start, is_shape, shape_of, task_length
from tinybert_tf.stages.job import run_directory_of
from tinybert_tf.training import cluster, devices
from tinybert_tf.training.run_directory import RECORD_FILE, RunDirectory, read_record

__all__ = ["run", "summary"]


def run(config: configs.AllConfig) -> RunDirectory:
    """Runs every step that is not finished; the last one evaluates the student beside its teacher.

    The steps of a finished run are visited too: each checks that its inputs have not changed.

    Raises:
        InputError: A setting or an input cannot be used, or an input has changed since its step began.
    """
    cluster.refuse()
    # Each step compares its own settings with those that it began with.
    folder = run_directory_of(config, "all", free=[field.name for field in dataclasses.fields(config)])
    kind = kind_of(config)(config)
    with naming("teacher"):
        teacher = open_preset(config.teacher)
    recipe = _Recipe(config, folder, kind, teacher)
    recipe.check()
    with folder.start({"task": kind.task.fingerprint()}):
        evaluation = recipe.run()
        if not folder.finished:
            folder.finish(evaluation.record["results"] | {"seconds": recipe.seconds})
    return folder


class _Recipe:
    """The steps of the whole recipe, each a stage's run in `output_dir/NAME`."""

    def __init__(self, config: configs.AllConfig, folder: RunDirectory, kind: Kind, teacher):
        self.config, self.base, self.kind, self.task, self.teacher = config, folder.path, kind, kind.task, teacher
        usual = recipe_for(self.task.name).augment and not config.teacher_predictions
        self.augments = usual if config.augment is None else config.augment
        self.fine_tuned = kind.is_answered_by(teacher)
        # A teacher that is fine-tuned already has no plain one to imitate.
        self.has_general = is_shape(config.student) and bool(config.general_steps) and not self.fine_tuned
        self.seconds = {}
        self.data, self.distillation = (
            {field.name: getattr(config, field.name) for field in dataclasses.fields(settings)}
            for settings in (TaskData, Distillation)
        )
        self.columns = {name: self.data[name] for name in ("text_column", "text_pair_column")}
        if not config.files:  # they are then of further texts alone, which only a student reads
            self.data |= {name: getattr(TaskData, name) for name in self.columns}
        names = ("teacher_predictions", "label_weight", "teacher_labels", "unlabeled_file", "metric")
        self.answers = {name: getattr(config, name) for name in names}
        self.without = folder.path / "evaluation_texts.txt"
        self.text = {
            "corpus": config.corpus,
            "corpus_field": config.corpus_field,
            "bad_lines": config.bad_lines,
            "without": (str(self.without),),
            "sequence_length": 64,
        }

    def check(self) -> None:
        """Refuses, before the first step, what a later one would refuse: names, files, models that do not fit.

        Raises:
            InputError: One of these cannot be used.
        """
        config, teacher = self.config, self.teacher
        devices.chosen(config.devices, config.batch_size)
        self._check_settings()
        student = shape_of(config.student, teacher.tokenizer, teacher.config)
        if student is None:
            with naming("student"):
                student = open_preset(config.student, load_weights=False)
        task_length(config, self.task, teacher, student)
        self.kind.check_recipe(config, teacher)
        self._check_answers()
        self._check_order()
        check_start(config, teacher, student)
        check_pair(teacher, student, config.layer_map, config.loss_weights, config.relation_heads)
        if self.augments:
            read_stop_words(config.stop_words)
        if self.augments and config.vectors:
            WordVectors.load(config.vectors)
        if self.augments and config.masked_lm:
            with naming("masked_lm"):
                BertMaskedLM.from_preset(config.masked_lm, new_head=False)
        reads = self.has_general or (self.augments and not config.masked_lm)
        if reads or config.corpus != configs.AllConfig.corpus:
            corpus = open_corpus(config.corpus, config.corpus_field, bad_lines=config.bad_lines)
            if isinstance(corpus, Records):
                expected = "text, of which this stage leaves out what it evaluates on"
                raise InputError("corpus", f"{corpus.folder}, which holds records", expected)
        if config.layer_cache:
            cache_folder(config.layer_cache)

    def _check_settings(self) -> None:
        """Refuses settings of steps that this recipe does not have."""
        config = self.config
        if config.general_steps and not self.has_general:
            expected = "none: a fine-tuned --teacher, or a --student that has learned, has no such step"
            raise InputError("general_steps", config.general_steps, expected)
        for name in () if self.augments else ("num_variants", "masked_lm", "stop_words"):
            if getattr(config, name) != getattr(configs.AllConfig, name):
                raise InputError(name, getattr(config, name), "none without --augment")

    def _check_answers(self) -> None:
        """Refuses texts without labels, and files of answers, that cannot be used."""
        config, examples = self.config, self.task.split("train")
        labelled = examples
        if config.unlabeled_file:
            examples = examples.joined(self.kind.more(config.unlabeled_file))
        if config.teacher_predictions:
            self.kind.answers(config, None, self.task, examples, labelled)
        if config.teacher_predictions and self.augments:
            raise InputError("augment", "true, with --teacher_predictions", "false: no file has answers to variants")

    def _check_order(self) -> None:
        """Refuses steps, which may take hours, before a student that has begun without them."""
        folder = self.base / "student"
        if not (folder / RECORD_FILE).is_file():
            return
        began = read_record(folder)["settings"]
        if self.has_general and is_shape(began.get("student", "")):
            got = f"{self.config.general_steps}, for {folder}, which began without general distillation"
            raise InputError("general_steps", got, "none, or another --output_dir")
        if self.augments and not began.get("augmented"):
            raise InputError("augment", f"true, for {folder}, which began without", "false, or another --output_dir")

    def run(self) -> RunDirectory:
        write_text(self.without, "".join(f"{line}\n" for line in evaluation_texts(self.task)))
        teacher = self.finetune()
        student = self.general()
        student = self.distil(teacher, student, self.augment(teacher))
        names = self.kind.names_of(self.teacher) if self.fine_tuned else ()
        options = {"model": student, "teacher": teacher, "teacher_labels": names, **self.data}
        options["litert"] = self.config.litert
        if self.config.teacher_predictions and self.task.split("train").labels is None:
            options["train_file"] = ""  # its labels are what evaluation would read it for
        return self.step(evaluate, configs.EvaluateConfig, "evaluation", **options)

    def finetune(self) -> str:
        """Returns the fine-tuned teacher, which is the given one if that is fine-tuned already."""
        config = self.config
        if self.fine_tuned:
            return config.teacher
        if config.teacher_predictions:
            options = {name: getattr(configs.FinetuneConfig, name) for name in ("learning_rate", "epochs")}
            options = {f"prediction_{name}": value for name, value in options.items()}
            options |= {"dropout": configs.FinetuneConfig.dropout, "prediction_max_steps": config.max_steps}
            options["min_steps"] = config.min_steps
            options |= {"student": config.teacher, **self.answers, **self.data, **self.columns}
            return str(self.training_step(task, configs.TaskConfig, "teacher", **options).path)
        options = {"metric": config.metric, "class_weights": config.class_weights, "min_steps": config.min_steps}
        options |= {"model": config.teacher, **self.data}
        return str(self.training_step(finetune, configs.FinetuneConfig, "teacher", **options).path)

    def general(self) -> str:
        """Returns the student of general distillation, or the given one if there is no such step."""
        config = self.config
        if not self.has_general:
            return config.student
        options = {"teacher": config.teacher, "student": config.student, "max_steps": config.general_steps}
        options |= self.distillation
        return str(self.training_step(general, configs.GeneralConfig, "general", **options, **self.text).path)

    def augment(self, teacher: str) -> str:
        """Returns the run that holds the augmented texts; "" if there is no such step."""
        config, guesser = self.config, self.config.masked_lm
        if not self.augments:
            return ""
        if not guesser:
            model = config.teacher if "BertForMaskedLM" in self.teacher.heads else "minilm_l6"
            options = {"model": model, "max_steps": 400, **self.text}
            guesser = str(self.training_step(masked_lm, configs.MaskedLMConfig, "masked_lm", **options).path)
        names = ("vectors", "stop_words", "num_variants", "teacher_labels")
        options = {name: getattr(config, name) for name in names}
        options |= {"masked_lm": guesser, "teacher": teacher if self.kind.has_flips else "", **self.data}
        return str(self.step(augment, configs.AugmentConfig, "augment", **options).path)

    def distil(self, teacher: str, student: str, augmented: str) -> str:
        """Returns the student of task distillation."""
        config = self.config
        options = {"teacher": teacher, "student": student, "augmented": augmented, "min_steps": config.min_steps}
        options |= {name: getattr(config, name) for name in ("layer_cache", "mixup")}
        options |= self.distillation | self.answers | self.data | self.columns
        if config.task_steps:
            options["max_steps"] = config.task_steps
        elif config.max_steps:  # a cap; given to --stage=task alone, it would replace the recipe's length
            recipe = recipe_for(self.task.name)
            options |= {"epochs": recipe.epochs, "max_steps": recipe.max_steps}
        return str(self.training_step(task, configs.TaskConfig, "student", **options).path)

    def training_step(self, stage, kind, name: str, **options) -> RunDirectory:
        """Runs a stage that trains; `max_steps` caps it."""
        config = self.config
        if config.max_steps:
            options["max_steps"] = min(config.max_steps, options.get("max_steps") or config.max_steps)
        shared = ("batch_size", "dtype_policy", "deterministic")
        return self.step(stage, kind, name, **{key: getattr(config, key) for key in shared}, **options)

    def step(self, stage, kind, name: str, **options) -> RunDirectory:
        """Runs one stage in `output_dir/NAME`."""
        start = time.monotonic()
        logging.info("== %s: %s", name, self.base / name)
        shared = {"seed": self.config.seed, "devices": self.config.devices}
        done = stage.run(kind(output_dir=str(self.base / name), **shared, **options))
        if not done.was_finished:
            self.seconds[name] = round(time.monotonic() - start, 1)
        keras.backend.clear_session(free_memory=True)  # which collects garbage too
        return done


def evaluation_texts(data: Task | QuestionTask) -> Iterator[str]:
    """Yields every text that the task is evaluated on, in one line each."""
    for name in data.splits:
        if name != "train":
            yield from (" ".join(text.split()) for text in data.texts(name))
