"""Training state in one safetensors file: written whole or not at all, read back bit for bit."""

import json
from pathlib import Path

import numpy as np
import safetensors
from safetensors.numpy import save

from tinybert_tf.errors import InputError
from tinybert_tf.files import write_whole

KEEP = 2  # the last one, and the one before it in case a disk fails


class Checkpoints:
    """The checkpoints of one run.

    Args:
        folder: Folder of the checkpoints, which the first save makes.
        variables: Every variable that training changes: weights, optimizer state, random seeds.
    """

    def __init__(self, folder: Path, variables: list):
        self.folder = folder
        # Not their paths: Keras numbers models in the order a process makes them, and a resumed run makes fewer.
        self.variables = {f"{i:04d}/{v.dtype}{list(v.shape)}": v for i, v in enumerate(variables)}

    def save(self, step: int, state: dict, keep: int | None = None) -> None:
        """Writes a checkpoint and drops old ones.

        Args:
            step: Optimizer steps so far.
            state: Everything else that the run needs to resume, as JSON can hold it.
            keep: Step of an older checkpoint that stays.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        tensors = {name: np.asarray(variable) for name, variable in self.variables.items()}
        content = save(tensors, metadata={"step": str(step), "state": json.dumps(state)})
        with write_whole(self._file(step), "wb") as stream:
            stream.write(content)
        for old in self._files()[:-KEEP]:
            if keep is None or old != self._file(keep):
                old.unlink()

    def restore(self, step: int | None = None) -> tuple[int, dict] | None:
        """Assigns a checkpoint to the variables; returns its step and state, or None if there is none.

        Args:
            step: Step of the checkpoint; the newest by default.

        Raises:
            InputError: The file does not hold these variables.
        """
        files = self._files() if step is None else [self._file(step)]
        if not files:
            return None
        try:
            with safetensors.safe_open(files[-1], framework="numpy") as file:
                if set(file.keys()) != set(self.variables):
                    raise InputError("output_dir", f"{files[-1]} of another model", "a checkpoint of this run")
                for name, variable in self.variables.items():
                    variable.assign(file.get_tensor(name))
                metadata = file.metadata()
        except safetensors.SafetensorError as error:
            expected = "a whole checkpoint (remove it to resume from the one before)"
            raise InputError("output_dir", f"{files[-1]} ({error})", expected) from None
        return int(metadata["step"]), json.loads(metadata["state"])

    def _file(self, step: int) -> Path:
        return self.folder / f"step-{step:09d}.safetensors"

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob("step-*.safetensors"))
