"""Exporters of a student for other runtimes: one module per format, with the name that `--export_formats` takes.

A new format is a module here, a line in `settings.stages.export.EXPORT_FORMATS`, and its extra in `setup.py`.
The module has

- `NAME`: the name of the format, and of the module;
- `EXTRAS`: the packages that only this format needs, as a tuple of `Extra`;
- `export(reference, folder, config)`: writes the format into the folder, and returns what was measured, by file.
"""

import importlib.util
from collections.abc import Iterable
from typing import NamedTuple

from tinybert_tf.errors import InputError


class Extra(NamedTuple):
    """A package that only one value of a setting needs: the setting, its value, the module, and our extra for it."""

    setting: str
    value: str
    module: str
    name: str


def require_extras(extras: Iterable[Extra], config) -> None:
    """Checks that the packages that the settings need are installed; imports none of them.

    Raises:
        InputError: A package is missing.
    """
    for setting, value, module, name in extras:
        if value in getattr(config, setting) and importlib.util.find_spec(module) is None:
            raise InputError(setting, f"{value!r} without {module}", f"pip install 'tinybert-tf[{name}]'")
