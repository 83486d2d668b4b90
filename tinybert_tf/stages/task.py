"""Task distillation: a fine-tuned teacher, a task's texts, and a student that learns the task (paper, section 3.2).

Phase 1 (`intermediate`) matches embeddings, hidden states and attention scores, phase 2 (`prediction`) matches the
logits, and `joint` matches all at once. Each phase is a run of its own inside `output_dir`.
"""

import dataclasses
import itertools
from collections.abc import Callable
from shlex import quote

import keras
import numpy as np
from absl import logging

from tinybert_tf.configs import LossWeights
from tinybert_tf.data.batches import Buckets
from tinybert_tf.data.question_task import QuestionTask
from tinybert_tf.data.tasks import Task
from tinybert_tf.distillation import TinyBertDistiller
from tinybert_tf.distillation.initialization import initialize_head_from_teacher
from tinybert_tf.distillation.layer_cache import LayerCache
from tinybert_tf.errors import InputError, naming
from tinybert_tf.evaluation.dev import in_one_line
from tinybert_tf.kinds import kind_of
from tinybert_tf.models import BertEncoder
from tinybert_tf.models.head import ModelWithHead
from tinybert_tf.presets.resolve import open_preset
from tinybert_tf.settings.recipes import Recipe, recipe_for
from tinybert_tf.settings.stages import TaskConfig
from tinybert_tf.stages.common import (
    check_start,
    command,
    encoder_of,
    is_shape,
    optimizer_of,
    schedule_of,
    start_student,
    task_length,
)
from tinybert_tf.stages.job import Job, digests_of
from tinybert_tf.training import devices, workers
from tinybert_tf.training.compression import CompressingOptimizer
from tinybert_tf.training.loop import train
from tinybert_tf.training.run_directory import RunDirectory

PHASES = {"two": ("intermediate", "prediction")}
_INIT_BATCHES = 30
_DEV_BATCHES = 8
_NO_LIMIT = 1_000_000  # on passes, if a number of steps is given


def run(config: TaskConfig) -> RunDirectory:
    """Distils `teacher` into `student` on a task and saves the student to `output_dir/model`."""
    return _TaskDistillation(config).run()


def summary(folder: RunDirectory) -> str:
    """Returns the metrics on dev, where the student is, and what to run next."""
    teacher = folder.record["settings"]["teacher"]
    beside = {"teacher": teacher} if teacher else {}
    lines = [
        f"Dev      {in_one_line(folder.record['results']['dev'])}",
        *(f"         {line}" for line in folder.record["results"].get("by_class", [])),
        f"Student  {folder.model}",
        f"Curves   tensorboard --logdir {quote(str(folder.path))}",
        f"Next     {command('evaluate', model=folder.path, **beside)}, with the same task",
    ]
    return "\n".join(lines)


