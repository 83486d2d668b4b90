"""Fine-tuning: a BERT learns a task from labels and becomes the teacher."""

from shlex import quote

import keras
from absl import logging

from tinybert_tf.augmentation.file import read_augmented
from tinybert_tf.data.batches import LengthBuckets
from tinybert_tf.data.tasks import Task
from tinybert_tf.evaluation.dev import dev_evaluator, in_one_line
from tinybert_tf.models import BertClassifier
from tinybert_tf.presets.model_card import classifier_card
from tinybert_tf.settings.recipes import recipe_for
from tinybert_tf.settings.stages import FinetuneConfig
from tinybert_tf.stages.common import command, encoder_of, optimizer_of, schedule_of, task_length, task_of
from tinybert_tf.stages.job import Job
from tinybert_tf.training.loop import train
from tinybert_tf.training.run_directory import RunDirectory, digest_of


def run(config: FinetuneConfig) -> RunDirectory:
    """Fine-tunes a model on a task and saves the best checkpoint on dev to `output_dir/model`."""
    return _Finetune(config).run()


def summary(folder: RunDirectory) -> str:
    """Returns the metrics on dev, where the model is, and what to run next."""
    lines = [
        f"Dev      {in_one_line(folder.record['results']['dev'])}",
        f"Model    {folder.model}",
        f"Curves   tensorboard --logdir {quote(str(folder.tensorboard))}",
        f"Next     {command('task', teacher=folder.path, student='tinybert_4l_312')}, with the same task;",
        f"         or {command('evaluate', model=folder.path)} for its test results.",
    ]
    return "\n".join(lines)


class _Finetune(Job):
    stage = "finetune"

    def read(self) -> dict[str, str]:
        config = self.config
        self.task = task_of(config)
        self.task.split("dev")  # refuses a task without one
        self.examples, self.repeats = self.task.split("train"), None
        if config.augmented:
            share = config.original_share or recipe_for(self.task.name).original_share
            self.examples, self.repeats = read_augmented(config.augmented, self.task, share)
        options = {"dtype": config.dtype_policy, "dropout": config.dropout}
        self.model = BertClassifier(encoder_of(config.model, None, "model", **options), self.task.labels)
        digest = digest_of(self.model.encoder)
        return {"model": digest, "task": self.task.fingerprint(), "examples": self.examples.fingerprint()}

    def prepare(self) -> None:
        config, model = self.config, self.model
        self.length = task_length(config, self.task, model)
        model.encoder.tokenizer = model.tokenizer.with_sequence_length(self.length)
        self.data = LengthBuckets(
            self.examples, model.tokenizer, self.length, config.batch_size, config.seed, repeats=self.repeats
        )
        steps = self.data.steps(config.epochs) if config.epochs else config.max_steps
        self.max_steps = min(steps, config.max_steps or steps)
        logging.info(
            "%s: %d train and %d dev examples, labels %s. %d of them are cut to %d tokens.",
            *(self.task.name, len(self.examples), len(self.task.split("dev")), ", ".join(self.task.labels)),
            *(self.data.tokens.num_truncated, self.length),
        )
        optimizer = optimizer_of(config, config.learning_rate, self.max_steps)
        model.compile(optimizer, loss=_loss(self.task), jit_compile=config.jit_compile)

    def work(self) -> dict:
        """Trains on labels; the model ends with its best weights on dev."""
        model, task = self.model, self.task
        evaluate, schedule = dev_evaluator(model, task, self.length), schedule_of(self.config, self.max_steps)
        # A random head may get all of a small dev set right by chance.
        options = {"best_by": "score", "start_counts": False}
        train(model, model.variables, self.data.batches, self.folder, schedule, evaluate, **options)
        results = {
            "dev": evaluate(),
            "labels": list(task.labels),
            "parameters": model.count_params(),
            "steps": self.max_steps,
        }
        card = classifier_card(self.record_with(results), task.name, self.config.model, asset=task.asset)
        model.save_to_preset(self.folder.model, card=card)
        return results


def _loss(task: Task) -> keras.losses.Loss:
    if task.is_regression:
        return keras.losses.MeanSquaredError()
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)
