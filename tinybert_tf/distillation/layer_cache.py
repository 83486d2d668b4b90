"""A teacher's layers and answers on texts that are read again and again: computed once, kept on disk in 16 bits."""

import hashlib
import math
import shutil
from collections.abc import Container
from pathlib import Path

import numpy as np
from absl import logging
from tqdm import tqdm

from tinybert_tf.configs import INPUTS
from tinybert_tf.data.batches import Rows
from tinybert_tf.distillation.distiller import TinyBertDistiller
from tinybert_tf.distillation.features import encoder_of
from tinybert_tf.distillation.matches import Match
from tinybert_tf.errors import InputError
from tinybert_tf.files import path_of, write_whole
from tinybert_tf.training import devices
from tinybert_tf.training.run_directory import digest_of

_TYPE = np.float16
_ROWS = 256  # whose tokens are hashed together


def cache_folder(folder: str | Path) -> Path:
    """Returns the folder of caches, which it makes.

    Raises:
        InputError: It cannot be made.
    """
    path = path_of(folder)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _not_written(folder, error) from None
    return path


class LayerCache:
    """Rows of tokens, each with the teacher's side of all that a distiller matches.

    The teacher then is in no step. A row's features lie together in a file, without padding; half
    precision keeps each number to 0.05 %. The file's name is a digest of the teacher, of what is matched and
    of the tokens, so runs share it. It is written whole or not at all.

    Args:
        distiller: The distiller.
        rows: The rows.
        folder: Folder of the file; it is made if it does not exist.
        batch_size: Rows that the teacher reads at a time.
        given: Names of what batches have of the teacher in any case, such as `teacher_logits`.

    Raises:
        InputError: The folder has too little room, cannot be written, or half precision cannot hold the features.
    """

    def __init__(
        self,
        distiller: TinyBertDistiller,
        rows: Rows,
        folder: str | Path,
        batch_size: int = 32,
        given: Container[str] = (),
    ):
        self._rows, self.lengths = rows, rows.lengths
        found = {match.given_as: match for match in distiller.matches if match.given_as not in given}
        self._matches: dict[str, Match] = found
        self._teacher = distiller.teacher
        known, places = np.unique(self.lengths, return_inverse=True)
        sizes = np.array([sum(math.prod(self._shape(name, int(length))) for name in found) for length in known])
        self._starts = np.concatenate([[0], np.cumsum(sizes.astype(np.int64)[places])])
        self._bytes = int(self._starts[-1]) * _TYPE().itemsize
        file = cache_folder(folder) / f"{self._key(distiller)}.f16"
        try:
            if not (file.is_file() and file.stat().st_size == self._bytes):
                self._write(distiller, file, batch_size)
            self._values = np.memmap(file, _TYPE, "r", shape=(int(self._starts[-1]),))
        except OSError as error:
            raise _not_written(folder, error) from None

    def rows(self, places: np.ndarray) -> dict[str, np.ndarray]:
        """Returns the inputs at these places, and the teacher's features, float16 and padded with zeros."""
        inputs = self._rows.rows(places)
        length = inputs["token_ids"].shape[1]
        padded = {name: np.zeros((len(places), *self._shape(name, length)), _TYPE) for name in self._matches}
        for row, place in enumerate(places):
            values, begin = self._values[self._starts[place] : self._starts[place + 1]], 0
            for name, target in padded.items():
                shape = self._shape(name, int(self.lengths[place]))
                end = begin + math.prod(shape)
                target[(row, *map(slice, shape))] = values[begin:end].reshape(shape)
                begin = end
        return inputs | padded

    def _shape(self, name: str, length: int) -> tuple[int, ...]:
        return self._matches[name].loss.feature.shape(self._teacher, length)

    def _key(self, distiller: TinyBertDistiller) -> str:
        encoder = encoder_of(self._teacher)
        policy = encoder.dtype_policy.name
        with_head = any(match.loss.feature.is_answer for match in self._matches.values())
        weights = digest_of(self._teacher if with_head else encoder)
        says = f"{weights} {encoder.config} {policy} {distiller.match_position_bias} {[*self._matches]}"
        digest = hashlib.sha256(says.encode())
        for begin in range(0, len(self.lengths), _ROWS):
            inputs = self._rows.rows(np.arange(begin, min(begin + _ROWS, len(self.lengths))))
            digest.update(b"".join(inputs[name].tobytes() + b"|" for name in INPUTS))
        return digest.hexdigest()[:32]

    def _write(self, distiller: TinyBertDistiller, file: Path, batch_size: int) -> None:
        matches, order = list(self._matches.values()), np.argsort(self.lengths, kind="stable")
        run = devices.Forward(lambda inputs: distiller.teachers_features(inputs, matches), INPUTS)
        with write_whole(file, "wb") as stream:  # which sweeps away what a killed run has left
            self._check_room(file)
            with tqdm(total=len(order), desc="teacher's layers", unit="text", dynamic_ncols=True) as bar:
                for begin in range(0, len(order), batch_size):
                    places = order[begin : begin + batch_size]
                    inputs = self._rows.rows(places)
                    found = run({name: inputs[name] for name in INPUTS})
                    for row, place in enumerate(places):
                        stream.seek(int(self._starts[place]) * _TYPE().itemsize)
                        stream.write(self._block(found, row, int(self.lengths[place])))
                    bar.update(len(places))

    def _check_room(self, file: Path) -> None:
        free, needed = shutil.disk_usage(file.parent).free / 1e9, self._bytes / 1e9
        if needed > free:
            expected = f"{needed:.1f} GB for the teacher's layers on these texts"
            raise InputError("layer_cache", f"{file.parent} with {free:.1f} GB of room", expected)
        logging.info("The teacher's layers on %d texts: %.2f GB in %s", len(self.lengths), needed, file)

    def _block(self, found: dict[str, np.ndarray], row: int, length: int) -> bytes:
        """Returns the features of one row, one after another, without padding."""
        parts = []
        for name in self._matches:
            with np.errstate(over="ignore"):  # said below
                part = found[name][(row, *map(slice, self._shape(name, length)))].astype(_TYPE)
            if not np.isfinite(part).all():
                got = "numbers in the teacher's layers that half precision cannot hold"
                raise InputError("layer_cache", got, f"none beyond {np.finfo(_TYPE).max:.0f}, or no cache")
            parts.append(np.ascontiguousarray(part).tobytes())
        return b"".join(parts)


def _not_written(folder: str | Path, error: OSError) -> InputError:
    return InputError("layer_cache", f"{folder} ({error.strerror})", "a folder to write to")
