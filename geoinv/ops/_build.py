"""Building of native operations on first use, and the choice between native and reference.

``GEOINV_BACKEND=auto`` (default) builds with ninja once, caches by source, flags and torch version, and falls back to
the reference with one message; ``reference`` never builds; ``native`` raises where the build fails.
"""

from __future__ import annotations

import hashlib
import os
import platform
import sys
from functools import cache
from pathlib import Path
from typing import Literal, cast, get_args

import torch

from ..errors import NativeBuildError, UsageError

Backend = Literal["auto", "reference", "native"]


def backend_choice() -> Backend:
    """The backend that the environment asks for."""
    choice = os.environ.get("GEOINV_BACKEND", "auto")
    if choice not in get_args(Backend):
        raise UsageError(f"GEOINV_BACKEND is {choice!r}", "use auto, reference or native")
    return cast(Backend, choice)


def compiler_flags(*, portable: bool = False) -> list[str]:
    """Flags of the CPU build: this machine's own instructions, contraction allowed, no other fast-math.

    ``portable`` builds choose their instructions at run time.
    """
    flags = ["-O3", "-std=c++20"]
    if not portable and platform.machine() in ("x86_64", "AMD64", "aarch64"):
        flags.append("-march=native")
    return flags


def cache_folder() -> Path:
    """Where built operations are kept; ``GEOINV_CACHE`` overrides."""
    root = os.environ.get("GEOINV_CACHE") or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "geoinv"
    return Path(root) / "native"


def _processor() -> str:
    """The instruction sets of this processor: -march=native builds must not travel to a lesser one."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith(("flags", "Features")):
                return line
    except OSError:
        pass
    return platform.processor()


@cache
def load_native(name: str, sources: tuple[Path, ...], *, portable: bool = False) -> bool:
    """Build (once) and load the extension that registers ``torch.ops.geoinv.<name>_*``.

    Args:
        name: Of the operation.
        sources: What is compiled, and the headers that it includes: all decide whether a cached build still fits.
        portable: Whether the sources choose instructions at run time instead of being built for this processor.

    Returns:
        Whether the native operation can be used; False also where the reference is asked for.

    Raises:
        NativeBuildError: The build failed and ``GEOINV_BACKEND=native``.
    """
    choice = backend_choice()
    if choice == "reference":
        return False
    flags = compiler_flags(portable=portable)
    parts = [torch.__version__, platform.machine(), _processor(), *flags, *(source.read_text() for source in sources)]
    key = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
    folder = cache_folder() / f"{name}-{key}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # here, because it imports setuptools, which takes half a second
        from torch.utils import cpp_extension

        if not (folder / f"geoinv_{name}.so").exists():
            print(f"geoinv: compiling {name} for this machine, once", file=sys.stderr)
        cpp_extension.load(
            name=f"geoinv_{name}",
            sources=[str(source) for source in sources if source.suffix == ".cpp"],
            extra_cflags=flags,
            build_directory=str(folder),
            is_python_module=False,
        )
    except (RuntimeError, OSError, ImportError) as error:
        lines = [line for line in str(error).splitlines() if line.strip()]
        cause = next(
            (line for line in lines if ": error" in line or "fatal" in line.lower()),
            lines[0] if lines else type(error).__name__,
        )
        if choice == "native":
            raise NativeBuildError(
                f"native {name} cannot be built: {cause}", "install a C++ compiler, or set GEOINV_BACKEND=reference"
            ) from error
        print(f"geoinv: {name} runs as plain torch (slower, same results): {cause}", file=sys.stderr)
        return False
    return True
