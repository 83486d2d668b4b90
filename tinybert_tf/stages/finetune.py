"""Fine-tuning: a BERT learns a task from labels and becomes the teacher."""

from shlex import quote

from absl import logging

from tinybert_tf.evaluation.dev import in_one_line
from tinybert_tf.kinds import kind_of
from tinybert_tf.settings.recipes import recipe_for
from tinybert_tf.settings.stages import FinetuneConfig
from tinybert_tf.stages.common import command, encoder_of, optimizer_of, schedule_of, task_length
from tinybert_tf.stages.job import Job, digests_of
from tinybert_tf.training import workers
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
        self.kind = kind_of(config)(config)
        self.task = self.kind.task
        self.task.split("dev")  # refuses a task without one
        self.examples, self.repeats = self.task.split("train"), None
        if config.augmented:
            share = config.original_share or recipe_for(self.task.name).original_share
            self.examples, self.repeats = self.kind.augmented(config.augmented, share)
        self.losses = self.kind.losses(self.examples, self.repeats, config.class_weights)
        encoder = encoder_of(config.model, None, "model", dtype=config.dtype_policy, dropout=config.dropout)
        self.model = self.kind.new_model(encoder)
        examples = self.examples.fingerprint()
        return {**digests_of(model=encoder), "task": self.task.fingerprint(), "examples": examples}

    def prepare(self) -> None:
        config, model = self.config, self.model
        self.length = task_length(config, self.task, model)
        model.encoder.tokenizer = model.tokenizer.with_sequence_length(self.length)
        self.data = self.kind.batches(
            self.examples, model, self.length, config.batch_size, config.seed, repeats=self.repeats
        )
        least = config.min_steps or recipe_for(self.task.name).min_steps
        steps = max(least, self.data.steps(config.epochs)) if config.epochs else config.max_steps
        self.max_steps = min(steps, config.max_steps or steps)
        self.kind.log(self.data, self.examples, self.length)
        self.kind.log_rare()
        message = "finetune: %d steps of %d examples, learning rate %g."
        logging.info(message, self.max_steps, config.batch_size, config.learning_rate)
        optimizer = optimizer_of(config, config.learning_rate, self.max_steps)
        model.compile(optimizer, **self.losses, jit_compile=config.jit_compile)

    def work(self) -> dict:
        """Trains on labels; the model ends with its best weights on dev, and answers in the labels' unit."""
        model, kind = self.model, self.kind
        evaluate = kind.dev_evaluator(model, self.length)
        schedule = schedule_of(self.config, self.max_steps)
        # A random head may get all of a small dev set right by chance.
        options = {"best_by": "score", "start_counts": False}
        train(model, model.variables, self.data.batches, self.folder, schedule, evaluate, **options)
        if not workers.is_chief():
            return {}
        results = evaluate.results()
        results |= kind.facts(model) | {"parameters": model.count_params(), "steps": self.max_steps}
        # Not earlier: 16 bits, in which a model may compute, do not hold numbers far from 0.
        kind.from_unit(model)
        model.save_to_preset(self.folder.model, card=kind.card(self.record_with(results), self.config.model))
        return results
