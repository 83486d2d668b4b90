"""Task distillation: a fine-tuned teacher, labelled or augmented text, a student that does the task (section 3.2).

Phase 1 (`intermediate`) matches embeddings, hidden states and attention scores, phase 2 (`prediction`) the logits;
`joint` matches all at once. Each phase is a run of its own inside `output_dir`.
"""

import dataclasses
import itertools
from collections.abc import Callable

import keras
import tensorflow as tf
from absl import logging

from tinybert_tf.configs import STUDENT_PRESETS, LossWeights
from tinybert_tf.data.batches import LengthBuckets, TokenizedExamples
from tinybert_tf.data.tasks import Task
from tinybert_tf.distillation import TinyBertDistiller
from tinybert_tf.distillation.initialization import (
    fit_projections,
    initialize_from_teacher,
    initialize_head_from_teacher,
)
from tinybert_tf.evaluation.prediction import cached_logits, has_cached_logits
from tinybert_tf.models import BertClassifier
from tinybert_tf.presets.cards import classifier_card
from tinybert_tf.presets.folder import save_folder
from tinybert_tf.presets.resolve import load_classifier, loads_as_classifier
from tinybert_tf.settings.recipes import Recipe, recipe_for
from tinybert_tf.settings.stages import TaskConfig
from tinybert_tf.stages.augment import read_augmented
from tinybert_tf.stages.common import (
    encoder_of,
    in_one_line,
    optimizer_of,
    run_directory_of,
    schedule_of,
    seed_everything,
    sequence_length_of,
    task_of,
)
from tinybert_tf.stages.finetune import dev_evaluator
from tinybert_tf.training.compression import CompressingOptimizer
from tinybert_tf.training.loop import train
from tinybert_tf.training.run_directory import RunDirectory, digest_of

PHASES = {"two": ("intermediate", "prediction")}
_INIT_BATCHES = 30
_DEV_BATCHES = 8
_NO_LIMIT = 1_000_000  # passes: the updates are limited instead


def run(config: TaskConfig) -> RunDirectory:
    """Distils `teacher` into `student` on a task and saves the student to `output_dir/model`.

    Raises:
        InputError: a setting or an input that cannot be used; nothing has been written then.
    """
    folder = run_directory_of(config, "task")
    seed_everything(config)
    job = _Job(config)
    inputs = {"teacher": digest_of(job.teacher), "student": job.student_digest, "task": job.task.fingerprint()}
    inputs["examples"] = job.examples.fingerprint()
    if folder.finished_with(inputs):
        return folder
    job.say()
    with folder.start(inputs):
        for phase in PHASES.get(job.recipe.phase, (job.recipe.phase,)):
            part = RunDirectory(folder.path / phase, phase, folder.settings)
            if not part.finished:
                with part.start(inputs):
                    part.finish(job.run_phase(phase, part))
            # From the folder, and from the seed, as a run does that was stopped between two phases.
            keras.utils.set_random_seed(config.seed)
            job.student = job.load_student(str(part.path))
        results = part.record["results"]
        card = classifier_card(config, folder.record, job.task, results, teacher=config.teacher)
        save_folder(job.student, folder.model, card=card)
        folder.finish(results)
    return folder


def summary(folder: RunDirectory) -> str:
    """What a user wants to know at the end."""
    results = folder.record["results"]
    dev = {name: value for name, value in results["dev"].items() if name != "score"}
    lines = [
        f"Dev      {in_one_line(dev)}",
        f"Student  {folder.model}",
        f"Curves   tensorboard --logdir {folder.path}",
        f"Next     python -m tinybert_tf.main --stage=evaluate --model={folder.path} "
        f"--teacher={folder.record['settings']['teacher']}, with the same task",
    ]
    return "\n".join(lines)