class _TaskDistillation(Job):
    stage = "task"

    def read(self) -> dict[str, str]:
        config, kind = self.config, kind_of(self.config)
        self.teacher = kind.load(config.teacher, "teacher", dtype=config.dtype_policy) if config.teacher else None
        self.kind = kind(config)
        self.task = self.kind.task
        self.task.split("dev")  # by which checkpoints are chosen
        if self.teacher:
            self.kind.adopt(self.teacher, "teacher")
        self.answering = self.teacher or self.task  # whose classes the student has, in their order
        self.recipe = recipe_of(config, self.task)
        self._read_examples()
        self.student = self._load_student(config.student)
        self.length = task_length(config, self.task, *filter(None, (self.teacher, self.student)))
        if self.teacher:
            check_start(config, self.teacher.encoder, self.student.encoder)
        # Refuses models that cannot be compared, before anything is written.
        self._distiller(PHASES.get(self.recipe.phase, (self.recipe.phase,))[0])
        student = self.student if config.keeps_head else self.student.encoder
        # Each input by its name, "" where there is none: one that comes or goes is a change, too.
        inputs = {"teacher": "", "teacher's settings": "", "teacher_predictions": ""}
        inputs |= digests_of(**{"teacher": self.teacher} if self.teacher else {}, student=student)
        inputs |= {"task": self.task.fingerprint(), "examples": self.examples.fingerprint()}
        return inputs | self.answers.digests

    def _read_examples(self) -> None:
        """Reads the texts that the student learns from, and where the answers to them come from."""
        config = self.config
        original = self.task.split("train")
        examples, repeats = original, None
        if config.augmented:
            examples, repeats = self.kind.augmented(config.augmented, self.recipe.original_share)
        labelled = examples
        if config.unlabeled_file:
            more = self.kind.more(config.unlabeled_file)
            repeats = None if repeats is None else np.append(repeats, np.ones(len(more), int))
            examples = examples.joined(more)
        self.answers = self.kind.answers(config, self.teacher, self.answering, examples, labelled)
        self.original, _ = self.answers.answered(original)
        self.examples, self.repeats = self.answers.answered(examples, repeats)

    @property
    def reader(self) -> ModelWithHead:
        """The model whose tokenizer cuts texts, which is the other one's too."""
        return self.teacher or self.student

    def _load_student(self, name: str) -> ModelWithHead:
        """Returns a shape with random weights, an encoder with a new head, or a model with such a head."""
        options = {"dtype": self.config.dtype_policy, "dropout": self.config.dropout}
        if is_shape(name):
            encoder = encoder_of(name, self.teacher and self.teacher.encoder, "student", **options)
        else:
            with naming("student"):
                source = open_preset(name)
                model = self.kind.with_head(source, self.answering, **options)
                if model is not None:
                    return model
                encoder = BertEncoder.from_pretrained(source, **options)
        return self.kind.new_model(encoder, self.answering)

    def prepare(self) -> None:
        augmented = f", {len(self.examples):,} with their variants" if self.config.augmented else ""
        logging.info("%s: %d training examples%s.", self.task.name, len(self.original), augmented)
        self.kind.log_rare()
        recipe = ", ".join(f"{name}={value}" for name, value in dataclasses.asdict(self.recipe).items())
        logging.info("Recipe: %s.", recipe)
        if not self.config.teacher and is_shape(self.config.student):
            logging.warning(
                "%s starts with random weights; from a --teacher it would start better.", self.config.student
            )

    def work(self) -> dict:
        if self.teacher:
            self.kind.to_unit(self.teacher)
        for phase in PHASES.get(self.recipe.phase, (self.recipe.phase,)):
            part = self.folder.part(phase)
            if not workers.from_chief(part.finished):
                with part.start(self.folder.record.get("inputs", {})):
                    part.finish(self._run_phase(phase, part))
                workers.from_chief(None)  # which has saved the student by now
            # Start again from the folder and the seed, like a run that was stopped between two phases.
            keras.utils.set_random_seed(self.config.seed)
            self.student = self._load_student(str(part.path))
        if not workers.is_chief():
            return {}
        results = part.record["results"]
        teachers = "`, `".join(filter(None, (self.config.teacher, *self.config.teacher_predictions)))
        card = self.kind.card(self.record_with(results), self.config.student, teachers)
        self.student.save_to_preset(self.folder.model, card=card)
        return results

    def _run_phase(self, phase: str, folder: RunDirectory) -> dict:
        """Trains one phase and saves the student; returns the phase's results.

        Both models answer in the unit in which the student learns.
        """
        config, recipe, student = self.config, self.recipe, self.student
        self.kind.to_unit(student)
        intermediate = phase == "intermediate"
        learning_rate = recipe.learning_rate if phase != "prediction" else recipe.prediction_learning_rate
        data, max_steps = self._data(phase)
        distiller = self._distiller(phase)
        optimizer = optimizer_of(config, learning_rate, max_steps)
        if config.quantize != "none" or config.sparsity:
            optimizer = CompressingOptimizer(optimizer, student, config.quantize, config.sparsity, max_steps)
        distiller.compile(optimizer, jit_compile=config.jit_compile)
        if not workers.from_chief(folder.has_checkpoint):
            self._initialize(phase, distiller, data)
        if config.layer_cache and phase != "prediction":
            data.tokens = LayerCache(distiller, data.tokens, config.layer_cache, config.batch_size, data.extras)
        message = "%s: %d steps of %d examples, learning rate %g."
        logging.info(message, phase, max_steps, config.batch_size, learning_rate)
        on_dev = None if intermediate else self.kind.dev_evaluator(student, self.length)
        evaluate = on_dev or self._dev_losses(distiller)
        # In a run that prunes, the best weights are early ones, which are not yet pruned.
        best_by = None if intermediate or config.sparsity else "score"
        schedule = schedule_of(config, max_steps)
        train(distiller, distiller.learned_variables, data.batches, folder, schedule, evaluate, best_by)
        if not workers.is_chief():
            return {}
        results = on_dev.results() if on_dev else {"dev": {}}
        results |= {"steps": max_steps, "parameters": student.count_params()} | self.kind.facts(student)
        self.kind.from_unit(student)  # not earlier: 16 bits do not hold numbers far from 0
        student.encoder.tokenizer = student.tokenizer.with_sequence_length(self.length)
        student.save_to_preset(folder.model)
        return results

    def _distiller(self, phase: str) -> TinyBertDistiller:
        config, options = self.config, self.config.distiller_options()
        if phase == "prediction":
            options["loss_weights"] = LossWeights.prediction_only()
        elif phase == "joint":
            weights = options["loss_weights"]
            options["loss_weights"] = dataclasses.replace(weights, prediction=config.prediction_weight)
        return TinyBertDistiller(
            self.teacher,
            self.student,
            temperature=config.temperature,
            mixup=config.mixup,
            dtype=config.dtype_policy,
            **options,
        )

    def _data(self, phase: str) -> tuple[Buckets, int]:
        """Returns the batches of a phase, and their number."""
        config, recipe = self.config, self.recipe
        examples, repeats = self.examples, self.repeats
        if phase == "prediction" and recipe.prediction_on_original:
            examples, repeats = self.original, None
        data = self.kind.batches(examples, self.reader, self.length, config.batch_size, config.seed, repeats=repeats)
        alone = phase == "prediction"
        steps = max(recipe.min_steps, data.steps(recipe.prediction_epochs if alone else recipe.epochs))
        steps = min(steps, (recipe.prediction_max_steps if alone else recipe.max_steps) or steps)
        repeat = config.batch_size * steps >= 2 * len(data.tokens.lengths)
        if config.mixup:  # the teacher reads mixtures in each step
            return data, steps
        self.answers.add_to(data, examples, self.length, phase, repeat)
        if config.layer_cache and not alone and not repeat:
            logging.warning("--layer_cache does not pay: most of these texts are shown once.")
        return data, steps

    def _initialize(self, phase: str, distiller: TinyBertDistiller, data: Buckets) -> None:
        if phase != "prediction":
            one_pass = (batch for batch, _ in itertools.islice(data.batches(), data.steps(1)))
            start_student(self.config, distiller, one_pass, _INIT_BATCHES)
        if phase != "intermediate" and not self.config.keeps_head:
            batches = [batch for batch, _ in itertools.islice(data.batches(), _INIT_BATCHES)]
            initialize_head_from_teacher(self.teacher, self.student, batches)

    def _dev_losses(self, distiller: TinyBertDistiller) -> Callable[[], dict[str, float]]:
        tokens = self.kind.rows(self.task.split("dev"), self.reader, self.length)
        order = tokens.lengths.argsort(kind="stable")
        stride = max(1, len(order) // _DEV_BATCHES)  # a batch from each eighth of the lengths, from short to long
        starts = range(0, len(order), stride)
        batches = [tokens.rows(order[i : i + min(stride, self.config.batch_size)]) for i in starts]
        evaluate = devices.Evaluator(distiller)
        return lambda: evaluate(batches)


def recipe_of(config: TaskConfig, task: Task | QuestionTask) -> Recipe:
    """Returns the task's recipe, changed by the flags that are set. A flag for steps replaces the recipe's passes, and
    a flag for passes its steps."""
    recipe, changes = recipe_for(task.name), {}
    if not config.teacher:
        changes |= {"phase": "prediction", "prediction_on_original": False}  # the only phase reads all texts
        if is_shape(config.student):  # there is no phase 1 that it continues, so it has that one's length
            lengths = {name: getattr(recipe, name) for name in ("epochs", "max_steps", "learning_rate")}
            recipe = dataclasses.replace(recipe, **{f"prediction_{name}": value for name, value in lengths.items()})
    elif is_shape(config.student) and config.student_init != "teacher":
        changes["phase"] = "two"  # jointly, the logits' gradient drowns that of layers that do not fit yet
    if config.epochs or config.max_steps:
        changes |= {"epochs": config.epochs or _NO_LIMIT, "max_steps": config.max_steps}
    if config.prediction_epochs or config.prediction_max_steps:
        changes["prediction_epochs"] = config.prediction_epochs or _NO_LIMIT
        changes["prediction_max_steps"] = config.prediction_max_steps
    elif config.max_steps:
        limit = recipe.prediction_max_steps or config.max_steps
        changes["prediction_max_steps"] = min(limit, config.max_steps)
    for name in ("phase", "min_steps", "learning_rate", "prediction_learning_rate", "original_share"):
        if getattr(config, name):
            changes[name] = getattr(config, name)
    recipe = dataclasses.replace(recipe, **changes)
    alone, other = (
        ("epochs", "learning_rate"),
        ("prediction_epochs", "prediction_max_steps", "prediction_learning_rate"),
    )
    for name in {"two": (), "prediction": alone}.get(recipe.phase, other):  # of a phase that is not run
        if getattr(config, name):
            instead = f"prediction_{name}" if name in alone else name.removeprefix("prediction_")
            raise InputError(name, getattr(config, name), f"none: --phase={recipe.phase} has --{instead}")
    return recipe
