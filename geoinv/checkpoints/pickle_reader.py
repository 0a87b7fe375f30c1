"""Reading pickles without running them: a pickle machine that only ever makes plain data.

Python's own ``pickle.Unpickler`` imports and calls whatever a file names, and even with an allow-list it allocates what
a file claims: one opcode with a large memo index takes gigabytes. Here a global is an entry of a table given by the
caller, an object is a record of its class's name and state, a length is checked against the bytes that are there, and
large byte strings are slices of the file. Nothing is imported and nothing of the file is called.

Protocols 2 to 5, as ``pickle.dump`` and ``torch.save`` write them.
"""

from __future__ import annotations

import pickle
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import CheckpointError

MAX_OPERATIONS = 1_000_000
"""Limits for one file: several times what EG3D's files need, and at most some hundred megabytes of small objects."""

_MAX_TEXT = 1 << 22  # bytes of one string; the longest in use are modules' sources
_SHOWN = 60  # characters of a name in a message


@dataclass(frozen=True)
class Class:
    """A class that may be named: as a constant, or instantiated to an empty record (or ``{}`` if it is a dict)."""

    name: str
    is_dict: bool = False


@dataclass(frozen=True)
class Function:
    """A function that may be named and called; what stands in for it is ours."""

    name: str
    call: Callable[..., Any]


@dataclass(eq=False)
class Instance:
    """An object of the file: its class's name and what its ``__setstate__`` would have been given."""

    class_name: str
    state: Any = field(default_factory=dict)


Resolve = Callable[[str, str], "Class | Function"]


@dataclass
class Budget:
    """Operations that are left, over a file and the pickles within it."""

    left: int = MAX_OPERATIONS


class PickleReader:
    """One pickle in a buffer.

    Args:
        data: The file; ``start`` is where the pickle begins.
        resolve: Module and name to what stands in for it; raises CheckpointError for what is not allowed.
        persistent: Persistent ids (torch's storages) to values; without it they are refused.
        budget: Shared by the pickles of a file.
    """

    def __init__(
        self,
        data: memoryview,
        resolve: Resolve,
        *,
        start: int = 0,
        persistent: Callable[[Any], Any] | None = None,
        budget: Budget | None = None,
    ) -> None:
        self.data = data
        self.position = start
        self._resolve = resolve
        self._persistent = persistent
        self._budget = budget or Budget()
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}

    def load(self) -> Any:
        """The value of the pickle; ``position`` is then just behind it.

        Raises:
            CheckpointError: Cut, damaged, too large, or naming something that is not allowed.
        """
        try:
            while (opcode := self._take(1)[0]) != _STOP:
                self._budget.left -= 1
                if self._budget.left < 0:
                    raise CheckpointError("the pickle has more objects than any network")
                operation = _OPERATIONS.get(opcode)
                if operation is None:
                    raise CheckpointError(f"the pickle has an opcode that is not read: {bytes([opcode])!r}")
                operation(self)
            return self._stack.pop()
        except (IndexError, KeyError, TypeError, ValueError, OverflowError, struct.error) as error:
            raise CheckpointError(f"the pickle is damaged near byte {self.position}") from error

    def _take(self, count: int) -> memoryview:
        end = self.position + count
        if end > len(self.data):
            raise CheckpointError("the pickle is cut short")
        taken = self.data[self.position : end]
        self.position = end
        return taken

    def _number(self, code: str) -> int:
        value: int = struct.unpack("<" + code, self._take(struct.calcsize("<" + code)))[0]
        return value

    def _push(self, value: Any) -> None:
        self._stack.append(value)

    def _since_mark(self) -> list[Any]:
        mark = self._marks.pop()
        values = self._stack[mark:]
        del self._stack[mark:]
        return values

    def _skip_frame(self) -> None:
        self._take(8)  # frames only help readers of streams

    def _text(self, code: str) -> None:
        count = self._number(code)
        if count > _MAX_TEXT:
            raise CheckpointError(f"the pickle claims a string of {count} bytes")
        self._push(str(self._take(count), "utf-8", "surrogatepass"))

    def _bytes(self, code: str) -> None:
        self._push(self._take(self._number(code)))

    def _long(self) -> None:
        self._push(int.from_bytes(self._take(self._number("B")), "little", signed=True))

    def _memoize(self, index: int) -> None:
        self._memo[index] = self._stack[-1]

    def _tuple(self, count: int) -> None:
        if count > len(self._stack):
            raise IndexError
        values = tuple(self._stack[len(self._stack) - count :])
        del self._stack[len(self._stack) - count :]
        self._push(values)

    def _set_items(self, values: list[Any]) -> None:
        target = self._stack[-1]
        if type(target) is not dict or len(values) % 2:
            raise TypeError
        for key, value in zip(values[::2], values[1::2], strict=True):
            target[_checked_key(key)] = value

    def _append(self, values: list[Any]) -> None:
        target = self._stack[-1]
        if type(target) is set:
            target.update(_checked_key(value) for value in values)
        elif type(target) is list:
            target.extend(values)
        else:
            raise TypeError

    def _global_in_text(self) -> None:
        names = []
        for _ in range(2):
            rest = bytes(self.data[self.position : self.position + 512])
            line, newline, _ = rest.partition(b"\n")
            if not newline:
                raise CheckpointError("the pickle is cut short in a name")
            self.position += len(line) + 1
            names.append(line.decode("utf-8"))
        self._push(self._resolve(*names))

    def _global_on_stack(self) -> None:
        name, module = self._stack.pop(), self._stack.pop()
        if type(name) is not str or type(module) is not str:
            raise TypeError
        self._push(self._resolve(module, name))

    def _reduce(self) -> None:
        arguments, function = self._stack.pop(), self._stack.pop()
        if type(arguments) is not tuple:
            raise TypeError
        if type(function) is Class and function.is_dict and not arguments:
            self._push({})
        elif type(function) is Function:
            self._push(function.call(*arguments))
        else:
            raise CheckpointError(f"the pickle calls {_shown(function)}, which is not allowed")

    def _new_object(self, *, has_keywords: bool = False) -> None:
        if has_keywords:
            self._stack.pop()
        arguments, made = self._stack.pop(), self._stack.pop()
        if type(arguments) is not tuple or type(made) is not Class:
            raise CheckpointError(f"the pickle instantiates {_shown(made)}, which is not allowed")
        self._push({} if made.is_dict else Instance(made.name))

    def _build(self) -> None:
        state = self._stack.pop()
        target = self._stack[-1]
        if type(target) is Instance:
            if type(state) is not dict and type(state) is not tuple:
                raise TypeError
            target.state = state
        elif type(target) is not dict:  # what a dict carries besides its items (state_dict's _metadata) is dropped
            raise CheckpointError(f"the pickle sets the state of {_shown(target)}, which is not allowed")

    def _persistent_id(self) -> None:
        if self._persistent is None:
            raise CheckpointError("the pickle has a persistent id, which only files of torch.save have")
        self._push(self._persistent(self._stack.pop()))


