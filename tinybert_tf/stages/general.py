"""General distillation: a plain teacher, unlabelled text, a student that imitates its layers (paper, section 3.2)."""

from shlex import quote

from absl import logging

from tinybert_tf.data.packed_records import packed
from tinybert_tf.data.packing import Position
from tinybert_tf.distillation import TinyBertDistiller
from tinybert_tf.errors import naming
from tinybert_tf.models import BertEncoder
from tinybert_tf.presets.model_card import general_card, losses_table
from tinybert_tf.settings.stages import GeneralConfig
from tinybert_tf.stages.common import (
    check_start,
    command,
    corpus_of,
    encoder_of,
    is_shape,
    longest_length,
    not_read,
    optimizer_of,
    schedule_of,
    start_student,
    steps_on_text,
    watch,
)
from tinybert_tf.stages.job import Job, digests_of
from tinybert_tf.training import devices, workers
from tinybert_tf.training.loop import train
from tinybert_tf.training.run_directory import RunDirectory

INIT_BATCHES = 20


def run(config: GeneralConfig) -> RunDirectory:
    """Distils the teacher into a student and saves it to `output_dir/model`; resumes an interrupted run."""
    return _General(config).run()


def summary(folder: RunDirectory) -> str:
    """Returns the held-out losses, where the student is, and what to run next."""
    results = folder.record["results"]
    lines = [losses_table(results) if results["student"] else "The corpus is too small to hold anything out.", ""]
    lines += [
        f"Student  {folder.model}",
        f"Curves   tensorboard --logdir {quote(str(folder.tensorboard))}",
        f"Next     {command('task', student=folder.path, teacher='runs/finetune')}",
        f"         or BertEncoder.from_preset({str(folder.path)!r}) in Python, or in transformers.",
    ]
    return "\n".join(lines)


class _General(Job):
    stage = "general"

    def read(self) -> dict[str, str]:
        config = self.config
        self.corpus = corpus_of(config)
        with naming("teacher"):
            self.teacher = BertEncoder.from_preset(config.teacher, dtype=config.dtype_policy)
        options = {"dtype": config.dtype_policy, "dropout": config.dropout}
        self.student = encoder_of(config.student, self.teacher, "student", **options)
        longest_length(config.sequence_length, self.teacher, self.student)
        check_start(config, self.teacher, self.student)
        family = self.student.config.family
        new = {"student": "" if family == "bert" else family}  # "" in runs from before there were other new students
        student = new if is_shape(config.student) else digests_of(student=self.student)
        return {**digests_of(teacher=self.teacher), "corpus": self.corpus.fingerprint(), **student}

    def prepare(self) -> None:
        config, teacher, student = self.config, self.teacher.config, self.student.config
        logging.info(
            "Teacher %s: %d layers, %d wide. Student %s: %d layers, %d wide, %.1f M parameters.",
            *(config.teacher, teacher.num_layers, teacher.hidden_dim),
            *(config.student, student.num_layers, student.hidden_dim, self.student.count_params() / 1e6),
        )
        tokenizer = self.teacher.tokenizer
        self.text = packed(self.corpus, tokenizer, config.batch_size, config.sequence_length, config.seed)
        self.distiller = TinyBertDistiller(
            self.teacher, self.student, dtype=config.dtype_policy, **config.distiller_options()
        )
        self.max_steps = steps_on_text(config, self.text)
        if not workers.from_chief(self.folder.has_checkpoint):
            one_pass = (batch for batch, _ in self.text.batches(epochs=1))
            start_student(config, self.distiller, one_pass, INIT_BATCHES)
        optimizer = optimizer_of(config, config.learning_rate, self.max_steps)
        self.distiller.compile(optimizer, jit_compile=config.jit_compile)

    def work(self) -> dict:
        config, distiller = self.config, self.distiller
        watch(self.corpus, self.folder)
        size, length = config.batch_size, config.sequence_length
        logging.info("%d steps of %d sequences of %d tokens.", self.max_steps, size, length)

        def stream(position):
            return self.text.batches(Position(*position))

        schedule = schedule_of(config, self.max_steps)
        train(distiller, distiller.learned_variables, stream, self.folder, schedule, self._evaluator())
        if not workers.is_chief():
            return {}
        results = {
            "untrained": self.folder.held_out(0),
            "student": self.folder.held_out(-1),
            "parameters": self.student.count_params(),
            "steps": self.max_steps,
        } | not_read(self.corpus)
        self.student.save_to_preset(self.folder.model, card=general_card(self.record_with(results)))
        return results

    def _evaluator(self):
        """Returns a function that returns the losses on held-out text."""
        held_out = self.text.held_out(self.config.eval_sequences)
        if not held_out:
            return dict
        evaluate, rows = devices.Evaluator(self.distiller), self.config.rows
        starts = range(0, self.config.batch_size, rows)
        parts = [{name: array[i : i + rows] for name, array in batch.items()} for batch in held_out for i in starts]
        return lambda: evaluate(parts)
