"""Fine-tuning: a BERT learns a task from labels and becomes the teacher."""

import dataclasses
from shlex import quote

import numpy as np
from absl import logging

from tinybert_tf.augmentation.file import read_augmented
from tinybert_tf.data.batches import LengthBuckets
from tinybert_tf.data.class_weights import class_weights
from tinybert_tf.data.label_scale import LabelScale
from tinybert_tf.evaluation.dev import DevEvaluator, in_one_line
from tinybert_tf.models import BertClassifier
from tinybert_tf.presets.model_card import classifier_card
from tinybert_tf.settings.recipes import recipe_for
from tinybert_tf.settings.stages import FinetuneConfig
from tinybert_tf.stages.common import (
    command,
    encoder_of,
    name_rare_classes,
    optimizer_of,
    schedule_of,
    task_length,
    task_of,
)
from tinybert_tf.stages.job import Job, digests_of
from tinybert_tf.training.label_losses import label_loss
from tinybert_tf.training.loop import train
from tinybert_tf.training.run_directory import RunDirectory


def run(config: FinetuneConfig) -> RunDirectory:
    """Fine-tunes a model on a task and saves the best checkpoint on dev to `output_dir/model`."""
    return _Finetune(config).run()


def summary(folder: RunDirectory) -> str:
    """Returns the metrics on dev, where the model is, and what to run next."""
    lines = [
        f"Dev      {in_one_line(folder.record['results']['dev'])}",
        *(f"         {line}" for line in folder.record["results"].get("by_class", [])),
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
        self.task = task_of(config).chosen_by(config.metric)
        self.task.split("dev")  # refuses a task without one
        self.examples, self.repeats = self.task.split("train"), None
        if config.augmented:
            share = config.original_share or recipe_for(self.task.name).original_share
            self.examples, self.repeats = read_augmented(config.augmented, self.task, share)
        labels = self.examples.labels
        seen = labels if self.repeats is None else np.repeat(labels, self.repeats, axis=0)
        self.weights = class_weights(self.task, seen, config.class_weights)
        options = {"dtype": config.dtype_policy, "dropout": config.dropout}
        encoder = encoder_of(config.model, None, "model", **options)
        self.model = BertClassifier(encoder, self.task.labels, multi_label=self.task.multi_label)
        examples = self.examples.fingerprint()
        return {**digests_of(model=encoder), "task": self.task.fingerprint(), "examples": examples}

    def prepare(self) -> None:
        config, model = self.config, self.model
        self.length = task_length(config, self.task, model)
        model.encoder.tokenizer = model.tokenizer.with_sequence_length(self.length)
        self.scale = LabelScale.of(self.task)
        examples = dataclasses.replace(self.examples, labels=self.scale.scaled(self.examples.labels))
        self.data = LengthBuckets(
            examples, model.tokenizer, self.length, config.batch_size, config.seed, repeats=self.repeats
        )
        steps = self.data.steps(config.epochs) if config.epochs else config.max_steps
        self.max_steps = min(steps, config.max_steps or steps)
        logging.info(
            "%s: %d train and %d dev examples, labels %s. %d of them are cut to %d tokens.",
            *(self.task.name, len(self.examples), len(self.task.split("dev")), ", ".join(self.task.labels)),
            *(self.data.tokens.num_truncated, self.length),
        )
        name_rare_classes(self.task)
        optimizer = optimizer_of(config, config.learning_rate, self.max_steps)
        loss = label_loss(self.task.is_regression, self.task.multi_label, self.weights)
        model.compile(optimizer, loss=loss, jit_compile=config.jit_compile)

    def work(self) -> dict:
        """Trains on labels; the model ends with its best weights on dev, and answers in the labels' unit."""
        model, task = self.model, self.task
        evaluate = DevEvaluator(model, task, self.length, self.scale)
        schedule = schedule_of(self.config, self.max_steps)
        # A random head may get all of a small dev set right by chance.
        options = {"best_by": "score", "start_counts": False}
        train(model, model.variables, self.data.batches, self.folder, schedule, evaluate, **options)
        results = evaluate.results() | {
            "labels": list(task.labels),
            "parameters": model.count_params(),
            "steps": self.max_steps,
        }
        # Not earlier: 16 bits, in which a model may compute, do not hold numbers far from 0.
        self.scale.fold_into(model.classifier)
        card = classifier_card(self.record_with(results), task.name, self.config.model, asset=task.asset)
        model.save_to_preset(self.folder.model, card=card)
        return results