def _checked_key(key: Any) -> Any:
    """A key whose hash cannot be made to collide by whoever wrote the file."""
    if type(key) is str or key is None or (type(key) is int and -(2**31) <= key < 2**32):
        return key
    raise TypeError


def _shown(value: Any) -> str:
    """For a message, without following what the value holds."""
    if isinstance(value, Class | Function):
        return value.name[:_SHOWN]
    return f"a {type(value).__name__}"


_STOP = pickle.STOP[0]
_Operation = Callable[[PickleReader], Any]


def _pushing(value: Any) -> _Operation:
    return lambda reader: reader._push(value)


_OPERATIONS: Mapping[int, _Operation] = {
    code[0]: operation
    for code, operation in {
        pickle.PROTO: lambda r: r._take(1),
        pickle.FRAME: PickleReader._skip_frame,
        pickle.MARK: lambda r: r._marks.append(len(r._stack)),
        pickle.POP: lambda r: r._stack.pop(),
        pickle.POP_MARK: PickleReader._since_mark,
        pickle.DUP: lambda r: r._push(r._stack[-1]),
        pickle.NONE: _pushing(None),
        pickle.NEWTRUE: _pushing(True),
        pickle.NEWFALSE: _pushing(False),
        pickle.EMPTY_TUPLE: _pushing(()),
        pickle.EMPTY_LIST: lambda r: r._push([]),
        pickle.EMPTY_DICT: lambda r: r._push({}),
        pickle.EMPTY_SET: lambda r: r._push(set()),
        pickle.BININT: lambda r: r._push(r._number("i")),
        pickle.BININT1: lambda r: r._push(r._number("B")),
        pickle.BININT2: lambda r: r._push(r._number("H")),
        pickle.LONG1: PickleReader._long,
        pickle.BINFLOAT: lambda r: r._push(struct.unpack(">d", r._take(8))[0]),
        pickle.SHORT_BINUNICODE: lambda r: r._text("B"),
        pickle.BINUNICODE: lambda r: r._text("I"),
        pickle.BINUNICODE8: lambda r: r._text("Q"),
        pickle.SHORT_BINBYTES: lambda r: r._bytes("B"),
        pickle.BINBYTES: lambda r: r._bytes("I"),
        pickle.BINBYTES8: lambda r: r._bytes("Q"),
        pickle.BYTEARRAY8: lambda r: r._bytes("Q"),
        pickle.TUPLE1: lambda r: r._tuple(1),
        pickle.TUPLE2: lambda r: r._tuple(2),
        pickle.TUPLE3: lambda r: r._tuple(3),
        pickle.TUPLE: lambda r: r._push(tuple(r._since_mark())),
        pickle.FROZENSET: lambda r: r._push({_checked_key(value) for value in r._since_mark()}),
        pickle.APPEND: lambda r: r._append([r._stack.pop()]),
        pickle.APPENDS: lambda r: r._append(r._since_mark()),
        pickle.ADDITEMS: lambda r: r._append(r._since_mark()),
        pickle.SETITEM: lambda r: r._set_items([r._stack.pop(), r._stack.pop()][::-1]),
        pickle.SETITEMS: lambda r: r._set_items(r._since_mark()),
        pickle.BINPUT: lambda r: r._memoize(r._number("B")),
        pickle.LONG_BINPUT: lambda r: r._memoize(r._number("I")),
        pickle.MEMOIZE: lambda r: r._memoize(len(r._memo)),
        pickle.BINGET: lambda r: r._push(r._memo[r._number("B")]),
        pickle.LONG_BINGET: lambda r: r._push(r._memo[r._number("I")]),
        pickle.GLOBAL: PickleReader._global_in_text,
        pickle.STACK_GLOBAL: PickleReader._global_on_stack,
        pickle.REDUCE: PickleReader._reduce,
        pickle.BUILD: PickleReader._build,
        pickle.NEWOBJ: PickleReader._new_object,
        pickle.NEWOBJ_EX: lambda r: r._new_object(has_keywords=True),
        pickle.BINPERSID: PickleReader._persistent_id,
    }.items()
}
