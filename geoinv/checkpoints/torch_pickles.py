"""Tensors out of the files that torch writes, without torch reading them.

Three kinds: a plain pickle whose tensors carry their storages as bytes (NVlabs' networks), the zip of ``torch.save``,
and its older format, which is also what those bytes hold. A :class:`StoredTensor` knows its shape at once and reads its
numbers when asked, so that a file of several networks costs only the one that is wanted.
"""

from __future__ import annotations

import math
import re
import struct
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import torch
from torch import Tensor

from ..errors import CheckpointError
from .pickle_reader import Budget, Class, Function, Instance, PickleReader, Resolve

_STORAGE_TYPES = {
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "DoubleStorage": torch.float64,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}
_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_LEGACY_VERSION = 1001
_MAX_DIMENSIONS = 8
_MAX_DIRECTORY = 1 << 22  # bytes of a zip's directory; a network's is some ten thousand
_NUMPY_SCALARS = {"f8": "<d", "f4": "<f", "i8": "<q", "i4": "<i", "b1": "<?"}


@dataclass
class Storage:
    """Numbers of one type in a row; ``data`` is known once the file has been read to its end."""

    dtype: torch.dtype
    numel: int
    data: memoryview | None = None


@dataclass(frozen=True)
class EmbeddedStorage:
    """A storage as the bytes of an older torch.save, looked into when its tensor is read."""

    saved: memoryview
    budget: Budget

    def open(self) -> Storage:
        storage = read_legacy(self.saved, torch_globals(self.budget), self.budget)
        if type(storage) is not Storage:
            raise CheckpointError("a tensor's bytes hold no storage")
        return storage


@dataclass(frozen=True)
class StoredTensor:
    """A tensor in a file.

    Args:
        storage: Storage that its numbers are in.
        offset: Place of its first number there.
        shape: Sizes.
        stride: Steps in the storage.
    """

    storage: Storage | EmbeddedStorage
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]

    @property
    def numel(self) -> int:
        return math.prod(self.shape)

    def read(self) -> Tensor:
        """The tensor, contiguous, in memory of its own.

        Raises:
            CheckpointError: It reaches beyond its storage, or is larger than it.
        """
        storage = self.storage.open() if isinstance(self.storage, EmbeddedStorage) else self.storage
        extent = 1 + sum((size - 1) * step for size, step in zip(self.shape, self.stride, strict=True))
        if self.numel == 0:
            return torch.empty(self.shape, dtype=storage.dtype)
        if storage.data is None or self.offset + extent > storage.numel or self.numel > extent:
            raise CheckpointError(f"a tensor {list(self.shape)} does not fit its storage of {storage.numel}")
        size = storage.dtype.itemsize
        raw = bytearray(storage.data[self.offset * size : (self.offset + extent) * size])  # aligned, and writable
        return torch.frombuffer(raw, dtype=storage.dtype).as_strided(self.shape, self.stride).contiguous()


def read_torch_file(data: memoryview, resolve_more: Resolve) -> Any:
    """The plain data of a file of ``pickle.dump`` or ``torch.save``.

    Args:
        data: The file.
        resolve_more: Stands in for the globals that are not torch's; raises CheckpointError for others.

    Raises:
        CheckpointError: Cut, damaged, of another kind, or naming something that is not allowed.
    """
    if sys.byteorder != "little":
        raise CheckpointError("these files can only be read on little-endian machines")
    budget = Budget()
    resolve = torch_globals(budget, resolve_more)
    if bytes(data[:4]) == b"PK\x03\x04":
        return _read_zip(data, resolve, budget)
    if bytes(data[:1]) != b"\x80":
        raise CheckpointError("it is neither a pickle nor a file of torch.save")
    first = PickleReader(data, resolve, budget=budget).load()
    return read_legacy(data, resolve, budget) if first == _LEGACY_MAGIC else first


