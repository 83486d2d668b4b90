"""A setting is a field of a frozen dataclass that knows its help, its group in the help, and which values fit."""

import dataclasses
import math
from collections.abc import Iterator
from typing import ClassVar

from tinybert_tf.errors import InputError

# The headings of `--help`, in its order.
GROUPS = ("Data", "Model", "Augmentation", "Distillation", "Training", "Export", "Run")
DATA, MODEL, AUGMENTATION, DISTILLATION, TRAINING, EXPORT, RUN = GROUPS


@dataclasses.dataclass(frozen=True)
class About:
    """Everything about a setting besides its name, type and default.

    Args:
        help: Text of `--help`, a whole phrase.
        group: Heading of the flag, one of `GROUPS`.
        default_means: Meaning of a default that is not itself a value, such as 0 for the task's recipe. `--help` shows
            it in place of the default, which need not be within the bounds.
        first: Whether the flag is the first of its group.
        at_least: Smallest number that fits; in a tuple each number has to.
        above: Number that a value must exceed.
        at_most: Largest number that fits.
        below: Number that a value must not reach.
        place: Whether the value names a file or a model, which may be moved while a run that reads it is unfinished.
        choices: Words from which the value is chosen, maybe with their meanings; a tuple has some of them, each once.
    """

    help: str
    group: str
    default_means: str = ""
    first: bool = False
    place: bool = False
    at_least: float | None = None
    above: float | None = None
    at_most: float | None = None
    below: float | None = None
    choices: tuple[str, ...] | dict[str, str] = ()

    def fits(self, value) -> bool:
        """Returns whether a value other than the default is within the bounds, or among the choices."""
        if isinstance(value, float) and not math.isfinite(value):
            return False
        if self.choices and isinstance(value, tuple):
            return bool(value) and set(value) <= set(self.choices) and len(set(value)) == len(value)
        if self.choices:
            return value in self.choices
        if self._has_bounds and isinstance(value, tuple):
            return bool(value) and all(map(self.fits, value))
        return not self._has_bounds or (
            (self.at_least is None or value >= self.at_least)
            and (self.above is None or value > self.above)
            and (self.at_most is None or value <= self.at_most)
            and (self.below is None or value < self.below)
        )

    def expected(self, several: bool = False) -> str:
        """Returns which values fit, in words for errors and the help; "" if all do.

        Args:
            several: Whether the value is a tuple.
        """
        if self.choices:
            listed = ", ".join(self.choices)
            return f"some of {listed}, each once" if several else f"one of {listed}"
        if several and self._has_bounds:
            return f"each {self.expected().removeprefix('a number ')}"
        low, high = self.at_least, self.at_most
        if low is not None and high is None and self.below is None:
            return f"{low} or more"
        if low is not None:
            return f"a number from {low} to {high if high is not None else f'below {self.below}'}"
        if self.above is not None:
            upper = f", up to {high}" if high is not None else f" and below {self.below}" if self.below else ""
            return f"a number above {self.above}{upper}"
        return ""

    @property
    def _has_bounds(self) -> bool:
        return any(bound is not None for bound in (self.at_least, self.above, self.at_most, self.below))


def setting(default, help: str, group: str, **bounds):
    """Returns a field of a stage's config: a flag of that name; `bounds` are the other arguments of `About`."""
    return dataclasses.field(default=default, metadata={"about": About(help, group, **bounds)})


def setting_like(config, name: str, **changes):
    """Returns another config's field with changes: `default`, or arguments of `About`."""
    field = config.__dataclass_fields__[name]
    default = changes.pop("default", field.default)
    return dataclasses.field(default=default, metadata={"about": dataclasses.replace(about(field), **changes)})


def about(field: dataclasses.Field) -> About:
    """Returns the `About` of a config's field."""
    return field.metadata["about"]


def shown_value(value) -> str:
    """Returns a value as it is typed on the command line, small numbers with powers of ten: true, a,b, 5e-4."""
    if isinstance(value, tuple):
        return ",".join(map(shown_value, value))
    if isinstance(value, float) and 0 < abs(value) < 0.01:
        mantissa, exponent = f"{value:e}".split("e")
        return f"{float(mantissa):g}e{int(exponent)}"
    return str(value).lower() if isinstance(value, bool) else str(value)


def require(config, name: str, fits: bool, expected: str) -> None:
    """Raises InputError, naming the setting, unless it fits."""
    if not fits:
        value = getattr(config, name)
        raise InputError(name, shown_value(value) or "nothing" if isinstance(value, tuple) else value, expected)


class Settings:
    """The base of every config: it refuses values that do not fit."""

    # New name of each setting by its old one, which flags and a run's `run.json` may have.
    RENAMED: ClassVar[dict[str, str]] = {}

    def __post_init__(self):
        """Raises InputError for values that do not fit."""
        for field in dataclasses.fields(self):
            value, known = getattr(self, field.name), about(field)
            if not (known.default_means and value == field.default):
                expected = known.expected(isinstance(value, tuple)) or "a finite number"
                require(self, field.name, known.fits(value), expected)

    @classmethod
    def grouped(cls) -> Iterator[tuple[str, list[dataclasses.Field]]]:
        """Yields each heading of the help, and its fields in the order of the help."""
        fields = sorted(dataclasses.fields(cls), key=lambda field: not about(field).first)
        for group in GROUPS:
            members = [field for field in fields if about(field).group == group]
            if members:
                yield group, members
