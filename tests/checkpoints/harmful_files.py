"""Bytes of files that are made to harm: pickles that call something, and files that claim to be larger."""

from __future__ import annotations

import io
import os
import pickle
import struct
import subprocess
import zipfile
from collections.abc import Callable
from typing import Any

import torch

from geoinv.models.eg3d_releases import release
from geoinv.models.generator import TriPlaneGenerator

from .official_pickles import official_arguments, official_tensors, small_release

TOUCH = "touch ran"
ROOT, TENSOR = "G_ema", "w"
"""The entry of a file that holds tensors, and a name among them; other layouts have others."""


class Calls:
    """Pickles as a call, like anybody's harmful object."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


def in_network(value: Any) -> bytes:
    return pickle.dumps({ROOT: value})


def raw(code: bytes) -> bytes:
    """A pickle of one value that ``code`` pushes."""
    return b"\x80\x04" + code + b"."


def text(value: str) -> bytes:
    return b"\x8c" + bytes([len(value)]) + value.encode()


def call(module: str, name: str, arguments: bytes) -> bytes:
    return text(module) + text(name) + b"\x93" + arguments + b"R"


def in_tensor(storage: bytes) -> bytes:
    """A file of one tensor, of the storage that ``storage`` pushes."""
    tensor = call("torch._utils", "_rebuild_tensor_v2", b"(" + storage + b"K\x00K\x01\x85K\x01\x85\x89}t")
    return raw(b"}" + text(ROOT) + b"}" + text(TENSOR) + tensor + b"ss")


def nested_storage(saved: bytes) -> bytes:
    """A tensor whose storage is ``saved``, where plain ``pickle`` would call torch.load on it."""
    storage = call("torch.storage", "_load_from_bytes", b"B" + struct.pack("<I", len(saved)) + saved + b"\x85")
    return in_tensor(storage)


def torch_zip(pickled: bytes, **entries: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("x/data.pkl", pickled)
        for name, value in entries.items():
            archive.writestr(f"x/data/{name}", value)
    return buffer.getvalue()


def compressed_zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x/data.pkl", bytes(1 << 26))
    return buffer.getvalue()


def many_entries() -> bytes:
    """A zip whose directory names one entry 100 000 times."""
    whole = torch_zip(raw(b"}"))
    end = whole[-22:]
    start = struct.unpack("<I", end[16:20])[0]
    directory = whole[start:-22] * 100_000
    return whole[:start] + directory + end[:12] + struct.pack("<II", len(directory), start) + end[20:]


def persistent_storage(numel: int) -> bytes:
    """A tensor of a zip's storage "0" of so many floats."""
    storage = b"(" + text("storage") + text("torch") + text("FloatStorage") + b"\x93" + text("0") + text("cpu")
    storage += b"\x8a\x06" + numel.to_bytes(6, "little") + b"tQ"
    return in_tensor(storage)


def doubling(levels: int) -> bytes:
    """A tuple of the same tuple twice, and so on: 2 ** levels leaves."""
    return raw(b")" + b"\x94" + b"".join(b"h" + bytes([i]) + b"h" + bytes([i]) + b"\x86\x94" for i in range(levels)))


CODE: dict[str, Callable[[], bytes]] = {
    "os.system": lambda: in_network(Calls(os.system, TOUCH)),
    "posix.system": lambda: raw(call("posix", "system", text(TOUCH) + b"\x85")),
    "eval": lambda: in_network(Calls(eval, f"__import__('os').system({TOUCH!r})")),
    "exec": lambda: in_network(Calls(exec, "open('ran', 'w')")),
    "open": lambda: in_network(Calls(open, "ran", "w")),
    "subprocess": lambda: in_network(Calls(subprocess.Popen, ["touch", "ran"])),
    "nested reduce": lambda: in_network(Calls(tuple, (Calls(os.system, TOUCH),))),
    "getattr chain": lambda: raw(
        call("builtins", "getattr", call("builtins", "__import__", text("os") + b"\x85") + text("system") + b"\x86")
        + text(TOUCH)
        + b"\x85R"
    ),
    "dotted name": lambda: raw(call("torch.serialization", "os.system", text(TOUCH) + b"\x85")),
    "allowed module's import": lambda: raw(call("torch._utils", "os.system", text(TOUCH) + b"\x85")),
    "torch.load": lambda: raw(call("torch", "load", text("x") + b"\x85")),
    "torch.hub": lambda: raw(call("torch.hub", "load", text("x") + b"\x85")),
    "layer called": lambda: raw(call("torch.nn.modules.linear", "Linear", b"K\x01K\x01\x86")),
    "layer's module's import": lambda: raw(call("torch.nn.modules.module", "functools.partial", b")")),
    "dotted layer": lambda: raw(text("torch.nn.modules.module") + text("Module.__init__.__globals__") + b"\x93"),
    "global as text": lambda: raw(b"cposix\nsystem\n" + text(TOUCH) + b"\x85R"),
    "old instance": lambda: b"\x80\x02(S'touch ran'\niposix\nsystem\n.",
    "old object": lambda: b"\x80\x02(cposix\nsystem\n" + b"X\x09\x00\x00\x00touch ran" + b"o.",
    "new object": lambda: raw(text("subprocess") + text("Popen") + b"\x93" + text(TOUCH) + b"\x85\x81"),
    "new object with keywords": lambda: raw(text("subprocess") + text("Popen") + b"\x93)}\x92"),
    "called function": lambda: raw(call("torch._utils", "_rebuild_parameter", b"K\x01\x85")),
    "called value": lambda: raw(text("system") + text(TOUCH) + b"\x85R"),
    "built function": lambda: raw(text("torch._utils") + text("_rebuild_parameter") + b"\x93}b"),
    "extension": lambda: raw(b"\x82\x01"),
    "out-of-band buffer": lambda: raw(b"\x97"),
    "persistent id": lambda: raw(text("x") + b"Q"),
    "nested storage": lambda: nested_storage(in_network(Calls(os.system, TOUCH))),
    "nested storage by torch.save": lambda: nested_storage(_saved(Calls(os.system, TOUCH), zipped=False)),
    "nested zip": lambda: nested_storage(_saved(Calls(os.system, TOUCH), zipped=True)),
    "torch.save": lambda: _saved(Calls(os.system, TOUCH), zipped=True),
    "older torch.save": lambda: _saved(Calls(os.system, TOUCH), zipped=False),
    "saved module": lambda: _saved(torch.nn.Linear(1, 1), zipped=False),
    "state called": lambda: raw(
        call("torch_utils.persistence", "_reconstruct_persistent_obj", b"}" + text("version") + b"K\x07s\x85")
    ),
}

