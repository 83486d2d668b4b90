"""Files that are one text in parts: a folder of shards, in the order of their numbers."""

import re
from pathlib import Path

from tinybert_tf.errors import InputError
from tinybert_tf.files import path_of

_NAME = re.compile(r"(.+)-(\d+)-of-(\d+)\.jsonl")


def shard_file(folder: Path, title: str, number: int, count: int) -> Path:
    """Returns the file of a shard of JSON lines."""
    return folder / f"{title}-{number:05d}-of-{count:05d}.jsonl"


def files_of(path: str, title: str, argument: str) -> list[str]:
    """Returns a file, or all shards of a folder.

    Args:
        path: The file or folder.
        title: What the names of the shards begin with.
        argument: Name of the argument that errors blame.

    Raises:
        InputError: The folder lacks a shard, or has none, or those of several runs.
    """
    folder = path_of(path)
    if not folder.is_dir():
        return [path]
    found = [_NAME.fullmatch(file.name) for file in folder.iterdir()]
    counts = {int(match[3]) for match in found if match and match[1] == title}
    if len(counts) > 1:
        got = f"{path} with shards of several runs: {' and '.join(f'-of-{count:05d}' for count in sorted(counts))}"
        raise InputError(argument, got, "the shards of one run")
    if not counts:
        raise InputError(argument, f"{path} without {title}-….jsonl", "a file, or a run of --stage=predict --runner=…")
    count = counts.pop()
    files = [shard_file(folder, title, number, count) for number in range(count)]
    missing = [file.name for file in files if not file.is_file()]
    if missing:
        got = f"{path} without {missing[0]}" + (f" and {len(missing) - 1} more" if missing[1:] else "")
        raise InputError(argument, got, "a finished run, with all of its shards")
    return [str(file) for file in files]