class _Job:
    """The models and the data of a run, and how a phase is done."""

    def __init__(self, config: TaskConfig):
        self.config = config
        self.teacher = load_classifier(config.teacher, argument="teacher", dtype=config.dtype_policy)
        self.task = task_of(config)
        self.task.columns_of(self.teacher.labels)  # refuses other ones
        self.original = dataclasses.replace(self.task.split("train"), labels=None)
        self.student = self.load_student(config.student)
        self.student_digest = digest_of(self.student if config.head_init == "own" else self.student.encoder)
        self.length = sequence_length_of(config, self.task, self.teacher, self.student)
        self.student.tokenizer.sequence_length = self.length
        self.recipe = _recipe(config, self.task)
        self.examples, self.repeats = self.original, None
        if config.augmented:
            examples, self.repeats = read_augmented(config.augmented, self.task, self.recipe.original_share)
            self.examples = dataclasses.replace(examples, labels=None)
        # Refuses what cannot be compared before anything is written.
        self._distiller("joint" if self.recipe.phase == "joint" else "intermediate")

    def load_student(self, name: str) -> BertClassifier:
        """A shape with random weights, an encoder under a new head, or a classifier of the same labels."""
        options = {"dtype": self.config.dtype_policy, "dropout": self.config.dropout}
        if name not in STUDENT_PRESETS and loads_as_classifier(name, argument="student"):
            student = load_classifier(name, argument="student", **options)
            if student.labels == self.teacher.labels:
                return student
        encoder = encoder_of(name, self.teacher.tokenizer, argument="student", **options)
        return BertClassifier(encoder, self.teacher.labels)

    def run_phase(self, phase: str, folder: RunDirectory) -> dict:
        """Trains one phase and saves the student; returns the phase's results."""
        config, recipe = self.config, self.recipe
        intermediate = phase == "intermediate"
        learning_rate = recipe.learning_rate if phase != "prediction" else recipe.prediction_learning_rate
        data, max_steps = self._data(phase)
        distiller = self._distiller(phase)
        optimizer = optimizer_of(config, learning_rate, max_steps)
        if config.quantize != "none" or config.sparsity:
            optimizer = CompressingOptimizer(optimizer, self.student, config.quantize, config.sparsity, max_steps)
        distiller.compile(optimizer, jit_compile=config.jit_compile)
        self._initialize(phase, distiller, data)
        logging.info("%s: %d updates of %d examples, %g.", phase, max_steps, config.batch_size, learning_rate)
        evaluate = self._dev_losses(distiller) if intermediate else dev_evaluator(self.student, self.task, self.length)
        train(
            distiller,
            distiller.learned_variables,
            data.batches,
            folder,
            schedule_of(config, max_steps),
            evaluate,
            # The best weights of a run that prunes are early ones, not pruned yet.
            best_by=None if intermediate or config.sparsity else "score",
        )
        results = {"updates": max_steps, "parameters": self.student.count_params(), "labels": self.student.labels}
        results["dev"] = {} if intermediate else evaluate()
        save_folder(self.student, folder.model)
        return results

    def _distiller(self, phase: str) -> TinyBertDistiller:
        weights = LossWeights.prediction_only()
        if phase != "prediction":
            prediction = self.config.prediction_weight if phase == "joint" else 0.0
            weights = dataclasses.replace(self.config.loss_weights, prediction=prediction)
        return TinyBertDistiller(
            self.teacher,
            self.student,
            self.config.layer_map,
            weights,
            self.config.temperature,
            self.config.projection,
            self.config.match_position_bias,
            dtype=self.config.dtype_policy,
        )

    def _data(self, phase: str) -> tuple[LengthBuckets, int]:
        """The batches of a phase, and how many."""
        config, recipe = self.config, self.recipe
        examples, repeats = self.examples, self.repeats
        if phase == "prediction" and recipe.prediction_on_original:
            examples, repeats = self.original, None
        data = LengthBuckets(
            examples, self.teacher.tokenizer, self.length, config.batch_size, config.seed, repeats=repeats
        )
        if phase == "prediction":
            steps = data.steps(recipe.prediction_epochs)
            steps = min(steps, recipe.prediction_max_steps or steps)
            # Who is seen twice is asked once; who has been asked is not asked again.
            seen_twice = config.batch_size * steps >= 2 * len(examples)
            if seen_twice or has_cached_logits(self.teacher, examples, self.length):
                data.extras = {"teacher_logits": cached_logits(self.teacher, examples, self.length)}
        else:
            steps = data.steps(recipe.epochs)
            steps = min(steps, recipe.max_steps or steps)
        return data, steps

    def _initialize(self, phase: str, distiller: TinyBertDistiller, data: LengthBuckets) -> None:
        batches = [batch for batch, _ in itertools.islice(data.batches(), _INIT_BATCHES)]
        from_scratch = self.config.student in STUDENT_PRESETS
        if phase != "prediction" and not from_scratch:
            fit_projections(distiller, batches)
        elif phase != "prediction" and self.config.student_init == "svd":
            initialize_from_teacher(distiller, batches)
        if phase != "intermediate" and self.config.head_init == "teacher":
            initialize_head_from_teacher(self.teacher, self.student, batches)

    def _dev_losses(self, distiller: TinyBertDistiller) -> Callable[[], dict[str, float]]:
        tokens = TokenizedExamples(self.task.split("dev"), self.teacher.tokenizer, self.length)
        order = tokens.lengths.argsort(kind="stable")
        stride = max(1, len(order) // _DEV_BATCHES)  # a batch from each eighth: short texts, long texts
        starts = range(0, len(order), stride)
        batches = [tokens.rows(order[i : i + min(stride, self.config.batch_size)]) for i in starts]
        signature = dict.fromkeys(batches[0], tf.TensorSpec([None, None], tf.int32))
        dataset = tf.data.Dataset.from_generator(lambda: iter(batches), output_signature=signature)
        dataset = dataset.apply(tf.data.experimental.assert_cardinality(len(batches)))
        return lambda: distiller.evaluate(dataset, verbose=0, return_dict=True)

    def say(self) -> None:
        """Logs what is to be done."""
        augmented = f", {len(self.examples):,} with their variants" if self.config.augmented else ""
        logging.info("%s: %d training examples%s.", self.task.name, len(self.original), augmented)
        recipe = ", ".join(f"{name}={value}" for name, value in dataclasses.asdict(self.recipe).items())
        logging.info("Recipe: %s.", recipe)


def _recipe(config: TaskConfig, task: Task) -> Recipe:
    """The task's recipe with the flags that are set. Updates that are asked for replace its passes, and the reverse."""
    recipe, changes = recipe_for(task.name), {}
    if config.student in STUDENT_PRESETS:
        changes["phase"] = "two"  # jointly, the logits' gradient drowns that of layers which fit nothing yet
    if config.epochs or config.max_steps:
        changes |= {"epochs": config.epochs or _NO_LIMIT, "max_steps": config.max_steps}
    if config.prediction_epochs or config.prediction_max_steps:
        changes["prediction_epochs"] = config.prediction_epochs or _NO_LIMIT
        changes["prediction_max_steps"] = config.prediction_max_steps
    elif config.max_steps:
        limit = recipe.prediction_max_steps or config.max_steps
        changes["prediction_max_steps"] = min(limit, config.max_steps)
    for name in ("phase", "learning_rate", "prediction_learning_rate", "original_share"):
        if getattr(config, name):
            changes[name] = getattr(config, name)
    return dataclasses.replace(recipe, **changes)