CLAIMS: dict[str, Callable[[], bytes]] = {
    "memo index": lambda: raw(b"Nr\xff\xff\xff\xff"),
    "long bytes": lambda: raw(b"\x8e" + struct.pack("<Q", 1 << 60)),
    "negative bytes": lambda: raw(b"\x8e" + struct.pack("<Q", (1 << 64) - 1)),
    "long bytearray": lambda: raw(b"\x96" + struct.pack("<Q", 1 << 40)),
    "long string": lambda: raw(b"\x8d" + struct.pack("<Q", 1 << 60)),
    "long frame": lambda: raw(b"\x95" + struct.pack("<Q", 1 << 60) + b"N"),
    "long number": lambda: raw(b"\x8b" + struct.pack("<I", 1 << 30)),
    "long text": lambda: b"\x80\x04c" + b"a" * 4096,
    "doubling": lambda: doubling(200),
    "nesting": lambda: raw(b"]" * 20_000 + b"a" * 19_999),
    "tensor of a stride of 0": lambda: _tensor_of((1 << 20, 1 << 20), (0, 0)),
    "tensor of a huge stride": lambda: _tensor_of((2, 2), (1 << 38, 1 << 38)),
    "tensor of many dimensions": lambda: _tensor_of((1,) * 100, (1,) * 100),
    "storage of a terabyte": lambda: torch_zip(persistent_storage(1 << 38), **{"0": b"1234"}),
    "storage that is missing": lambda: torch_zip(persistent_storage(1)),
    "compressed zip": compressed_zip,
    "zip of many entries": many_entries,
    "zip of something else": lambda: torch_zip(b"").replace(b"data.pkl", b"data.txt"),
    "module in itself": lambda: _cyclic_modules(),
    "keys that collide": lambda: raw(b"}(" + b"".join(_big(i * ((1 << 61) - 1)) + b"N" for i in range(1, 100)) + b"u"),
    "unhashable key": lambda: raw(b"}]Ns"),
    "nothing on the stack": lambda: raw(b"R"),
    "mark under the stack": lambda: raw(b"(u"),
    "no mark": lambda: raw(b"}u"),
}


def _big(number: int) -> bytes:
    return b"\x8a\x09" + number.to_bytes(9, "little")


def _saved(value: Any, *, zipped: bool) -> bytes:
    buffer = io.BytesIO()
    torch.save({ROOT: {TENSOR: value}}, buffer, _use_new_zipfile_serialization=zipped)
    return buffer.getvalue()


def _tensor_of(shape: tuple[int, ...], stride: tuple[int, ...]) -> bytes:
    """A whole network of which one tensor claims to be so large."""
    cars = TriPlaneGenerator(small_release(release("shapenetcars128-64")))

    class Claims(torch.Tensor):
        def __reduce_ex__(self, protocol: Any) -> Any:
            storage = torch.zeros(1).untyped_storage()
            typed = torch.storage.TypedStorage(wrap_storage=storage, dtype=torch.float32, _internal=True)
            return (torch._utils._rebuild_tensor_v2, (typed, 0, shape, stride, False, {}))

    buffer = io.BytesIO()
    tensors = {**official_tensors(cars), "decoder.net.0.bias": torch.zeros(1).as_subclass(Claims)}
    pickle.dump({"G_ema": tensors, "init_kwargs": official_arguments(cars.config)}, buffer, protocol=4)
    return buffer.getvalue()


def _cyclic_modules() -> bytes:
    """G_ema whose _modules hold G_ema."""
    meta = b"}\x94(" + text("type") + text("class") + text("version") + b"K\x06" + text("class_name")
    meta += text("TriPlaneGenerator") + text("state") + b"}\x94" + b"u"
    network = text("torch_utils.persistence") + text("_reconstruct_persistent_obj") + b"\x93" + meta + b"\x85R\x94"
    # memo: 0 meta, 1 state, 2 network; then state gets its arguments and modules
    state = b"h\x01(" + text("_init_kwargs") + b"}" + text("rendering_kwargs") + b"}" + text("_modules")
    state += b"}" + text("again") + b"h\x02s" + b"u0"
    return raw(b"}" + text("G_ema") + network + state + b"s")