def read_legacy(data: memoryview, resolve: Resolve, budget: Budget) -> Any:
    """The older format: magic, version, system, the object, its storages' keys, and their numbers."""
    storages: dict[str, Storage] = {}

    def persistent(identity: Any) -> Storage:
        key, storage = _storage_of(identity)
        return storages.setdefault(key, storage)

    position = 0
    values = []
    for number in range(5):
        reader = PickleReader(
            data, resolve, start=position, persistent=persistent if number == 3 else None, budget=budget
        )
        values.append(reader.load())
        position = reader.position
    magic, version, system, value, keys = values
    if magic != _LEGACY_MAGIC or version != _LEGACY_VERSION or type(system) is not dict or type(keys) is not list:
        raise CheckpointError("it is not a file of torch.save")
    if system.get("little_endian") is not True:
        raise CheckpointError("it was written on a big-endian machine")
    for key in keys:
        storage = storages.get(key) if type(key) is str else None
        if storage is None or position + 8 > len(data):
            raise CheckpointError("the storages of the file are damaged or cut short")
        (numel,) = struct.unpack("<q", data[position : position + 8])
        end = position + 8 + storage.numel * storage.dtype.itemsize
        if numel != storage.numel or end > len(data):
            raise CheckpointError("the storages of the file are damaged or cut short")
        storage.data = data[position + 8 : end]
        position = end
    return value


def _read_zip(data: memoryview, resolve: Resolve, budget: Budget) -> Any:
    """The format of torch.save since 1.6: an uncompressed zip of ``data.pkl`` and one entry a storage."""
    try:
        with zipfile.ZipFile(_Window(data)) as archive:
            entries = {info.filename: info for info in archive.infolist()}
    except (zipfile.BadZipFile, ValueError, struct.error, OSError, NotImplementedError, UnicodeDecodeError) as error:
        raise CheckpointError("the zip is cut or damaged") from error
    pickles = [name for name in entries if name.endswith("/data.pkl")]
    if len(pickles) != 1:
        raise CheckpointError("it is a zip, but not one of torch.save")
    root = pickles[0].removesuffix("data.pkl")

    def persistent(identity: Any) -> Storage:
        key, storage = _storage_of(identity)
        entry = entries.get(f"{root}data/{key}")
        if entry is None:
            raise CheckpointError(f"the storage {key[:40]!r} is missing from the zip")
        storage.data = _stored_bytes(data, entry)
        if len(storage.data) < storage.numel * storage.dtype.itemsize:
            raise CheckpointError(f"the storage {key[:40]!r} is smaller than it claims")
        return storage

    pickled = _stored_bytes(data, entries[pickles[0]])
    return PickleReader(pickled, resolve, persistent=persistent, budget=budget).load()


class _Window(BytesIO):
    """The file for ``zipfile``, which wants to seek; it reads the directory at the end and nothing else."""

    def __init__(self, data: memoryview) -> None:
        super().__init__()
        self._data, self._at = data, 0

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = max(0, (0, self._at, len(self._data))[whence] + offset)
        return self._at

    def tell(self) -> int:
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        if size is not None and size > _MAX_DIRECTORY:
            raise zipfile.BadZipFile("more entries than any network has tensors")
        end = len(self._data) if size is None or size < 0 else self._at + size
        taken = bytes(self._data[self._at : end])
        self._at += len(taken)
        return taken


def _stored_bytes(data: memoryview, entry: zipfile.ZipInfo) -> memoryview:
    """The bytes of an entry, which torch does not compress: a slice of the file."""
    start = entry.header_offset
    local = data[start : start + 30]
    if entry.compress_type != zipfile.ZIP_STORED or len(local) < 30 or bytes(local[:4]) != b"PK\x03\x04":
        raise CheckpointError("the zip is compressed or damaged; torch.save does not compress")
    name_length, extra_length = struct.unpack("<HH", local[26:30])
    start += 30 + name_length + extra_length
    if start + entry.file_size > len(data):
        raise CheckpointError("the zip is cut short")
    return data[start : start + entry.file_size]


def _storage_of(identity: Any) -> tuple[str, Storage]:
    """Key and description of ('storage', type, key, device, numel[, no view])."""
    fits = type(identity) is tuple and len(identity) in (5, 6) and identity[0] == "storage"
    if not fits or (len(identity) == 6 and identity[5] is not None):
        raise CheckpointError("the pickle has a persistent id that is no storage")
    kind, key, numel = identity[1], identity[2], identity[4]
    dtype = _STORAGE_TYPES.get(kind.name.rpartition(".")[2]) if type(kind) is Class else None
    if dtype is None or type(key) is not str or type(numel) is not int or not 0 <= numel < 2**40:
        raise CheckpointError("the pickle has a storage of an unknown type")
    return key, Storage(dtype, numel)


