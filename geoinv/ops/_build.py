"""Building of native operations on first use, and the choice between native and reference.

``GEOINV_BACKEND=auto`` (default) builds with ninja once, caches by source, flags and torch version, and falls back to
the reference with one message; ``reference`` never builds; ``native`` raises where the build fails. The first operation
that is needed builds all of them side by side, so a person waits once.
"""

from __future__ import annotations

import hashlib
import os
import platform
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Literal, NamedTuple, cast, get_args

import torch

from ..errors import NativeBuildError, UsageError

Backend = Literal["auto", "reference", "native"]
Sources = tuple[Path, ...]

_chosen: list[Backend] = []  # by use_backend, innermost last
_failures: dict[str, str] = {}  # operation -> why it could not be built in this process


def backend_choice() -> Backend:
    """The backend that :func:`use_backend` or the environment asks for."""
    if _chosen:
        return _chosen[-1]
    choice = os.environ.get("GEOINV_BACKEND", "auto")
    if choice not in get_args(Backend):
        raise UsageError(f"GEOINV_BACKEND is {choice!r}", "use auto, reference or native")
    return cast(Backend, choice)


@contextmanager
def use_backend(backend: Backend) -> Iterator[None]:
    """Run with this backend meanwhile, whatever the environment says; for comparisons, not for threads."""
    _chosen.append(backend)
    try:
        yield
    finally:
        _chosen.pop()


def compiler_flags() -> list[str]:
    """Flags of the CPU build: this machine's own instructions, contraction allowed, no other fast-math."""
    flags = ["-O3", "-std=c++20"]
    if platform.machine() in ("x86_64", "AMD64", "aarch64"):
        flags.append("-march=native")
    return flags


def cache_folder() -> Path:
    """Where built operations are kept; ``GEOINV_CACHE`` overrides."""
    root = os.environ.get("GEOINV_CACHE") or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "geoinv"
    return Path(root) / "native"


def load_native(name: str, sources: Sources) -> bool:
    """Build (once) and load the extension that registers ``torch.ops.geoinv.<name>_*``.

    Returns:
        Whether the native operation can be used; False also where the reference is asked for.

    Raises:
        NativeBuildError: The build failed and the native backend is demanded.
    """
    choice = backend_choice()
    return choice != "reference" and _loaded(name, sources, choice)


load_native.cache_clear = lambda: _loaded.cache_clear()  # type: ignore[attr-defined]


class NativeState(NamedTuple):
    """One operation in the report of ``geoinv doctor``: compiled already or not, and why it failed if it did."""

    name: str
    is_built: bool
    failure: str | None


def native_states() -> list[NativeState]:
    """Every operation of the package; looks, but builds nothing."""
    return [
        NativeState(name, _library(name, sources).exists(), _failures.get(name))
        for name, sources in package_operations().items()
    ]


def package_operations() -> dict[str, Sources]:
    """Operation -> sources of its extension, for all that this machine can use."""
    operations = {}
    for folder in sorted(Path(__file__).parent.iterdir()):
        if (folder / "__init__.py").exists():
            module = import_module(f"{__package__}.{folder.name}")
            operations[folder.name] = getattr(module, "_SOURCES", ())
            if torch.cuda.is_available():
                operations[f"{folder.name}_cuda"] = getattr(module, "_CUDA_SOURCES", ())
    return {name: sources for name, sources in operations.items() if sources}


@cache
def _loaded(name: str, sources: Sources, choice: Backend) -> bool:
    try:
        _build_missing(name, sources)
        if name in _failures:
            raise RuntimeError(_failures[name])
        torch.ops.load_library(str(_library(name, sources)))
    except (RuntimeError, OSError) as error:
        cause = _failures.setdefault(name, _cause(error))
        if choice == "native":
            raise NativeBuildError(
                f"native {name} cannot be built: {cause}", "install a C++ compiler, or set GEOINV_BACKEND=reference"
            ) from error
        print(f"geoinv: {name} runs as plain torch (slower, same results): {cause}", file=sys.stderr)
        return False
    return True


def _build_missing(name: str, sources: Sources) -> None:
    """Build this operation where it is not cached, and with it the rest of the package."""
    _failures.pop(name, None)
    if _library(name, sources).exists():
        return
    package = package_operations()
    wanted = {name: sources, **(package if name in package else {})}
    with _only_one_process():
        missing = {name: sources for name, sources in wanted.items() if not _library(name, sources).exists()}
        if not missing:
            return  # another process has built them meanwhile
        print(f"geoinv: compiling {len(missing)} native operations for this machine, once ...", file=sys.stderr)
        start = time.perf_counter()
        # here, because it imports setuptools, which takes half a second
        from torch.utils import cpp_extension  # noqa: F401

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(_build, missing, missing.values()))
        print(f"geoinv: compiled in {time.perf_counter() - start:.0f} s", file=sys.stderr)


def _build(name: str, sources: Sources) -> None:
    """Compile one extension with ninja; a failure is kept in ``_failures``."""
    from torch.utils import cpp_extension

    library = _library(name, sources)
    library.parent.mkdir(parents=True, exist_ok=True)
    (library.parent / "lock").unlink(missing_ok=True)  # torch's own, left by a process that was killed
    try:
        cpp_extension.load(
            name=library.stem,
            sources=[str(source) for source in sources],
            extra_cflags=compiler_flags(),
            extra_cuda_cflags=["-O3", "-std=c++17"],
            build_directory=str(library.parent),
            with_cuda=any(source.suffix == ".cu" for source in sources),
            is_python_module=False,
        )
    except (RuntimeError, OSError, ImportError) as error:
        library.unlink(missing_ok=True)
        _failures[name] = _cause(error)


def _library(name: str, sources: Sources) -> Path:
    """Where the extension lies once built; the folder is named by all that decides what it holds."""
    headers = sorted({header for source in sources for header in source.parent.glob("*.h")})
    parts = [torch.__version__, platform.machine(), _processor(), *compiler_flags()]
    parts += [path.read_text() for path in (*sources, *headers)]
    key = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
    return cache_folder() / f"{name}-{key}" / f"geoinv_{name}.so"


@cache
def _processor() -> str:
    """The instruction sets of this processor: -march=native builds must not travel to a lesser one."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith(("flags", "Features")):
                return line
    except OSError:
        pass
    return platform.processor()


@contextmanager
def _only_one_process() -> Iterator[None]:
    """Wait until no other process builds into the cache; a lock of the system, which a killed process gives up."""
    cache_folder().mkdir(parents=True, exist_ok=True)
    with open(cache_folder() / ".lock", "w") as lock:
        try:
            import fcntl
        except ImportError:  # Windows: torch's own lock serves, unless its holder is killed
            yield
            return
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _cause(error: Exception) -> str:
    """The line of a build's output that says what is wrong."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    return next((line for line in lines if "error" in line.lower()), lines[0] if lines else type(error).__name__)
