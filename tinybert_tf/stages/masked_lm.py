"""Trains a masked language model, which augmentation needs and no packaged model contains."""

import keras
from absl import logging

from tinybert_tf.data.masking import MaskedText
from tinybert_tf.data.packed_records import packed
from tinybert_tf.errors import naming
from tinybert_tf.models import BertMaskedLM
from tinybert_tf.settings.stages import MaskedLMConfig
from tinybert_tf.stages.common import (
    command,
    corpus_of,
    longest_length,
    not_read,
    optimizer_of,
    schedule_of,
    steps_on_text,
    watch,
)
from tinybert_tf.stages.job import Job, digests_of
from tinybert_tf.training import devices, workers
from tinybert_tf.training.loop import train
from tinybert_tf.training.run_directory import RunDirectory


def run(config: MaskedLMConfig) -> RunDirectory:
    """Trains a masked LM, body and head, on unlabelled text and saves it to `output_dir/model`."""
    return _MaskedLM(config).run()


def summary(folder: RunDirectory) -> str:
    """Returns how often the model guesses correctly, before and after training, and what to run next."""
    results = folder.record["results"]
    lines = []
    for title, values in (("before", results["untrained"]), ("after", results["held_out"])):
        if values:
            shown = f"top-1 {100 * values['top1']:.1f} %, top-5 {100 * values['top5']:.1f} %, loss {values['loss']:.3f}"
            lines.append(f"Held-out masked tokens, {title}: {shown}")
    lines += [
        f"Model    {folder.model}",
        f"Next     {command('augment', masked_lm=folder.path)}",
    ]
    return "\n".join(lines)


class _MaskedLM(Job):
    stage = "masked_lm"

    def read(self) -> dict[str, str]:
        config = self.config
        self.corpus = corpus_of(config)
        with naming("model"):
            self.model = BertMaskedLM.from_preset(config.model, dtype=config.dtype_policy)
        longest_length(config.sequence_length, self.model)
        return {**digests_of(model=self.model), "corpus": self.corpus.fingerprint()}

    def prepare(self) -> None:
        config, tokenizer = self.config, self.model.tokenizer
        text = packed(self.corpus, tokenizer, config.batch_size, config.sequence_length, config.seed)
        self.max_steps = steps_on_text(config, text)
        self.masked = MaskedText(text, config.mask_probability)
        self.model.compile(
            optimizer_of(config, config.learning_rate, self.max_steps),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=[
                keras.metrics.SparseCategoricalAccuracy(name="top1"),
                keras.metrics.SparseTopKCategoricalAccuracy(5, name="top5"),
            ],
            jit_compile=config.jit_compile,
        )

    def work(self) -> dict:
        config, model = self.config, self.model
        watch(self.corpus, self.folder)
        held_out, evaluate = self.masked.held_out(config.eval_sequences), devices.Evaluator(model)
        size, length = config.batch_size, config.sequence_length
        logging.info("%d steps of %d sequences of %d tokens.", self.max_steps, size, length)

        schedule = schedule_of(config, self.max_steps)
        train(model, model.variables, self.masked.batches, self.folder, schedule, lambda: evaluate(held_out))
        if not workers.is_chief():
            return {}
        model.save_to_preset(self.folder.model)
        return {
            "untrained": self.folder.held_out(0),
            "held_out": self.folder.held_out(-1),
            "steps": self.max_steps,
        } | not_read(self.corpus)
