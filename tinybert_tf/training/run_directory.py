"""A run directory: settings, metrics, checkpoints and the model of one run."""

import hashlib
import importlib.metadata
import json
import os
import platform
from pathlib import Path

import filelock
import numpy as np

from tinybert_tf.errors import InputError

_PACKAGES = ("tinybert-tf", "tensorflow", "keras", "keras-hub", "tensorflow-text", "numpy")


class RunDirectory:
    """The folder of a run: `run.json`, `metrics.jsonl`, `model/`, `checkpoints/`, `tensorboard/`.

    Looking at one changes nothing on disk; `start` makes it.

    Args:
        path: the folder, which may not exist yet.
        stage: name of the stage.
        settings: everything that shapes the result. A folder that holds a run of other settings is refused.

    Attributes:
        was_finished: whether the run was over when this object was made.

    Raises:
        InputError: the folder holds another run, or something else.
    """

    def __init__(self, path: str | Path, stage: str, settings: dict):
        self.path = Path(path).expanduser()
        self.stage = stage
        self.settings = json.loads(json.dumps(settings))  # as they will be read back
        self.record = self._read()
        self.was_finished = self.finished

    @property
    def finished(self) -> bool:
        """Whether the run is over and its model saved."""
        return self.record.get("status") == "finished"

    @property
    def model(self) -> Path:
        """The folder of the trained model."""
        return self.path / "model"

    @property
    def checkpoints(self) -> Path:
        """The folder of the checkpoints."""
        return self.path / "checkpoints"

    @property
    def tensorboard(self) -> Path:
        """The folder that TensorBoard reads."""
        return self.path / "tensorboard"

    def finished_with(self, inputs: dict[str, str]) -> bool:
        """Whether the run is over.

        Raises:
            InputError: it is, but one of these inputs is not what it was.
        """
        if self.finished:
            self._check(inputs)
        return self.finished

    def _check(self, inputs: dict[str, str]) -> None:
        before = self.record.get("inputs", inputs)
        changed = [name for name in inputs if before.get(name) != inputs[name]]
        if changed:
            got = f"content other than when {self.path} began"
            raise InputError(changed[0], got, "the same, or another --output_dir")

    def start(self, inputs: dict[str, str]) -> filelock.FileLock:
        """Creates the folder, or goes on with it, and locks it against a second process.

        Args:
            inputs: SHA-256 of what the run reads, by name.

        Raises:
            InputError: an input is not what it was when the run began, or another process is at work here.
        """
        self._check(inputs)
        self.path.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(self.path / ".lock")
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            raise InputError(
                "output_dir", f"{self.path}, in which another process is at work", "one run at a time"
            ) from None
        if self._read() != self.record:
            lock.release()
            got = f"{self.path}, in which another process was at work meanwhile"
            raise InputError("output_dir", got, "the same command once more")
        if not self.record:
            self.record = {
                "stage": self.stage,
                "status": "running",
                "settings": self.settings,
                "inputs": inputs,
                "versions": _versions(),
            }
            self._write()
        return lock

    def finish(self, results: dict) -> None:
        """Marks the run as over and keeps its results in `run.json`."""
        self.record |= {"status": "finished", "results": results}
        self._write()

    def log(self, step: int, values: dict) -> None:
        """Appends a line to `metrics.jsonl`."""
        with (self.path / "metrics.jsonl").open("a", encoding="utf-8") as stream:
            stream.write(json.dumps({"step": step, **values}) + "\n")

    def metrics(self) -> list[dict]:
        """Returns the lines of `metrics.jsonl`."""
        file = self.path / "metrics.jsonl"
        lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
        return [json.loads(line) for line in lines]

    def held_out(self, number: int) -> dict[str, float]:
        """Returns an evaluation's values by name: 0 is the first one, -1 the last; {} where there was none."""
        found = []
        for line in self.metrics():
            values = {name.removeprefix("held_out/"): v for name, v in line.items() if name.startswith("held_out/")}
            found += [values] if values else []
        return found[number] if found else {}

    def rewind(self, step: int) -> None:
        """Drops what `metrics.jsonl` holds of later steps, and a line that was cut off by a kill."""
        file = self.path / "metrics.jsonl"
        if not file.exists():
            return
        kept = []
        for line in file.read_text(encoding="utf-8").splitlines():
            try:
                if json.loads(line)["step"] <= step:
                    kept.append(line + "\n")
            except json.JSONDecodeError:
                break
        replace_text(file, "".join(kept))

    def _read(self) -> dict:
        file = self.path / "run.json"
        if not file.is_file():
            if self.path.exists() and not self.path.is_dir():
                raise InputError("output_dir", f"{self.path}, which is a file", "a folder")
            # A kill before the first write is done leaves these and nothing else.
            begun = {".lock", ".run.json.partial"}
            if self.path.is_dir() and {entry.name for entry in self.path.iterdir()} - begun:
                raise InputError("output_dir", f"{self.path}, which holds other files", "a new folder, or one of a run")
            return {}
        record = json.loads(file.read_text(encoding="utf-8"))
        theirs = {"stage": record["stage"], **record["settings"]}
        for name, value in {"stage": self.stage, **self.settings}.items():
            if theirs.get(name) != value:
                got = f"{self.path}, a run with {name}={theirs.get(name)!r}"
                raise InputError("output_dir", got, f"{name}={value!r} as now asked for, or another folder")
        return record

    def _write(self) -> None:
        replace_text(self.path / "run.json", json.dumps(self.record, indent=2) + "\n")


def replace_text(path: Path, text: str) -> None:
    """Writes a file whole or not at all."""
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    partial.replace(path)


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version(), "platform": platform.platform()}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return versions


def digest_of(model) -> str:
    """Returns the SHA-256 of a model's weights."""
    digest = hashlib.sha256()
    for variable in model.weights:
        digest.update(np.ascontiguousarray(variable).data)
    return digest.hexdigest()
