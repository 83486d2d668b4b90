"""A run directory: settings, metrics, checkpoints and the model of one run."""

import hashlib
import importlib.metadata
import json
import platform
from collections.abc import Collection
from pathlib import Path

import filelock
import numpy as np

from tinybert_tf.errors import InputError
from tinybert_tf.files import PARTIAL, json_text, path_of, read_json, write_text

RECORD_FILE = "run.json"
_PACKAGES = ("tinybert-tf", "tensorflow", "keras", "keras-hub", "tensorflow-text", "numpy")


class RunDirectory:
    """The folder of a run: `run.json`, `metrics.jsonl`, `model/`, `checkpoints/`, `tensorboard/`.

    Making this object changes nothing on disk; `start` makes the folder.

    Args:
        path: The folder, which may not exist yet.
        stage: Name of the stage.
        settings: All settings that affect the result. A folder that holds a run of other settings is refused.
        defaults: Values of settings that the record may lack because they are newer than it.
        renamed: New names of settings and inputs by their old ones, which an older record has.
        free: Names of settings that a run may be resumed with other values of. Among them are paths and names of
            models: what is read there has a digest among the inputs, so that folders may be moved and renamed.

    Attributes:
        free: The argument.
        was_finished: Whether the run was finished when this object was made.

    Raises:
        InputError: The folder holds another run, or something else, or a damaged record.
    """

    def __init__(
        self,
        path: str | Path,
        stage: str,
        settings: dict,
        defaults: dict | None = None,
        renamed: dict[str, str] | None = None,
        free: Collection[str] = (),
    ):
        self.path = path_of(path)
        self.stage = stage
        self._renamed, self.free = renamed or {}, free
        self.settings = json.loads(json.dumps(settings))  # as they will be read back
        self._defaults = json.loads(json.dumps(defaults or {}))
        self.record = self._read()
        self.was_finished = self.finished

    @property
    def finished(self) -> bool:
        """Whether the run is finished and its model saved."""
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
    def has_checkpoint(self) -> bool:
        """Whether an interrupted run left a checkpoint to resume from."""
        return any(self.checkpoints.glob("step-*.safetensors"))

    @property
    def tensorboard(self) -> Path:
        """The folder that TensorBoard reads."""
        return self.path / "tensorboard"

    def part(self, name: str) -> "RunDirectory":
        """Returns the run directory of a part of this run, in a folder of that name in this one."""
        return type(self)(self.path / name, name, self.settings, self._defaults, self._renamed, self.free)

    def finished_with(self, inputs: dict[str, str]) -> bool:
        """Returns whether the run is finished.

        Raises:
            InputError: It is, but one of these inputs has changed.
        """
        if self.finished:
            self._check(inputs)
        return self.finished

    def _check(self, inputs: dict[str, str]) -> None:
        before, settings = self.record.get("inputs", {}), self.record.get("settings", {})
        free = sorted(self.settings.keys() & set(self.free))
        named = [name for name in free if settings.get(name, self.settings[name]) != self.settings[name]]
        mended = {self.record.get("unread")} - set(named)  # under another name it is something else
        changed = [name for name in inputs if before.get(name, inputs[name]) != inputs[name] and name not in mended]
        if changed:
            got = f"content that has changed since {self.path} began"
            got += "".join(f" ({name}={settings[name]!r}, now {self.settings[name]!r})" for name in named)
            raise InputError(changed[0], got, "the same, or another --output_dir")

    def start(self, inputs: dict[str, str]) -> filelock.FileLock:
        """Creates the folder, or resumes the run in it, and locks it against a second process.

        Args:
            inputs: SHA-256 of each input of the run, by name.

        Raises:
            InputError: An input has changed since the run began, or another process is at work here.
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
            raise InputError("output_dir", got, "the command to be repeated")
        if not self.record:
            self.record = {
                "stage": self.stage,
                "status": "running",
                "settings": self.settings,
                "inputs": inputs,
                "versions": _versions(),
            }
            self._write()
        elif not self.finished:
            now = {"settings": self.settings, "inputs": inputs}
            if self.record.pop("unread", None) or now != {name: self.record.get(name) for name in now}:
                self.record |= now
                self._write()
        return lock

    def note_unread(self, name: str) -> None:
        """Notes that a part of this input could not be read; mended, it may differ when the run is resumed."""
        self.record["unread"] = name
        self._write()

    def finish(self, results: dict) -> None:
        """Marks the run as finished and keeps its results in `run.json`."""
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
        """Returns an evaluation's values by name: 0 is the first one, -1 the last; {} if there was none."""
        found = []
        for line in self.metrics():
            values = {name.removeprefix("held_out/"): v for name, v in line.items() if name.startswith("held_out/")}
            found += [values] if values else []
        return found[number] if found else {}

    def rewind(self, step: int) -> None:
        """Drops the lines of later steps from `metrics.jsonl`, and a line that a kill cut off."""
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
        write_text(file, "".join(kept))

    def _read(self) -> dict:
        if not (self.path / RECORD_FILE).is_file():
            if self.path.exists() and not self.path.is_dir():
                raise InputError("output_dir", f"{self.path}, which is a file", "a folder")
            # A kill before the end of the first write leaves these and nothing else.
            names = [entry.name for entry in self.path.iterdir()] if self.path.is_dir() else []
            if [name for name in names if name != ".lock" and not name.endswith(PARTIAL)]:
                raise InputError("output_dir", f"{self.path}, which holds other files", "a new folder, or one of a run")
            return {}
        record = read_record(self.path)
        results = record.get("results", {})
        if isinstance(results, dict) and "updates" in results:  # the name of steps in older versions
            results["steps"] = results.pop("updates")
        for part in {"settings", "inputs"} & set(record):
            record[part] = {self._renamed.get(name, name): value for name, value in record[part].items()}
        theirs = {"stage": record["stage"], **self._defaults, **record["settings"]}
        for name, value in {"stage": self.stage, **self.settings}.items():
            if name not in self.free and theirs.get(name) != value:
                got = f"{self.path}, a run with {name}={theirs.get(name)!r}"
                raise InputError("output_dir", got, f"{name}={value!r}, as asked for now, or another folder")
        return record

    def _write(self) -> None:
        write_text(self.path / RECORD_FILE, json_text(self.record, ensure_ascii=True))


def read_record(folder: Path, argument: str = "output_dir") -> dict:
    """Returns the content of a run's `run.json`: stage, status, settings, inputs and versions, and later its results.

    Args:
        folder: The run directory.
        argument: Name of the argument that errors blame.

    Raises:
        InputError: The file is missing or damaged.
    """
    file = folder / RECORD_FILE
    record = read_json(file, argument)
    kinds = {"stage": str, "settings": dict} | ({"results": dict} if record.get("status") == "finished" else {})
    broken = [name for name, kind in kinds.items() if not isinstance(record.get(name), kind)]
    broken += [name for name in ("inputs", "versions") if not isinstance(record.get(name, {}), dict)]
    if broken:
        got = f"{file} without a readable {broken[0]!r}"
        raise InputError(argument, got, "the record of a run; remove the folder to begin anew")
    return record


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
