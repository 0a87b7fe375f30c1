"""Building of native operations on first use, and the choice between native and reference.

``GEOINV_BACKEND=auto`` (default) builds with ninja once, caches by source, flags and torch version, and falls back to
the reference with one message; ``reference`` never builds; ``native`` raises where the build fails. The first operation
that is needed builds all of them side by side, so a person waits once.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Literal, NamedTuple, cast, get_args

import torch

from ..errors import NativeBuildError, UsageError
from ..notices import notify

Backend = Literal["auto", "reference", "native"]
Sources = tuple[Path, ...]


class Operation(NamedTuple):
    """What one extension is made of.

    Args:
        name: It registers ``torch.ops.geoinv.<name>_*``.
        sources: C++ files; the headers beside them and those that all operations share count as well.
        portable: Whether the sources choose instructions at run time instead of being built for this processor.
    """

    name: str
    sources: Sources
    portable: bool = False


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


def compiler_flags(*, portable: bool = False) -> list[str]:
    """Flags of the CPU build: this machine's own instructions, contraction allowed, no other fast-math.

    ``portable`` builds choose their instructions at run time.
    """
    flags = ["-O3", "-std=c++20"]
    if not portable and platform.machine() in ("x86_64", "AMD64", "aarch64"):
        flags.append("-march=native")
    return flags


@cache
def thread_flags() -> list[str]:
    """What lets kernels use torch's threads, for compiling and linking: torch's ``parallel_for`` is a template that
    without OpenMP is a plain loop, and says nothing.

    Only on Linux, where both are GNU's and usually one (elsewhere a second OpenMP in the process can abort it); empty
    where the compiler lacks it.
    """
    flag = "-fopenmp"
    if sys.platform != "linux":
        return []
    from torch.utils import cpp_extension

    command = [cpp_extension.get_cxx_compiler(), flag, "-fsyntax-only", "-x", "c++", "-"]
    probe = subprocess.run(command, input="#include <omp.h>\n", capture_output=True, text=True)
    if probe.returncode == 0:
        return [flag]
    notify("the compiler has no OpenMP: native operations use one thread")
    return []


def cache_folder() -> Path:
    """Where built operations are kept; ``GEOINV_CACHE`` overrides."""
    root = os.environ.get("GEOINV_CACHE") or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "geoinv"
    return Path(root) / "native"


def load_native(name: str, sources: Sources, *, portable: bool = False) -> bool:
    """Build (once) and load the extension that registers ``torch.ops.geoinv.<name>_*``; arguments: :class:`Operation`.

    Returns:
        Whether the native operation can be used; False also where the reference is asked for, and in torch.compile.

    Raises:
        NativeBuildError: The build failed and the native backend is demanded.
    """
    if torch.compiler.is_compiling():  # torch.compile fuses the reference, and cannot look into kernels
        return False
    choice = backend_choice()
    if choice == "reference":
        return False
    if not _loaded(Operation(name, sources, portable), choice):
        notify(f"{name} runs as plain torch (slower, same results): {_failures[name]}")
        return False
    return True


class NativeState(NamedTuple):
    """One operation in the report of ``geoinv doctor``: compiled already or not, and why the last build failed."""

    name: str
    is_built: bool
    failure: str | None


def native_states() -> list[NativeState]:
    """Every operation of the package; looks, but builds nothing."""
    states = []
    for operation in package_operations():
        library = _library(operation)
        told = library.with_suffix(".failure")
        states.append(NativeState(operation.name, library.exists(), told.read_text() if told.exists() else None))
    return states


def build_all() -> None:
    """Build what is not cached yet; failures are told by :func:`native_states`."""
    _build_missing(package_operations())


def package_operations() -> list[Operation]:
    """The operations of the package, by the ``_SOURCES`` of each folder."""
    operations = []
    for folder in sorted(Path(__file__).parent.iterdir()):
        if not (folder / "__init__.py").exists():
            continue
        module = import_module(f"{__package__}.{folder.name}")
        if sources := getattr(module, "_SOURCES", ()):
            operations.append(Operation(folder.name, sources, getattr(module, "_PORTABLE", False)))
    return operations


@cache
def _loaded(operation: Operation, choice: Backend) -> bool:
    name = operation.name
    try:
        if not _library(operation).exists():
            package = package_operations()
            is_ours = any(name == other.name for other in package)
            _build_missing([operation, *(other for other in package if is_ours and other.name != name)])
        if name in _failures:
            raise RuntimeError(_failures[name])
        torch.ops.load_library(str(_library(operation)))
    except (RuntimeError, OSError) as error:
        cause = _failures.setdefault(name, _cause(error))
        if choice == "native":
            raise NativeBuildError(
                f"native {name} cannot be built: {cause}", "install a C++ compiler, or set GEOINV_BACKEND=reference"
            ) from error
        return False
    return True


load_native.cache_clear = _loaded.cache_clear  # type: ignore[attr-defined]


def _build_missing(operations: list[Operation]) -> None:
    """Build those that are neither cached nor known to fail, side by side."""
    with _only_one_process():  # another may have built them meanwhile
        missing = [o for o in operations if not _library(o).exists() and o.name not in _failures]
        if not missing:
            return
        names = ", ".join(operation.name for operation in missing)
        print(f"geoinv: compiling {names} for this machine, once", file=sys.stderr)
        # here, because it imports setuptools, which takes half a second
        from torch.utils import cpp_extension  # noqa: F401

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(_build, missing))


def _build(operation: Operation) -> None:
    """Compile one extension with ninja; a failure is kept in ``_failures``."""
    from torch.utils import cpp_extension

    library = _library(operation)
    # A folder of its own: a process that is killed leaves a lock of torch's, half a library, and compilers at work.
    folder = library.parent / f"build-{os.getpid()}"
    try:
        for left in library.parent.glob("build-*"):
            shutil.rmtree(left, ignore_errors=True)
        folder.mkdir(parents=True)
        cpp_extension.load(
            name=library.stem,
            sources=[str(source) for source in operation.sources],
            extra_cflags=[*compiler_flags(portable=operation.portable), *thread_flags()],
            extra_ldflags=thread_flags(),
            build_directory=str(folder),
            is_python_module=False,
        )
        os.replace(folder / library.name, library)
        shutil.rmtree(folder, ignore_errors=True)
        library.with_suffix(".failure").unlink(missing_ok=True)
    except (RuntimeError, OSError, ImportError) as error:
        _failures[operation.name] = _cause(error)
        with suppress(OSError):  # a cache that cannot be written is a failure itself
            library.with_suffix(".failure").write_text(_failures[operation.name])


def _library(operation: Operation) -> Path:
    """Where the extension lies once built; the folder is named by all that decides what it holds."""
    name, sources, portable = operation
    shared = Path(__file__).parent.glob("*.h")
    headers = {*shared, *(header for source in sources for header in source.parent.glob("*.h"))}
    parts = [torch.__version__, platform.machine(), _processor(), "threads", *compiler_flags(portable=portable)]
    parts += [path.read_text() for path in sorted({*sources, *headers})]
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
    telling = (line for line in lines if ": error" in line or "fatal" in line.lower())
    return next(telling, lines[0] if lines else type(error).__name__)
