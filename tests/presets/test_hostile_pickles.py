"""A hostile `pytorch_model.bin` does nothing but be refused, in one line."""

import pickle
import struct
import zipfile

import numpy as np
import pytest

from tests.presets import torch_files
from tests.presets.torch_files import ORDERED_DICT, ROW, number, numbers, state_dict, storage, tensor, text
from tinybert_tf.errors import InputError
from tinybert_tf.presets.formats import inert_pickle
from tinybert_tf.presets.tensors import Tensors

GOOD = tensor(storage("FloatStorage", "0", 6), 0, (6,), (1,))
SYSTEM = b"cos\nsystem\n"
BAD_VALUES = {
    "GLOBAL and REDUCE": (SYSTEM + b"(" + text("touch harm") + b"tR", "'os.system', which is code"),
    "STACK_GLOBAL": (text("os") + text("system") + b"\x93" + text("touch harm") + b"\x85R", "'os.system', which is"),
    "STACK_GLOBAL of what is no text": (number(1) + number(2) + b"\x93", "a int in place of a str"),
    "INST": (b"(" + text("touch harm") + b"ios\nsystem\n", "the instruction INST"),
    "OBJ": (b"(" + SYSTEM + text("touch harm") + b"o", "'os.system', which is code"),
    "OBJ of a known name": (b"(ccollections\nOrderedDict\no", "the instruction OBJ"),
    "NEWOBJ": (b"ccollections\nOrderedDict\n)\x81", "the instruction NEWOBJ"),
    "NEWOBJ_EX": (b"ccollections\nOrderedDict\n)}\x92", "the instruction NEWOBJ_EX"),
    "EXT1": (b"\x82\x01", "the instruction EXT1"),
    "EXT4": (b"\x84\x01\x00\x00\x00", "the instruction EXT4"),
    "PERSID": (b"Pos.system\n", "the instruction PERSID"),
    "a dotted name": (b"ctorch._utils\n_rebuild_tensor_v2.__globals__\n", "which is code"),
    "a space in a name": (b"ctorch FloatStorage\nx\n", "which is code"),
    "builtins": (b"cbuiltins\neval\n(" + text("harm()") + b"tR", "'builtins.eval', which is code"),
    "getattr": (b"cbuiltins\ngetattr\n", "'builtins.getattr', which is code"),
    "torch.load": (b"ctorch\nload\n", "'torch.load', which is code"),
    "a whole model": (b"ctransformers.models.bert.modeling_bert\nBertModel\n", "BertModel', which is code"),
    "a call of a storage class": (b"ctorch\nFloatStorage\n)R", "a call of torch.FloatStorage"),
    "a call of text": (text("os.system") + b")R", "a str in place of a Name"),
    "an OrderedDict of something": (
        b"ccollections\nOrderedDict\n" + numbers([1]) + b"R",
        "an OrderedDict that",
    ),
    "BUILD of a name": (b"ctorch\nFloatStorage\n}b", "a Name in place of a dict"),
    "BUILD with what is no dict": (b"}" + numbers([1]) + b"b", "a tuple in place of a dict"),
    "bytes": (b"C\x01a", "the instruction SHORT_BINBYTES"),
    "a nested pickle": (b"cpickle\nloads\n(C\x01.tR", "'pickle.loads', which is code"),
    "a number": (number(3), "'bad', which is a int and no tensor"),
    "a dict": (b"}", "'bad', which is a dict and no tensor"),
    "a name": (b"ctorch\nFloatStorage\n", "'bad', which is a Name and no tensor"),
    "a storage": (storage("FloatStorage", "0", 6), "'bad', which is a Storage and no tensor"),
    "a list in itself": (b"]q\x01h\x01a", "'bad', which is a list and no tensor"),
    "a key that is no text": (b"}" + number(1) + number(2) + b"s", "a int in place of a str"),
    "an unknown storage": (b"ctorch\nComplexFloatStorage\n", "'torch.ComplexFloatStorage', which is code"),
    "a reference to a function": (b"(" + text("storage") + ORDERED_DICT + b"NNNtQ", "a dict in place of a Name"),
    "a reference to a call": (
        b"(" + text("storage") + b"ccollections\nOrderedDict\n" + text("0") + text("cpu") + number(6) + b"tQ",
        "a reference that is no storage of numbers",
    ),
    "a reference of text": (text("os.system") + b"Q", "a str in place of a tuple"),
    "a short reference": (numbers([1, 2]) + b"Q", "a damaged pickle"),
    "a negative storage": (storage("FloatStorage", "0", -6), "a reference that is no storage"),
    "an old view of a storage": (storage("FloatStorage", "0", 6)[:-2] + number(1) + b"tQ", "a reference that is no"),
    "a tensor of nothing": (b"ctorch._utils\n_rebuild_tensor_v2\n)R", "a damaged pickle"),
    "a tensor of text": (
        b"ctorch._utils\n_rebuild_tensor_v2\n(" + text("a") * 6 + b"tR",
        "in place of a Storage",
    ),
    "a parameter of text": (torch_files.parameter(text("a")), "a str in place of a View"),
    "behind its storage": (tensor(storage("FloatStorage", "0", 6), 1, (6,), (1,)), "a tensor that exceeds its storage"),
    "strides too wide": (tensor(storage("FloatStorage", "0", 6), 0, (2, 3), (4, 1)), "a tensor that exceeds its"),
    "a negative stride": (tensor(storage("FloatStorage", "0", 6), 5, (6,), (-1,)), "impossible shape or strides"),
    "a negative offset": (tensor(storage("FloatStorage", "0", 6), -1, (6,), (1,)), "impossible shape or strides"),
    "a negative size": (tensor(storage("FloatStorage", "0", 6), 0, (-6, -1), (1, 1)), "impossible shape or strides"),
    "fewer strides": (tensor(storage("FloatStorage", "0", 6), 0, (2, 3), (1,)), "impossible shape or strides"),
    "too many axes": (tensor(storage("FloatStorage", "0", 6), 0, (1,) * 40, (1,) * 40), "impossible shape or strides"),
    "a bomb by strides": (tensor(storage("FloatStorage", "0", 6), 0, (2**40,), (0,)), "a tensor that exceeds its"),
    "sizes that overflow": (tensor(storage("FloatStorage", "0", 6), 0, (2**62, 4), (1, 1)), "a tensor that exceeds"),
    "a true size": (
        tensor(storage("FloatStorage", "0", 6), 0, (6,), (1,)).replace(numbers([6]), b"\x88\x85", 1),
        "a bool in place of a int",
    ),
    "a storage larger than its member": (tensor(storage("FloatStorage", "0", 7), 0, (6,), (1,)), "not all there"),
    "a storage of wider numbers": (tensor(storage("DoubleStorage", "0", 6), 0, (6,), (1,)), "not all there"),
    "a storage that is missing": (tensor(storage("FloatStorage", "1", 6), 0, (6,), (1,)), "not all there"),
    "a storage elsewhere": (tensor(storage("FloatStorage", "../data.pkl", 6), 0, (6,), (1,)), "not all there"),
    "no such memo": (b"h\x09", "a damaged pickle"),
    "a huge memo": (b"Nr\xff\xff\xff\xff0", "the instruction POP"),
    "no such opcode": (b"\xff", "a damaged pickle"),
    "a stack that is empty": (b"RRRRRR", "in place of a"),
    "a mark in place of a value": (b"}(s", "a damaged pickle"),
    "an odd number of items": (b"}(" + text("a") + b"u", "a damaged pickle"),
    "text that ends too late": (b"X\xff\xff\xff\x7fa", "a damaged pickle"),
}


