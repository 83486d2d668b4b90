"""Names of files and models for workers, whose current folder may be another one."""

import dataclasses
from typing import TypeVar

from tinybert_tf import assets
from tinybert_tf.files import path_of
from tinybert_tf.settings.fields import Settings, about

_WORDS = ("", "english", *assets.ASSETS)  # which name no file, whatever files there are
_Config = TypeVar("_Config", bound=Settings)


def absolute(name: str) -> str:
    """Returns the absolute path of a file or folder that exists; any other name as it is."""
    path = path_of(name)
    return str(path.absolute()) if name not in _WORDS and path.exists() else name


def with_absolute_places(config: _Config) -> _Config:
    """Returns settings whose files and models are named by absolute paths."""
    places = [field.name for field in dataclasses.fields(config) if about(field).place]
    return dataclasses.replace(config, **{name: absolute(getattr(config, name)) for name in places})