def torch_globals(budget: Budget, resolve_more: Resolve | None = None) -> Resolve:
    """Stand-ins for what torch, numpy and the standard library put into pickles of networks."""
    functions: dict[str, Callable[..., Any]] = {
        "torch._utils._rebuild_tensor": _tensor,
        "torch._utils._rebuild_tensor_v2": _tensor,
        "torch._utils._rebuild_parameter": _parameter,
        "torch.storage._load_from_bytes": lambda saved: _embedded(saved, budget),
        "torch.Size": lambda sizes: sizes,
        "_codecs.encode": _encoded,
        "numpy.dtype": lambda code, *_: Instance(f"numpy.dtype {code if type(code) is str else '?'}"),
        "numpy.core.multiarray.scalar": _scalar,
        "numpy._core.multiarray.scalar": _scalar,
        "builtins.set": _set,
        "__builtin__.set": _set,
    }

    def resolve(module: str, name: str) -> Class | Function:
        full = f"{module}.{name}"
        if full in functions:
            return Function(full, functions[full])
        if full == "collections.OrderedDict":
            return Class(full, is_dict=True)
        is_layer = re.fullmatch(r"torch\.nn\.modules\.[a-z_]+\.[A-Z]\w*", full)
        if is_layer or (module == "torch" and name in _STORAGE_TYPES):
            return Class(full)
        if resolve_more is not None:
            return resolve_more(module, name)
        raise unknown_global(module, name)

    return resolve


def printable(name: object) -> str:
    """A name out of a file for a message of one line, which a damaged file may have put anything into."""
    return re.sub(r"[^\x21-\x7e]", "?", str(name))[:80]


def unknown_global(module: str, name: str) -> CheckpointError:
    """The error for a global that is not allowed; it names it."""
    return CheckpointError(
        f"the file wants {printable(f'{module}.{name}')}, which is not allowed",
        "it is no network that geoinv knows, or an attack",
    )


def _tensor(storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> StoredTensor:
    numbers = (offset, *size, *stride) if type(size) is tuple and type(stride) is tuple else (None,)
    is_whole = all(type(number) is int and 0 <= number < 2**40 for number in numbers)
    if not isinstance(storage, Storage | EmbeddedStorage) or not is_whole:
        raise CheckpointError("the pickle has a tensor without a storage or with an impossible shape")
    if len(size) != len(stride) or len(size) > _MAX_DIMENSIONS:
        raise CheckpointError("the pickle has a tensor with an impossible shape")
    return StoredTensor(storage, offset, size, stride)


def _parameter(tensor: Any, *_: Any) -> StoredTensor:
    if type(tensor) is not StoredTensor:
        raise CheckpointError("the pickle has a parameter that is no tensor")
    return tensor


def _embedded(saved: Any, budget: Budget) -> EmbeddedStorage:
    if isinstance(saved, bytes):
        saved = memoryview(saved)
    if type(saved) is not memoryview:
        raise CheckpointError("the pickle has a storage without bytes")
    return EmbeddedStorage(saved, budget)


def _encoded(text: Any, encoding: Any) -> memoryview:
    """Bytes as protocol 2 spells them."""
    if type(text) is not str or encoding != "latin1":
        raise CheckpointError("the pickle has bytes in an unknown spelling")
    return memoryview(text.encode("latin1"))


def _set(values: Any = ()) -> set[Any]:
    if type(values) is not list and values != ():
        raise CheckpointError("the pickle has a set of something that is no list")
    if any(type(value) is not str for value in values):
        raise CheckpointError("the pickle has a set of something other than names")
    return set(values)


def _scalar(dtype: Any, raw: Any) -> float | int | bool:
    """A number of numpy's; gains of layers are."""
    code = dtype.class_name.removeprefix("numpy.dtype ") if type(dtype) is Instance else ""
    is_little = type(dtype) is Instance and type(dtype.state) is tuple and dtype.state[1:2] in (("<",), ("|",))
    if code not in _NUMPY_SCALARS or not is_little or type(raw) is not memoryview:
        raise CheckpointError("the pickle has a numpy value of an unknown type")
    number: float | int | bool = struct.unpack(_NUMPY_SCALARS[code], raw)[0]
    return number
