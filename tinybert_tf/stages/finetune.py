"""Fine-tuning: a BERT learns a task from labels, and becomes the teacher."""

import keras
import numpy as np
from absl import logging

from tinybert_tf.configs import STUDENT_PRESETS
from tinybert_tf.data.batches import LengthBuckets, TokenizedExamples
from tinybert_tf.data.tasks import Task
from tinybert_tf.errors import InputError
from tinybert_tf.evaluation import metrics
from tinybert_tf.evaluation.prediction import predict_logits
from tinybert_tf.models import BertClassifier, BertEncoder
from tinybert_tf.presets.cards import classifier_card
from tinybert_tf.presets.folder import save_folder
from tinybert_tf.settings.recipes import recipe_for
from tinybert_tf.settings.stages import FinetuneConfig
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
from tinybert_tf.training.loop import train
from tinybert_tf.training.run_directory import RunDirectory, digest_of


def run(config: FinetuneConfig) -> RunDirectory:
    """Fine-tunes `teacher` on a task and saves the best checkpoint on dev to `output_dir/model`.

    Raises:
        InputError: a setting or an input that cannot be used; nothing has been written then.
    """
    folder = run_directory_of(config, "finetune")
    seed_everything(config)
    task = task_of(config)
    train_examples, dev_examples, repeats = task.split("train"), task.split("dev"), None
    if config.augmented:
        share = config.original_share or recipe_for(task.name).original_share
        train_examples, repeats = read_augmented(config.augmented, task, share)
    model = BertClassifier(_encoder(config), task.labels)
    inputs = {"teacher": digest_of(model.encoder), "task": task.fingerprint()}
    inputs["examples"] = train_examples.fingerprint()
    if folder.finished_with(inputs):
        return folder
    length = sequence_length_of(config, task, model)
    model.tokenizer.sequence_length = length
    data = LengthBuckets(train_examples, model.tokenizer, length, config.batch_size, config.seed, repeats=repeats)
    max_steps = data.steps(config.epochs) if config.epochs else config.max_steps
    max_steps = min(max_steps, config.max_steps or max_steps)
    logging.info(
        "%s: %d train and %d dev examples, labels %s. %d of them are cut to %d tokens.",
        task.name,
        len(train_examples),
        len(dev_examples),
        ", ".join(task.labels),
        data.tokens.num_truncated,
        length,
    )
    model.compile(
        optimizer_of(config, config.learning_rate, max_steps), loss=_loss(task), jit_compile=config.jit_compile
    )
    with folder.start(inputs):
        results = train_and_score(config, model, data, task, length, folder, max_steps)
        save_folder(model, folder.model, card=classifier_card(config, folder.record, task, results))
        folder.finish(results)
    return folder


def train_and_score(config, model: BertClassifier, data, task: Task, length: int, folder, max_steps: int) -> dict:
    """Trains on labels; the model ends with its best weights on dev. Returns the run's results."""
    evaluate, schedule = dev_evaluator(model, task, length), schedule_of(config, max_steps)
    # A random head may be right on all of a small dev set, by chance.
    train(model, model.variables, data.batches, folder, schedule, evaluate, best_by="score", start_counts=False)
    return {"dev": evaluate(), "labels": list(task.labels), "parameters": model.count_params(), "updates": max_steps}


def dev_evaluator(model: BertClassifier, task: Task, length: int):
    """Returns a function that measures the model on dev: the task's metrics, and their mean as `score`."""
    dev = task.split("dev")
    if dev.labels is None:
        raise InputError("dev_file", "examples without labels", "labelled ones, to choose by")
    tokens, columns = TokenizedExamples(dev, model.tokenizer, length), task.columns_of(model.labels)

    def evaluate() -> dict[str, float]:
        logits = predict_logits(model, tokens)[:, columns]
        values = metrics.compute(task.metrics, dev.labels, logits)
        return values | {"score": float(np.mean(list(values.values())))}  # as GLUE averages them

    return evaluate


def _encoder(config: FinetuneConfig) -> BertEncoder:
    new = config.teacher in STUDENT_PRESETS
    tokenizer = BertEncoder.from_preset("minilm_l6", load_weights=False).tokenizer if new else None
    return encoder_of(config.teacher, tokenizer, "teacher", dtype=config.dtype_policy, dropout=config.dropout)


def summary(folder: RunDirectory) -> str:
    """What a user wants to know at the end."""
    results = folder.record["results"]
    dev = {name: value for name, value in results["dev"].items() if name != "score"}
    lines = [
        f"Dev      {in_one_line(dev)}",
        f"Model    {folder.model}",
        f"Curves   tensorboard --logdir {folder.tensorboard}",
        f"Next     python -m tinybert_tf.main --stage=task --teacher={folder.path} --student=runs/general, with the",
        "         same task; or --stage=evaluate --model=" + str(folder.path) + " for its test results.",
    ]
    return "\n".join(lines)


def _loss(task: Task) -> keras.losses.Loss:
    if task.is_regression:
        return keras.losses.MeanSquaredError()
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)
