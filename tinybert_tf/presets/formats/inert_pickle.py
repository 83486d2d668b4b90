"""Reads the pickles that PyTorch writes for a dict of tensors, as data: nothing that they name is imported or called.

`pickletools` cuts a pickle into its opcodes without running them. This module acts on the few opcodes that a dict of
tensors needs, with plain containers and the objects below, and refuses all others. A pickle names functions and
classes; here a name stays a `Name`, and only those in `_CALLS` mean anything.
"""

import dataclasses
import io
import pickletools
from typing import Any

# Bytes of a pickle: hundreds per tensor, so far more than any model needs.
LONGEST = 1 << 24
# Storage classes of PyTorch, and the types of their numbers in the names of safetensors.
STORAGES = {
    "torch.DoubleStorage": "F64",
    "torch.FloatStorage": "F32",
    "torch.HalfStorage": "F16",
    "torch.BFloat16Storage": "BF16",
    "torch.LongStorage": "I64",
    "torch.IntStorage": "I32",
    "torch.ShortStorage": "I16",
    "torch.CharStorage": "I8",
    "torch.ByteStorage": "U8",
    "torch.BoolStorage": "BOOL",
}
_TEXTS = {"BINUNICODE", "SHORT_BINUNICODE", "BINSTRING", "SHORT_BINSTRING"}
_NUMBERS = {"BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT"}
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_MARK = object()


class Refused(Exception):
    """What a pickle holds besides tensors in dicts, lists and tuples, or what is wrong with it."""


@dataclasses.dataclass(frozen=True)
class Name:
    """The name of a function or class."""

    name: str


@dataclasses.dataclass(frozen=True)
class Storage:
    """A flat array that a pickle refers to: its key in the archive, its length, the type of its numbers."""

    key: str
    length: int
    kind: str


@dataclasses.dataclass(frozen=True)
class View:
    """A tensor: a part of a storage, which it does not exceed. Sizes, strides and offset are in numbers, not bytes."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def read(stream: io.BytesIO) -> Any:
    """Reads one pickle from a stream, and stops behind it.

    Returns:
        Text, numbers, None, dicts, lists and tuples of them, and `View`s, `Storage`s and `Name`s.

    Raises:
        Refused: It is damaged, or holds anything else.
    """
    machine = _Machine()
    try:
        for opcode, argument, _ in pickletools.genops(stream):
            machine.step(opcode.name, argument)
    except (ValueError, IndexError, KeyError, TypeError) as error:
        raise Refused(f"a damaged pickle ({error})") from None
    if len(machine.stack) != 1:
        raise Refused("a damaged pickle (its end comes too early)")
    return machine.stack[0]


class _Machine:
    """The stack and the memo of a pickle."""

    def __init__(self):
        self.stack, self.memo = [], {}

    def step(self, name: str, argument: Any) -> None:
        """Acts on an opcode."""
        stack = self.stack
        if name in _TEXTS or name in _NUMBERS:
            stack.append(argument)
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name in ("BINPUT", "LONG_BINPUT", "MEMOIZE"):
            self.memo[len(self.memo) if name == "MEMOIZE" else argument] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            stack.append(self.memo[argument])
        elif name in _TUPLES:
            stack.append(tuple(self._pop() for _ in range(_TUPLES[name]))[::-1])
        elif name in ("MARK", "EMPTY_DICT", "EMPTY_LIST"):
            stack.append(_MARK if name == "MARK" else {} if name == "EMPTY_DICT" else [])
        elif name in _ACTIONS:
            _ACTIONS[name](self, argument)
        elif name not in ("PROTO", "FRAME", "STOP"):
            raise Refused(f"the instruction {name}")

    def _pop(self) -> Any:
        value = self.stack.pop()
        if value is _MARK:
            raise ValueError("a mark in place of a value")
        return value

    def _pop_to_mark(self) -> list:
        values = []
        while (value := self.stack.pop()) is not _MARK:
            values.append(value)
        return values[::-1]

    def _tuple(self, _):
        self.stack.append(tuple(self._pop_to_mark()))

    def _append(self, _):
        value = self._pop()
        _expect(self.stack[-1], list).append(value)

    def _appends(self, _):
        values = self._pop_to_mark()
        _expect(self.stack[-1], list).extend(values)

    def _setitem(self, _):
        value, key = self._pop(), self._pop()
        _expect(self.stack[-1], dict)[_expect(key, str)] = value

    def _setitems(self, _):
        values = self._pop_to_mark()
        items = _expect(self.stack[-1], dict)
        for key, value in zip(values[::2], values[1::2], strict=True):
            items[_expect(key, str)] = value

    def _global(self, argument):
        self._name(argument.replace(" ", ".", 1))

    def _stack_global(self, _):
        name, module = _expect(self._pop(), str), _expect(self._pop(), str)
        self._name(f"{module}.{name}")

    def _name(self, name: str) -> None:
        if name not in _CALLS and name not in STORAGES:
            raise Refused(f"{name[:80]!a}, which is code")
        self.stack.append(Name(name))

    def _reduce(self, _):
        arguments, function = _expect(self._pop(), tuple), _expect(self._pop(), Name)
        if function.name not in _CALLS:
            raise Refused(f"a call of {function.name}")
        self.stack.append(_CALLS[function.name](*arguments[:4]))

    def _build(self, _):
        # A dict of tensors has a `_metadata`: the versions of its layers, which nobody needs here.
        _expect(self._pop(), dict)
        _expect(self.stack[-1], dict)

    def _binpersid(self, _):
        tag, kind, key, _, length, *view = _expect(self._pop(), tuple)
        kind, key, length = STORAGES.get(_expect(kind, Name).name), _expect(key, str), _expect(length, int)
        if tag != "storage" or kind is None or length < 0 or view not in ([], [None]):
            raise Refused("a reference that is no storage of numbers")
        self.stack.append(Storage(key, length, kind))


_ACTIONS = {
    "TUPLE": _Machine._tuple,
    "APPEND": _Machine._append,
    "APPENDS": _Machine._appends,
    "SETITEM": _Machine._setitem,
    "SETITEMS": _Machine._setitems,
    "GLOBAL": _Machine._global,
    "STACK_GLOBAL": _Machine._stack_global,
    "REDUCE": _Machine._reduce,
    "BUILD": _Machine._build,
    "BINPERSID": _Machine._binpersid,
}


def _expect(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        raise Refused(f"a {type(value).__name__} in place of a {kind.__name__}")
    return value


def _ordered_dict(*arguments) -> dict:
    if arguments:
        raise Refused("an OrderedDict that is made of something")
    return {}


def _tensor(storage, offset, shape, strides) -> View:
    """Returns a tensor, as `_rebuild_tensor_v2` does; it has no more numbers than its storage."""
    _expect(storage, Storage)
    numbers = [_expect(offset, int), *_expect(shape, tuple), *_expect(strides, tuple)]
    if any(_expect(number, int) < 0 for number in numbers) or len(shape) != len(strides) or len(shape) > 8:
        raise Refused("a tensor of impossible shape or strides")
    count, last = 1, offset
    for size, stride in zip(shape, strides):
        count, last = count * size, last + (size - 1) * stride
    if count > storage.length or (count and last >= storage.length) or (not count and offset > storage.length):
        raise Refused("a tensor that exceeds its storage")
    return View(storage, offset, shape, strides)


def _parameter(data, *_) -> View:
    return _expect(data, View)


# What a pickle may call, and what is done instead.
_CALLS = {
    "collections.OrderedDict": _ordered_dict,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_parameter": _parameter,
}
