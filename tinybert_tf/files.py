"""Files and folders that are written whole or not at all, and JSON that is read with one-line errors.

One rule holds for all of them: the content is on the disk (fsync) before it gets its name, so that neither a kill nor
a power cut leaves half a file under that name.
"""

import contextlib
import errno
import glob
import json
import os
import platform
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from tinybert_tf.errors import InputError

# What `json.loads` and reading raise: for bad syntax or bytes, numbers of thousands of digits, endless nesting.
NOT_JSON = (ValueError, RecursionError)
PARTIAL = ".partial"  # suffix of files and folders that are still being written


def path_of(name: str | os.PathLike) -> Path:
    """Returns a path with ~ for the home folder; that of a user who does not exist stays as it is."""
    return Path(os.path.expanduser(name))


def read_json(path: Path, argument: str = "preset") -> dict:
    """Reads a JSON object.

    Args:
        path: The file.
        argument: Name of the argument that errors blame.

    Raises:
        InputError: The file is missing, or does not hold a JSON object.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(argument, f"no file {path}", "a folder that holds it") from None
    except NOT_JSON as error:
        raise InputError(argument, f"{path}, which is not JSON ({error})", "a JSON object") from None
    if not isinstance(content, dict):
        raise InputError(argument, f"{path} with a {type(content).__name__}", "a JSON object")
    return content


def json_row(line: str) -> dict | None:
    """Returns the JSON object in a line, None if there is none."""
    try:
        row = json.loads(line)
    except NOT_JSON:
        return None
    return row if isinstance(row, dict) else None


def json_text(content: dict, ensure_ascii: bool = False) -> str:
    """Returns a JSON object as text: indented, with a newline at its end.

    Args:
        content: The object.
        ensure_ascii: Whether to escape what is not ASCII, which also takes file names that are not Unicode.
    """
    return json.dumps(content, indent=2, ensure_ascii=ensure_ascii) + "\n"


@contextlib.contextmanager
def write_whole(path: Path, mode: str = "w") -> Iterator[IO]:
    """Yields a stream whose content becomes the file when the block ends; if the block fails, nothing changes.

    Args:
        path: The file, new or to be replaced.
        mode: "w" for text, in UTF-8 with plain newlines, or "wb".

    Raises:
        OSError: The file cannot be written.
    """
    partial = _partial(path.parent, path.name)
    text = {} if "b" in mode else {"encoding": "utf-8", "newline": "\n"}
    try:
        with partial.open(mode, **text) as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Writes a text file, whole or not at all."""
    with write_whole(path) as stream:
        stream.write(text)


@contextlib.contextmanager
def write_folder(folder: Path, last: str | None = None, obsolete: Sequence[str] = ()) -> Iterator[Path]:
    """Yields an empty folder whose content goes to `folder` when the block ends; if the block fails, nothing changes.

    A new folder appears in one step. An existing one keeps its other files. While the files are exchanged it has no
    `last`, so that a reader finds no whole folder rather than half of one.

    Args:
        folder: The folder, which is made if it does not exist.
        last: Name of the file by which readers know the folder; it is removed first and written last.
        obsolete: Names of files that a reader would use beside, or instead of, the new files; they are removed.

    Raises:
        OSError: The folder cannot be written.
    """
    # Inside an existing folder, which may be a file system of its own.
    partial = _partial(folder, "new") if folder.exists() else _partial(folder.parent, folder.name)
    partial.mkdir(parents=True)
    try:
        yield partial
        for file in partial.rglob("*"):
            if file.is_file():
                _sync(file)
        if folder.exists():
            _exchange(partial, folder, last, obsolete)
        else:
            partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _exchange(partial: Path, folder: Path, last: str | None, obsolete: Sequence[str]) -> None:
    made = sorted(partial.iterdir(), key=lambda made: made.name == last)
    for new in made:  # before anything is gone
        target = folder / new.name
        if target.is_dir() and not new.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(target))
    for name in (*([last] if last else ()), *obsolete):
        (folder / name).unlink(missing_ok=True)
    for new in made:
        if (folder / new.name).is_dir():
            shutil.rmtree(folder / new.name)
        new.replace(folder / new.name)


def sweep(folder: Path) -> None:
    """Removes what killed processes of any machine left unfinished in a folder in which nobody writes any more."""
    for left in folder.glob(f".*{PARTIAL}"):
        _remove(left)


def _partial(folder: Path, name: str) -> Path:
    """A path for what this process is writing under that name; what killed processes left there is swept away.

    On a shared file system another machine's processes cannot be seen, so its files stay.
    """
    ours = f".{name}.{platform.node()}."
    for left in folder.glob(f"{glob.escape(ours)}*{PARTIAL}"):
        process = left.name.removeprefix(ours).removesuffix(PARTIAL)
        if process.isdecimal() and not _is_running(int(process)):
            _remove(left)
    return folder / f"{ours}{os.getpid()}{PARTIAL}"


def _remove(left: Path) -> None:
    shutil.rmtree(left) if left.is_dir() else left.unlink(missing_ok=True)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # of another user
        return True
    return process != os.getpid()


def _sync(file: Path) -> None:
    with file.open("rb") as stream:
        os.fsync(stream.fileno())
