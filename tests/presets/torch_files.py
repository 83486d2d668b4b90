"""Writes files as `torch.save` does, opcode by opcode, without PyTorch: good ones, and any other."""

import struct
import zipfile

import numpy as np

STORAGES = {
    "float64": "DoubleStorage",
    "float32": "FloatStorage",
    "float16": "HalfStorage",
    "bfloat16": "BFloat16Storage",
    "int64": "LongStorage",
    "int8": "CharStorage",
}
ROW = np.arange(6, dtype="float32")
ORDERED_DICT = b"ccollections\nOrderedDict\n)R"
MAGIC = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."


def text(value):
    return b"X" + struct.pack("<I", len(value.encode())) + value.encode()


def number(value):
    if 0 <= value < 256:
        return b"K" + bytes([value])
    if -(2**31) <= value < 2**31:
        return b"J" + struct.pack("<i", value)
    return b"\x8a\x10" + value.to_bytes(16, "little", signed=True)


def numbers(values):
    return b"(" + b"".join(map(number, values)) + b"t"


def storage(kind, key, count, old=False, place="cpu"):
    """A reference to a storage; the old form has one part more."""
    name = f"ctorch\n{kind}\n".encode()
    return b"(" + text("storage") + name + text(key) + text(place) + number(count) + (b"N" if old else b"") + b"tQ"


def tensor(stored, offset, shape, strides):
    rest = number(offset) + numbers(shape) + numbers(strides) + b"\x89" + ORDERED_DICT
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + stored + rest + b"tR"


def whole(key, value, old=False):
    """The tensor that is all of its storage."""
    strides = [stride // value.itemsize for stride in np.empty(value.shape, value.dtype).strides]
    return tensor(storage(STORAGES[value.dtype.name], key, value.size, old), 0, value.shape, strides)


def parameter(content):
    return b"ctorch._utils\n_rebuild_parameter\n(" + content + b"\x88" + ORDERED_DICT + b"tR"


def state_dict(items):
    """The pickle of an OrderedDict with `_metadata`, from (name, opcodes of the value)."""
    body = b"".join(text(name) + content for name, content in items)
    metadata = b"}" + text("_metadata") + ORDERED_DICT + b"sb"
    return b"\x80\x02" + ORDERED_DICT + b"(" + body + b"u" + metadata + b"."


def write_zip(path, pickle, data, compression=zipfile.ZIP_STORED, extra=()):
    """The form since PyTorch 1.6; `data` are the bytes of each storage, `extra` further members."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("archive/data.pkl", pickle)
        archive.writestr("archive/byteorder", b"little")
        for key, content in data.items():
            archive.writestr(f"archive/data/{key}", content)
        archive.writestr("archive/version", b"3\n")
        for name, content in extra:
            archive.writestr(name, content)


def write_stream(path, pickle, data, little=True, counts=None):
    """The form before PyTorch 1.6; `data` are the arrays of each storage."""
    machine = b"\x80\x02}(" + text("protocol_version") + number(1001) + text("little_endian")
    machine += (b"\x88" if little else b"\x89") + b"u."
    keys = b"\x80\x02](" + b"".join(map(text, data)) + b"e."
    content = MAGIC + b"\x80\x02" + number(1001) + b"." + machine + pickle + keys
    for key, value in data.items():
        content += struct.pack("<q", (counts or {}).get(key, value.size)) + value.tobytes()
    path.write_bytes(content)


def save(tensors, path, old=False):
    """A dict of arrays, as `torch.save` writes it in either form."""
    arrays = {str(i): np.ascontiguousarray(value) for i, value in enumerate(tensors.values())}
    items = [(name, whole(key, value, old)) for name, (key, value) in zip(tensors, arrays.items())]
    if old:
        write_stream(path, state_dict(items), arrays)
    else:
        write_zip(path, state_dict(items), {key: value.tobytes() for key, value in arrays.items()})
