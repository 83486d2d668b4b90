"""Trains a masked language model: no packaged model carries a usable one, and augmentation wants one."""

import keras
from absl import logging

from tinybert_tf.data.masking import MaskedText
from tinybert_tf.data.packing import PackedText
from tinybert_tf.data.text import Corpus
from tinybert_tf.errors import InputError
from tinybert_tf.presets.folder import save_folder
from tinybert_tf.presets.resolve import load_masked_lm
from tinybert_tf.settings.stages import MaskedLMConfig
from tinybert_tf.stages.common import optimizer_of, run_directory_of, schedule_of, seed_everything, steps_on_text
from tinybert_tf.training.loop import train
from tinybert_tf.training.run_directory import RunDirectory, digest_of


def run(config: MaskedLMConfig) -> RunDirectory:
    """Trains a masked LM, body and head, on unlabelled text and saves it to `output_dir/model`.

    Raises:
        InputError: a setting or an input that cannot be used; nothing has been written then.
    """
    folder = run_directory_of(config, "masked_lm")
    seed_everything(config)
    corpus = Corpus(config.corpus, config.corpus_field)
    model = load_masked_lm(config.model, argument="model", dtype=config.dtype_policy)
    if config.sequence_length > model.config.max_sequence_length:
        expected = f"at most {model.config.max_sequence_length}, as the model has positions"
        raise InputError("sequence_length", config.sequence_length, expected)
    inputs = {"model": digest_of(model), "corpus": corpus.fingerprint()}
    if folder.finished_with(inputs):
        return folder
    text = PackedText(corpus, model.tokenizer, config.batch_size, config.sequence_length, config.seed)
    max_steps = steps_on_text(config, text)
    optimizer = optimizer_of(config, config.learning_rate, max_steps)
    model.compile(
        optimizer,
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[
            keras.metrics.SparseCategoricalAccuracy(name="top1"),
            keras.metrics.SparseTopKCategoricalAccuracy(5, name="top5"),
        ],
        jit_compile=config.jit_compile,
    )
    with folder.start(inputs):
        masked = MaskedText(text, config.mask_probability)
        held_out = masked.held_out(config.eval_sequences)
        logging.info("%d updates of %d sequences of %d tokens.", max_steps, config.batch_size, config.sequence_length)

        def evaluate() -> dict[str, float]:
            if held_out is None:
                return {}
            return model.evaluate(*held_out, batch_size=config.batch_size, verbose=0, return_dict=True)

        train(model, model.variables, masked.batches, folder, schedule_of(config, max_steps), evaluate)
        results = {"untrained": folder.held_out(0), "held_out": folder.held_out(-1), "updates": max_steps}
        save_folder(model, folder.model)
        folder.finish(results)
    return folder


def summary(folder: RunDirectory) -> str:
    """What a user wants to know at the end."""
    results = folder.record["results"]
    lines = []
    for title, values in (("before", results["untrained"]), ("after", results["held_out"])):
        if values:
            shown = f"top-1 {100 * values['top1']:.1f} %, top-5 {100 * values['top5']:.1f} %, loss {values['loss']:.3f}"
            lines.append(f"Held-out masked tokens, {title}: {shown}")
    lines += [
        f"Model    {folder.model}",
        f"Next     python -m tinybert_tf.main --stage=augment --masked_lm={folder.path}",
    ]
    return "\n".join(lines)
