"""General distillation: a plain teacher, unlabelled text, a student that imitates its layers (paper, section 3.2)."""

import itertools

import numpy as np
from absl import logging

from tinybert_tf.configs import STUDENT_PRESETS
from tinybert_tf.data.packing import PackedText, Position
from tinybert_tf.data.text import Corpus
from tinybert_tf.distillation import TinyBertDistiller
from tinybert_tf.distillation.initialization import fit_projections, initialize_from_teacher
from tinybert_tf.errors import InputError
from tinybert_tf.models import BertEncoder
from tinybert_tf.presets.cards import general_card, losses_table
from tinybert_tf.presets.folder import save_folder
from tinybert_tf.settings.stages import GeneralConfig
from tinybert_tf.stages.common import (
    encoder_of,
    optimizer_of,
    run_directory_of,
    schedule_of,
    seed_everything,
    steps_on_text,
)
from tinybert_tf.training.loop import train
from tinybert_tf.training.run_directory import RunDirectory, digest_of

INIT_BATCHES = 20


def run(config: GeneralConfig) -> RunDirectory:
    """Teaches a student and saves it to `output_dir/model`; goes on with an interrupted run.

    Raises:
        InputError: a setting or an input that cannot be used; nothing has been written then.
    """
    folder = run_directory_of(config, "general")
    seed_everything(config)
    corpus = Corpus(config.corpus, config.corpus_field)
    teacher, student = _models(config)
    starts_anew = config.student in STUDENT_PRESETS
    inputs = {"teacher": digest_of(teacher), "corpus": corpus.fingerprint()}
    inputs["student"] = "" if starts_anew else digest_of(student)
    if folder.finished_with(inputs):
        return folder
    text = PackedText(corpus, teacher.tokenizer, config.batch_size, config.sequence_length, config.seed)
    distiller = _distiller(config, teacher, student)
    max_steps = steps_on_text(config, text)
    batches = [batch for batch, _ in itertools.islice(text.batches(), INIT_BATCHES)]
    if not starts_anew:
        fit_projections(distiller, batches)
    elif config.student_init == "svd":
        initialize_from_teacher(distiller, batches)
    optimizer = optimizer_of(config, config.learning_rate, max_steps)
    distiller.compile(optimizer, jit_compile=config.jit_compile)
    with folder.start(inputs):
        _train(config, distiller, text, folder, max_steps)
        _finish(config, student, folder, max_steps)
    return folder


def summary(folder: RunDirectory) -> str:
    """What a user wants to know at the end: held-out losses, where the student is, what to run next."""
    results = folder.record["results"]
    lines = [losses_table(results) if results["student"] else "The corpus is too small to hold anything out.", ""]
    lines += [
        f"Student  {folder.model}",
        f"Curves   tensorboard --logdir {folder.tensorboard}",
        f"Next     python -m tinybert_tf.main --stage=task --student={folder.path} --teacher=runs/finetune",
        f"         or BertEncoder.from_preset({str(folder.path)!r}) in Python, or in transformers or keras-hub.",
    ]
    return "\n".join(lines)


def _models(config: GeneralConfig) -> tuple[BertEncoder, BertEncoder]:
    teacher = BertEncoder.from_preset(config.teacher, argument="teacher", dtype=config.dtype_policy)
    options = {"dtype": config.dtype_policy, "dropout": config.dropout}
    student = encoder_of(config.student, teacher.tokenizer, "student", **options)
    longest = min(teacher.config.max_sequence_length, student.config.max_sequence_length)
    if config.sequence_length > longest:
        raise InputError("sequence_length", config.sequence_length, f"at most {longest}, as the models have positions")
    logging.info(
        "Teacher %s: %d layers, %d wide. Student %s: %d layers, %d wide, %.1f M parameters.",
        config.teacher,
        teacher.config.num_layers,
        teacher.config.hidden_dim,
        config.student,
        student.config.num_layers,
        student.config.hidden_dim,
        student.count_params() / 1e6,
    )
    return teacher, student


def _distiller(config: GeneralConfig, teacher: BertEncoder, student: BertEncoder) -> TinyBertDistiller:
    return TinyBertDistiller(
        teacher,
        student,
        config.layer_map,
        config.loss_weights,
        projection=config.projection,
        match_position_bias=config.match_position_bias,
        dtype=config.dtype_policy,
    )


def _train(config, distiller, text: PackedText, folder: RunDirectory, max_steps: int) -> None:
    held_out = text.held_out(config.eval_sequences)
    if held_out:
        held_out = {name: np.concatenate([batch[name] for batch in held_out]) for name in held_out[0]}
    part = config.batch_size // config.gradient_accumulation_steps
    logging.info("%d updates of %d sequences of %d tokens.", max_steps, config.batch_size, config.sequence_length)

    def evaluate() -> dict[str, float]:
        if not held_out:
            return {}
        return distiller.evaluate(held_out, batch_size=part, verbose=0, return_dict=True)

    schedule = schedule_of(config, max_steps)

    def stream(position):
        return text.batches(Position(*position))

    train(distiller, distiller.learned_variables, stream, folder, schedule, evaluate)


def _finish(config: GeneralConfig, student: BertEncoder, folder: RunDirectory, updates: int) -> None:
    results = {
        "untrained": folder.held_out(0),
        "student": folder.held_out(-1),
        "parameters": student.count_params(),
        "updates": updates,
    }
    save_folder(student, folder.model, card=general_card(config, folder.record, results))
    folder.finish(results)