def refused(folder):
    """The one line of a refusal."""
    with pytest.raises(InputError) as caught:
        Tensors(folder)
    line = str(caught.value)
    assert "\n" not in line and str(folder / "pytorch_model.bin") in line and "torch.save" in line
    return line


@pytest.mark.parametrize("case", BAD_VALUES)
def test_hostile_values_are_refused(tmp_path, monkeypatch, case):
    """Nothing is run, imported or written: `os.system` would leave a file in this folder."""
    monkeypatch.chdir(tmp_path)
    content, message = BAD_VALUES[case]
    pickled = state_dict([("good", GOOD), ("bad", content)])
    torch_files.write_zip(tmp_path / "pytorch_model.bin", pickled, {"0": ROW.tobytes()})
    assert message in refused(tmp_path)
    old = pickled.replace(number(6) + b"tQ", number(6) + b"NtQ")
    torch_files.write_stream(tmp_path / "pytorch_model.bin", old, {"0": ROW})
    refused(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["pytorch_model.bin"]


def test_what_pickle_itself_would_run_is_refused(tmp_path):
    """Python's own pickles of objects with `__reduce__`, in every protocol."""

    class Harm:
        def __reduce__(self):
            return (exec, (f"open({str(tmp_path / 'harm')!r}, 'w')",))

    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        for value in (Harm(), {"a": Harm()}, {"a": [Harm()]}):
            torch_files.write_zip(tmp_path / "pytorch_model.bin", pickle.dumps(value, protocol), {"0": ROW.tobytes()})
            refused(tmp_path)
            (tmp_path / "pytorch_model.bin").write_bytes(pickle.dumps(value, protocol))
            refused(tmp_path)
    assert not (tmp_path / "harm").exists()


@pytest.mark.filterwarnings("ignore:invalid escape sequence")
def test_random_damage_raises_no_other_error(tmp_path):
    """Files with random bytes changed are read or refused, in both forms."""
    rng, file = np.random.default_rng(0), tmp_path / "pytorch_model.bin"
    for old in (False, True):
        torch_files.save({"a": ROW, "b": ROW.reshape(2, 3)}, file, old)
        content = np.frombuffer(file.read_bytes(), np.uint8)
        for _ in range(400):
            damaged = content.copy()
            damaged[rng.integers(0, len(content), rng.integers(1, 4))] = rng.integers(0, 256)
            file.write_bytes(damaged[: rng.choice([len(content), rng.integers(0, len(content))])].tobytes())
            try:
                found = Tensors(tmp_path)
                for name in found.names:
                    found.read(name, found.shape(name))
            except InputError as error:
                assert "\n" not in str(error)


PICKLE = state_dict([("good", GOOD)])
BAD_ZIPS = {
    "compressed": ({"compression": zipfile.ZIP_DEFLATED}, "'archive/data.pkl', which is compressed or encrypted"),
    "absolute": ({"extra": [("/etc/passwd", b"")]}, "a member twice, or outside of the archive"),
    "outside": ({"extra": [("archive/../../x", b"")]}, "a member twice, or outside of the archive"),
    "the same path twice": ({"extra": [("archive//data/0", b"")]}, "a member twice, or outside of the archive"),
    "two pickles": ({"extra": [("other/data.pkl", PICKLE)]}, "no single data.pkl"),
    "code": ({"extra": [("archive/code/x.py", b"")], "pickle": b"cos\nsystem\n."}, "'os.system', which is code"),
    "a list": ({"pickle": b"]."}, "a list in place of a dict"),
    "no end": ({"pickle": PICKLE[:-1]}, "a damaged pickle"),
    "nothing": ({"pickle": b""}, "a damaged pickle"),
}


@pytest.mark.parametrize("case", BAD_ZIPS)
def test_hostile_zips_are_refused(tmp_path, case):
    change, message = BAD_ZIPS[case]
    given = {"pickle": PICKLE, "data": {"0": ROW.tobytes()}} | change
    torch_files.write_zip(tmp_path / "pytorch_model.bin", **given)
    assert message in refused(tmp_path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_member_twice_is_refused(tmp_path):
    extra = [("archive/data/0", ROW.tobytes())]
    torch_files.write_zip(tmp_path / "pytorch_model.bin", PICKLE, {"0": ROW.tobytes()}, extra=extra)
    assert "a member twice" in refused(tmp_path)


def test_a_zip_of_another_byte_order_is_refused(tmp_path):
    torch_files.write_zip(tmp_path / "pytorch_model.bin", PICKLE, {"0": ROW.tobytes()})
    file = tmp_path / "pytorch_model.bin"
    file.write_bytes(file.read_bytes().replace(b"little", b"bigbig"))
    assert "another byte order" in refused(tmp_path)


def test_a_member_that_is_said_to_be_longer_is_refused(tmp_path):
    """The zip's directory says that a storage has more bytes than the file."""
    file = tmp_path / "pytorch_model.bin"
    torch_files.write_zip(file, PICKLE, {"0": ROW.tobytes()})
    size = struct.pack("<II", ROW.nbytes, ROW.nbytes)
    file.write_bytes(file.read_bytes().replace(size, struct.pack("<II", 2**30, 2**30)))
    assert "a damaged zip (it ends too early)" in refused(tmp_path)


OLD = state_dict([("good", tensor(storage("FloatStorage", "0", 6, old=True), 0, (6,), (1,)))])
BAD_STREAMS = {
    "byte order": ({"little": False}, "another byte order"),
    "length": ({"counts": {"0": 7}}, "a storage that no tensor has, or of another length"),
    "huge length": ({"counts": {"0": 2**62}}, "a storage that no tensor has, or of another length"),
    "a storage more": ({"data": {"0": ROW, "1": ROW}}, "a storage that no tensor has, or of another length"),
    "a storage less": ({"data": {}}, "'good', whose numbers are not all there"),
    "too few numbers": ({"data": {"0": ROW[:4]}, "counts": {"0": 6}}, "'good', whose numbers are not all there"),
    "a number": ({"pickle": b"K\x01."}, "no dict of tensors"),
    "no keys": ({"pickle": OLD + b"K\x01."}, "no dict of tensors"),
}


@pytest.mark.parametrize("case", BAD_STREAMS)
def test_hostile_streams_are_refused(tmp_path, case):
    change, message = BAD_STREAMS[case]
    torch_files.write_stream(tmp_path / "pytorch_model.bin", **({"pickle": OLD, "data": {"0": ROW}} | change))
    assert message in refused(tmp_path)


@pytest.mark.parametrize(
    "content", [b"", b"version https://git-lfs", b"PK\3\4", torch_files.MAGIC, b"\0" * 600], ids=repr
)
def test_other_files_are_refused(tmp_path, content):
    (tmp_path / "pytorch_model.bin").write_bytes(content)
    refused(tmp_path)


def test_a_pickle_has_a_largest_size(tmp_path, monkeypatch):
    monkeypatch.setattr(inert_pickle, "LONGEST", 40)
    torch_files.write_zip(tmp_path / "pytorch_model.bin", PICKLE, {"0": ROW.tobytes()})
    assert "a damaged pickle" in refused(tmp_path)
