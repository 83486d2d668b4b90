"""A tensor in a file, and the files of a model that is cut into shards."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tinybert_tf.errors import InputError
from tinybert_tf.files import read_json


@dataclasses.dataclass(frozen=True)
class StoredTensor:
    """A tensor that has been found in a file, and not read.

    Args:
        path: The file.
        shape: Shape of the tensor.
        kind: Type of its numbers, in the names of safetensors: "F32".
        values: Function that reads the tensor.
    """

    path: Path
    shape: tuple[int, ...]
    kind: str
    values: Callable[[], np.ndarray]


def files_of(folder: Path, whole: str, index: str) -> list[Path]:
    """Returns the files with a model's weights: the whole file, or the shards that an index names; or none.

    Shards are files in the folder itself: of a path in the index, only the last part counts.

    Raises:
        InputError: The index is damaged, or a shard is missing.
    """
    if (folder / whole).is_file():
        return [folder / whole]
    if not (folder / index).is_file():
        return []
    shards = read_json(folder / index).get("weight_map")
    if not isinstance(shards, dict) or not shards:
        raise InputError("preset", f"{folder / index} without weight_map", "an index of shards")
    files = [folder / name for name in sorted({Path(str(name)).name for name in shards.values()})]
    for file in files:
        if not file.is_file():
            raise InputError("preset", f"no file {file}", f"every shard that {index} names")
    return files
