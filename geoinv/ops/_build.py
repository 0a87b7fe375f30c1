"""The choice between native operations and their references, and the build of the native ones on first use.

``GEOINV_BACKEND=auto`` (default) compiles once, caches by source, flags and torch version, and falls back to the
reference with one notice; ``reference`` never builds; ``native`` raises where the build fails. The first operation that
is needed builds all of them side by side, so a person waits once; a build that failed is not tried again by the next
process, unless there is another compiler or a day has passed.
"""

from __future__ import annotations

import hashlib
import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Literal, NamedTuple, cast, get_args

import torch
from torch import Tensor

from ..errors import NativeBuildError, UsageError
from ..notices import notify
from . import _cache
from ._compile import Operation, compile_operations, compiler_flags, find_compiler, fingerprint, telling_line

Backend = Literal["auto", "reference", "native"]

_chosen: list[Backend] = []  # by use_backend, innermost last
_outcomes: dict[Operation, NativeBuildError | None] = {}  # of this process: None where the operation is loaded


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


def load_native(operation: Operation) -> bool:
    """Build (once) and load an operation.

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
    if operation not in _outcomes:
        _outcomes[operation] = _load(operation)
    failure = _outcomes[operation]
    if failure is None:
        return True
    if choice == "native":
        raise NativeBuildError(f"native {operation.name} cannot be built: {failure.message}", failure.hint)
    concerned = f"{operation.name} runs" if isinstance(failure, _OperationError) else "all kernels run"
    notify(f"{concerned} as plain torch (slower, same results): {failure.message}; {failure.hint}")
    return False


def takes_floats(operation: Operation, *tensors: Tensor | None) -> bool:
    """Whether kernels that take float32 tensors on the CPU can be used for these; see :func:`load_native`."""
    given = (tensor for tensor in tensors if tensor is not None)
    usable = all(tensor.device.type == "cpu" and tensor.dtype == torch.float32 for tensor in given)
    return usable and load_native(operation)


def forget_outcomes() -> None:
    """Look again at the next use of each operation, whether it is in the cache and can be built."""
    _outcomes.clear()


class NativeState(NamedTuple):
    """One operation in the report of ``geoinv doctor``.

    Args:
        name: The operation's name.
        is_built: Whether it is in the cache.
        failure: Why it cannot be built here, or the last build failed; None where nothing is known against it.
    """

    name: str
    is_built: bool
    failure: NativeBuildError | None


def native_states() -> list[NativeState]:
    """Every operation of the package; looks, but builds nothing."""
    states = []
    for operation in package_operations():
        is_built, failure = False, None
        try:
            is_built = library_of(operation).exists()
            _cache.check_runs_programs()
            _check_can_build(operation)
        except NativeBuildError as error:
            failure = error
        states.append(NativeState(operation.name, is_built, failure))
    return states


def build_all() -> None:
    """Build what is not cached yet; failures are remembered, see :func:`native_states`.

    Raises:
        NativeBuildError: Nothing can be built here.
    """
    _build_missing(package_operations())


def package_operations() -> list[Operation]:
    """The operations of the package: ``OPERATION`` of each folder."""
    folders = sorted(path.parent for path in Path(__file__).parent.glob("*/__init__.py"))
    return [import_module(f"{__package__}.{folder.name}").OPERATION for folder in folders]


def library_of(operation: Operation) -> Path:
    """Path of the extension once it is built; its folder is named by all that decides what it holds."""
    parts = [torch.__version__, platform.machine(), _processor(), *compiler_flags(portable=operation.portable)]
    parts += [path.read_text() for path in operation.files()]
    key = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
    return _cache.cache_folder() / f"{operation.name}-{key}" / f"geoinv_{operation.name}.so"


class _OperationError(NativeBuildError):
    """A failure of one operation, which says nothing of the others."""


def _load(operation: Operation) -> NativeBuildError | None:
    """Build the operation where it is not cached, together with all others, and load it; the failure if it fails."""
    try:
        library = library_of(operation)
        if not library.exists():
            package = package_operations()
            _build_missing([operation, *package] if operation in package else [operation])
            _check_can_build(operation)
        try:
            torch.ops.load_library(str(library))
        except (RuntimeError, OSError) as error:
            _cache.check_runs_programs()  # it is the folder's fault
            cause = telling_line(str(error))
            with suppress(OSError):  # it may be damaged
                library.unlink()
            _cache.remember_failure(library, fingerprint(find_compiler()), cause)
            raise _operation_error(library, cause) from error
    except NativeBuildError as error:
        return error
    _cache.forget_failure(library)
    return None


def _build_missing(operations: list[Operation]) -> None:
    """Build those that are neither cached nor known to fail, side by side, and remember which fail.

    Raises:
        NativeBuildError: Nothing can be built here.
    """
    compiler = _check_tools()
    with _cache.only_one_process():  # another may have built them meanwhile
        targets = {}
        for operation in operations:
            with suppress(_OperationError):
                _check_can_build(operation)
                if not library_of(operation).exists():
                    targets[operation] = library_of(operation)
        if not targets:
            return
        names = ", ".join(operation.name for operation in targets)
        print(f"geoinv: compiling {names} for this machine, once", file=sys.stderr)
        try:
            failures = compile_operations(targets, compiler)
        except OSError as error:
            raise _cache.CacheError(
                f"cannot write to {_cache.cache_folder()}: {error.strerror}", "set GEOINV_CACHE to another folder"
            ) from error
        for operation, cause in failures.items():
            _cache.remember_failure(targets[operation], fingerprint(compiler), cause)


def _check_can_build(operation: Operation) -> None:
    """Raise what speaks against the build of an operation that is not cached."""
    library = library_of(operation)
    if library.exists():
        return
    cause = _cache.remembered_failure(library, fingerprint(_check_tools()))
    if cause is not None:
        raise _operation_error(library, cause)


def _check_tools() -> list[str]:
    """The compiler's command; raises where there is none, or where the cache cannot be used."""
    _cache.check_runs_programs()
    _cache.check_is_writable()
    compiler = find_compiler()
    if compiler is None:
        named = os.environ.get("CXX", "c++")
        raise NativeBuildError(f"there is no C++ compiler ({named})", "Debian and Ubuntu: apt-get install g++")
    return compiler


def _operation_error(library: Path, cause: str) -> _OperationError:
    return _OperationError(cause, f"to try again, delete {_cache.failure_record(library)}")


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
