"""The text of `--help`, from the settings themselves."""

import dataclasses
import textwrap

from tinybert_tf.settings.fields import About, about, shown_value
from tinybert_tf.settings.stages import STAGES

WIDTH = 100
_COMMAND = "python -m tinybert_tf.main"


def usage(stage: str | None) -> str:
    """Returns the help text, of one stage or of all."""
    return _stages() if stage is None else _flags(stage)


def _stages() -> str:
    lines = ["TinyBERT in Keras and TensorFlow: distils a BERT into a small and fast text classifier.", ""]
    lines += [f"  {_COMMAND} --stage=STAGE [--flag=value …]", f"  {_COMMAND} --stage=STAGE --help", ""]
    lines += [f"The command `tinybert` is short for `{_COMMAND}`.", "", "Stages"]
    for name, config in STAGES.items():
        text = _purpose(config)
        lines += _wrapped(f"Start here: {text}" if name == "all" else _sentence(text), f"  {name:12}", 14)
    return "\n".join(lines)


def _flags(stage: str) -> str:
    config = STAGES[stage]
    lines = [f"{_COMMAND} --stage={stage} [--flag=value …]", "", *_wrapped(_sentence(_purpose(config)))]
    for group, fields in config.grouped():
        lines += ["", group]
        for field in fields:
            known = about(field)
            lines += _wrapped(f"default: {_default(field, known)}", f"  --{field.name}  ", 10)
            lines += _wrapped(_meaning(known, isinstance(field.default, tuple)), " " * 6, 6)
    return "\n".join(lines)


def _purpose(config) -> str:
    """Returns what a stage does, which its docstring says after "Settings of `--stage=…`: "."""
    return config.__doc__.split("`: ", 1)[1].strip()


def _default(field: dataclasses.Field, known: About) -> str:
    return known.default_means or shown_value(field.default) or "none"


def _meaning(known: About, several: bool) -> str:
    expected = known.expected(several)
    if isinstance(known.choices, dict):
        expected = "choices: " + ", ".join(f"{name} ({meaning})" for name, meaning in known.choices.items())
    return f"{known.help} {_sentence(expected)}." if expected else known.help


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _wrapped(text: str, first: str = "", indent: int = 0) -> list[str]:
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=first,
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
