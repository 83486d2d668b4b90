"""The whole recipe for a task in one command: teacher, general student, augmentation, student, comparison.

Each step is a stage's run in a folder of its own; one that is finished is not done again.
"""

import dataclasses
import gc
import time

import keras
from absl import logging

from tinybert_tf.configs import STUDENT_PRESETS
from tinybert_tf.presets.resolve import is_bert, loads_as_classifier
from tinybert_tf.settings import stages as configs
from tinybert_tf.settings.recipes import recipe_for
from tinybert_tf.settings.shared import TaskData
from tinybert_tf.stages import augment, evaluate, finetune, general, masked_lm, task
from tinybert_tf.stages.common import run_directory_of, task_of
from tinybert_tf.training.run_directory import RunDirectory


def run(config: configs.AllConfig) -> RunDirectory:
    """Runs every step that is not there yet; ends with an evaluation of the student beside its teacher.

    A finished run goes through its steps too: each looks whether what it read is still what it was.

    Raises:
        InputError: a setting or an input that cannot be used, or that is not what it was when its step began.
    """
    folder = run_directory_of(config, "all")
    data = task_of(config)
    inputs = {"task": data.fingerprint()}
    base = folder.path
    with folder.start(inputs):
        seconds = {}

        def step(stage, kind, name: str, **options) -> RunDirectory:
            """Runs one stage in `output_dir/name`."""
            start = time.monotonic()
            own = {field.name for field in dataclasses.fields(kind)}
            shared = {field.name for field in dataclasses.fields(TaskData)} | {"seed", "dtype_policy", "deterministic"}
            options |= {key: getattr(config, key) for key in shared & own if key not in options}
            if config.max_steps and "max_steps" in own:
                options["max_steps"] = min(config.max_steps, options.get("max_steps") or config.max_steps)
            logging.info("== %s: %s", name, base / name)
            done = stage.run(kind(output_dir=str(base / name), **options))
            if not done.was_finished:
                seconds[name] = round(time.monotonic() - start, 1)
            keras.backend.clear_session(free_memory=True)
            gc.collect()
            return done

        teacher, tuned = config.teacher, loads_as_classifier(config.teacher, argument="teacher")
        if not tuned:
            teacher = step(finetune, configs.FinetuneConfig, "teacher", teacher=teacher, batch_size=config.batch_size)
            teacher = str(teacher.path)
        student = config.student
        corpus = {"corpus": config.corpus, "corpus_field": config.corpus_field, "batch_size": config.batch_size}
        if student in STUDENT_PRESETS and config.general_steps and not tuned:
            steps = config.general_steps
            options = {"teacher": config.teacher, "student": student, "max_steps": steps, "sequence_length": 64}
            student = str(step(general, configs.GeneralConfig, "general", **options, **corpus).path)
        augmented = ""
        if config.augment:
            guesser = config.masked_lm
            if not guesser:
                model = config.teacher if is_bert(config.teacher, argument="teacher") else "minilm_l6"
                options = {"model": model, "max_steps": 400, "sequence_length": 64}
                guesser = str(step(masked_lm, configs.MaskedLMConfig, "masked_lm", **options, **corpus).path)
            options = {"masked_lm": guesser, "vectors": config.vectors, "num_variants": config.num_variants}
            augmented = str(step(augment, configs.AugmentConfig, "augment", teacher=teacher, **options).path)
        options = {"teacher": teacher, "student": student, "augmented": augmented, "batch_size": config.batch_size}
        if config.max_steps:  # a cap, where the flag of --stage=task alone replaces the recipe's length
            recipe = recipe_for(data.name)
            options |= {"epochs": recipe.epochs, "max_steps": recipe.max_steps}
        student = str(step(task, configs.TaskConfig, "student", **options).path)
        evaluation = step(evaluate, configs.EvaluateConfig, "evaluation", model=student, teacher=teacher)
        if not folder.finished:
            folder.finish(evaluation.record["results"] | {"seconds": seconds})
    return folder


def summary(folder: RunDirectory) -> str:
    """A table: teacher, student, what is kept of the teacher's result, sizes and operations."""
    results = folder.record["results"]
    lines = []
    split, values = next(iter(results["splits"].items()))
    ours, theirs = results["model"], results["teacher"]
    lines.append(
        f"{split + ', ' + format(values['examples'], ',') + ' examples':32}{'teacher':>12}{'student':>12}{'':>4}ratio"
    )
    for name, value in values.get("metrics", {}).items():
        other = values["teacher_metrics"][name]
        lines.append(
            _row(name, f"{100 * other:.2f}", f"{100 * value:.2f}", f"{100 * value / other:.2f} % kept" if other else "")
        )
    rows = (
        ("parameters", "parameters", 1e6, "M"),
        ("float32", "size_bytes", 1e6, "MB"),
        ("operations", "flops", 1e9, "GFLOP"),
    )
    for title, key, unit, suffix in rows:
        name = f"{title}, {ours['length']} tokens" if key == "flops" else title
        ratio = f"{theirs[key] / ours[key]:.1f} x less"
        lines.append(_row(name, f"{theirs[key] / unit:.2f} {suffix}", f"{ours[key] / unit:.2f} {suffix}", ratio))
    if "agreement" in values:
        lines.append(_row("same answer", "", f"{100 * values['agreement']:.2f} %", ""))
    times = ", ".join(f"{name} {_minutes(value)}" for name, value in results["seconds"].items())
    lines += ["", f"Time     {times}"] if times else [""]
    lines += [
        f"Student  {folder.path / 'student' / 'model'}",
        f"Details  {folder.path / 'evaluation'}",
        f"Next     python -m tinybert_tf.main --stage=predict --model={folder.path / 'student'} --text='…'",
    ]
    return "\n".join(lines)


def _row(name: str, teacher: str, student: str, ratio: str) -> str:
    return f"{name:32}{teacher:>12}{student:>12}    {ratio}".rstrip()


def _minutes(seconds: float) -> str:
    return f"{int(seconds // 60)}:{int(seconds % 60):02d}"
