"""PyTorch: `pytorch_model.bin`, or shards of it, in both forms that `torch.save` has written: a zip, and before
PyTorch 1.6 one stream of pickles and numbers. PyTorch is not needed, and nothing in a file is run (`inert_pickle`).

The numbers stay in the mapped file until a tensor is read.
"""

import io
import zipfile
from pathlib import Path, PurePosixPath

import numpy as np

from tinybert_tf.errors import InputError
from tinybert_tf.presets.formats import inert_pickle
from tinybert_tf.presets.formats.inert_pickle import Refused, Storage, View
from tinybert_tf.presets.formats.stored import StoredTensor, files_of

WEIGHTS_FILE, SHARD_INDEX_FILE = "pytorch_model.bin", "pytorch_model.bin.index.json"
HUB_FILES = (WEIGHTS_FILE, SHARD_INDEX_FILE, "pytorch_model-*-of-*.bin")

_EXPECTED = "a dict of tensors from torch.save; or load the model where it comes from and save it as safetensors"
_MAGIC = 0x1950A86A20F9469CFC6C  # the first pickle of the old form
_ZIP = b"PK\3\4"  # at the beginning of a zip, and of each of its members
_LOCAL_HEADER = 30  # bytes before the name of a member of a zip
_TYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8", "I32": "<i4", "I16": "<i2"}
_TYPES |= {"I8": "<i1", "U8": "<u1", "BOOL": "?"}


def find(folder: Path) -> dict[str, StoredTensor]:
    """Returns the tensors in a folder's PyTorch files by name; none if it has no such file.

    Raises:
        InputError: A file is missing or damaged, or holds anything but tensors by name.
    """
    tensors = {}
    for path in files_of(folder, WEIGHTS_FILE, SHARD_INDEX_FILE):
        try:
            tensors |= _open(path)
        except (Refused, OSError) as error:
            raise InputError("preset", f"{path} with {error}", _EXPECTED) from None
    return tensors


def _open(path: Path) -> dict[str, StoredTensor]:
    if not path.stat().st_size:
        raise Refused("no content")
    raw = np.memmap(path, np.uint8, "r")
    content, storages = _read_zip(path, raw) if raw[:4].tobytes() == _ZIP else _read_stream(raw)
    if type(content) is not dict:
        raise Refused(f"a {type(content).__name__} in place of a dict")
    tensors = {}
    for name, view in content.items():
        if not isinstance(view, View):
            raise Refused(f"{name[:80]!a}, which is a {type(view).__name__} and no tensor")
        values = storages.get(view.storage.key)
        if values is None or len(values) < view.storage.length * np.dtype(_TYPES[view.storage.kind]).itemsize:
            raise Refused(f"{name[:80]!a}, whose numbers are not all there")
        tensors[name] = StoredTensor(
            path, view.shape, view.storage.kind, lambda view=view, values=values: _values(view, values)
        )
    return tensors


def _values(view: View, raw: np.ndarray) -> np.ndarray:
    kind = np.dtype(_TYPES[view.storage.kind])
    flat = raw[: view.storage.length * kind.itemsize].view(kind)[view.offset :]
    strides = [stride * kind.itemsize for stride in view.strides]
    values = np.lib.stride_tricks.as_strided(flat, view.shape, strides, writeable=False)
    if view.storage.kind == "BF16":  # the upper half of a float32
        return (values.astype("<u4") << 16).view("<f4")
    return values


def _read_zip(path: Path, raw: np.ndarray):
    """Returns the content of a zip, and the bytes of its storages by key.

    Its members are read where they lie, by their names: nothing is unpacked. A compressed one, of which a few bytes
    could become any number, is refused; so is a name that could mean two members, or a place outside.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, UnicodeError) as error:
        raise Refused(f"a damaged zip ({error})") from None
    names = [PurePosixPath(member.filename) for member in members]
    if len(set(names)) < len(names) or any(name.is_absolute() or ".." in name.parts for name in names):
        raise Refused("a member twice, or outside of the archive")
    found = {name: _member(raw, member) for name, member in zip(names, members)}
    pickles = [name for name in names if name.name == "data.pkl" and len(name.parts) == 2]
    if len(pickles) != 1:
        raise Refused("no single data.pkl")
    root = pickles[0].parent
    if found.get(root / "byteorder", raw[:0]).tobytes() not in (b"", b"little"):
        raise Refused("numbers of another byte order")
    content = inert_pickle.read(_head(found[pickles[0]]))
    return content, {name.name: part for name, part in found.items() if name.parent == root / "data"}


def _member(raw: np.ndarray, member: zipfile.ZipInfo) -> np.ndarray:
    """Returns the bytes of a member of a zip."""
    start = member.header_offset
    header = raw[start : start + _LOCAL_HEADER].tobytes() if start >= 0 else b""
    if member.compress_type != zipfile.ZIP_STORED or member.flag_bits & 1 or member.file_size != member.compress_size:
        raise Refused(f"{member.filename[:80]!a}, which is compressed or encrypted")
    if len(header) < _LOCAL_HEADER or header[:4] != _ZIP:
        raise Refused("a damaged zip (a member is not where it should be)")
    start += _LOCAL_HEADER + int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
    if start + member.file_size > len(raw):
        raise Refused("a damaged zip (it ends too early)")
    return raw[start : start + member.file_size]


def _read_stream(raw: np.ndarray):
    """Returns the content of the form before PyTorch 1.6, and the bytes of its storages by key.

    It is five pickles: a magic number, a version, the machine, the content, the keys of the storages. Then come the
    storages in that order, each with its length in front.
    """
    stream = _head(raw)
    try:
        magic = inert_pickle.read(stream)
    except Refused:
        magic = None
    if magic != _MAGIC:  # a tar before PyTorch 0.2, or no weights at all
        raise Refused("neither the zip nor the stream that torch.save writes")
    _, machine, content, keys = (inert_pickle.read(stream) for _ in range(4))
    if type(machine) is not dict or machine.get("little_endian") is not True:
        raise Refused("numbers of another byte order")
    if type(content) is not dict or type(keys) is not list:
        raise Refused("no dict of tensors")
    referred = {view.storage.key: view.storage for view in content.values() if isinstance(view, View)}
    storages, start = {}, stream.tell()
    for key in keys:
        storage = referred.get(key) if isinstance(key, str) else None
        length = int.from_bytes(raw[start : start + 8].tobytes(), "little")
        if not isinstance(storage, Storage) or length != storage.length:
            raise Refused("a storage that no tensor has, or of another length")
        end = start + 8 + length * np.dtype(_TYPES[storage.kind]).itemsize
        storages[key], start = raw[start + 8 : end], end
    return content, storages


def _head(raw: np.ndarray) -> io.BytesIO:
    return io.BytesIO(raw[: inert_pickle.LONGEST].tobytes())
