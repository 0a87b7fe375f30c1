"""CUDA kernels: a ``.cu`` of plain pointers, compiled by nvcc alone on first use and called through ctypes.

No header of torch is needed, so a mismatch of CUDA versions cannot break the build, and the same source compiled as C++
runs over a fake grid in the tests.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from ..errors import NativeBuildError
from ..notices import notify
from . import _cache
from ._build import backend_choice
from ._compile import fingerprint, telling_line

_SHARED_HEADERS = Path(__file__).parent
_HINT = "install the CUDA toolkit, or set GEOINV_BACKEND=reference"


def find_nvcc() -> str | None:
    """The CUDA compiler: of ``CUDA_HOME``, or on the path."""
    home = os.environ.get("CUDA_HOME")
    return (shutil.which("nvcc", path=str(Path(home) / "bin")) if home else None) or shutil.which("nvcc")


def load_cuda(source: Path, device: torch.device) -> ctypes.CDLL | None:
    """The kernels of a ``.cu`` for this GPU; None where the reference is to be used, with one notice if it has to.

    Raises:
        NativeBuildError: The build failed and the native backend is demanded.
    """
    if torch.compiler.is_compiling():  # as load_native
        return None
    choice = backend_choice()
    if choice == "reference":
        return None
    major, minor = torch.cuda.get_device_capability(device)
    kernels = _built(source, f"sm_{major}{minor}")
    if isinstance(kernels, ctypes.CDLL):
        return kernels
    if choice == "native":
        raise NativeBuildError(f"{source.name}: {kernels.message}", kernels.hint)
    notify(f"{source.stem} runs as plain torch on this GPU (same results): {kernels.message}; {kernels.hint}")
    return None


def load_for_rays(source: Path, tensors: Sequence[Tensor], sizes: dict[str, int]) -> ctypes.CDLL | None:
    """As :func:`load_cuda`, where kernels that keep a ray in a thread take these tensors; a notice if it is too large.

    Args:
        source: A ``.cu`` whose ``<name>_fits`` takes the sizes.
        tensors: All that the kernels read.
        sizes: Numbers that the arrays of a thread limit, by their names in the notice.
    """
    if not all(tensor.is_cuda and tensor.dtype == torch.float32 for tensor in tensors):
        return None
    library = load_cuda(source, tensors[0].device)
    if library is None or getattr(library, f"{source.stem}_fits")(*map(ctypes.c_int64, sizes.values())):
        return library
    told = ", ".join(f"{size} {name}" for name, size in sizes.items())
    notify(f"{source.stem} runs as plain torch on this GPU (same results): its kernel is too small: {told}")
    return None


def compile_cuda(source: Path, architecture: str, library: Path) -> None:
    """Compile one ``.cu`` into a shared library, written whole or not at all.

    Raises:
        OSError: There is no nvcc.
        subprocess.CalledProcessError: It failed.
    """
    nvcc = find_nvcc()
    if nvcc is None:
        raise FileNotFoundError("there is no nvcc")
    partial = library.with_suffix(f".{os.getpid()}.so")
    flags = ["-O3", "-std=c++17", f"-arch={architecture}", "-shared", "-Xcompiler", "-fPIC"]
    subprocess.run([nvcc, *flags, str(source), "-o", str(partial)], capture_output=True, text=True, check=True)
    partial.replace(library)


@cache
def _built(source: Path, architecture: str) -> ctypes.CDLL | NativeBuildError:
    """The kernels, built where the cache lacks them; or why they cannot be had, found out once a process."""
    texts = [
        path.read_text() for path in (source, *sorted(source.parent.glob("*.h")), *sorted(_SHARED_HEADERS.glob("*.h")))
    ]
    key = hashlib.sha256("\n".join([architecture, *texts]).encode()).hexdigest()[:16]
    try:
        library = _cache.cache_folder() / f"{source.stem}-{architecture}-{key}.so"
        _cache.check_runs_programs()
        if not library.exists():
            _build(source, architecture, library)
        return ctypes.CDLL(str(library))
    except NativeBuildError as error:
        return error
    except OSError as error:
        return NativeBuildError(telling_line(str(error)), _HINT)


def _build(source: Path, architecture: str, library: Path) -> None:
    """Compile into the cache, unless this nvcc is known to fail; raises NativeBuildError or OSError."""
    nvcc = find_nvcc()
    if nvcc is None:
        raise NativeBuildError("there is no nvcc", _HINT)
    _cache.check_is_writable()
    compiler = fingerprint([nvcc])
    again = f"to try again, delete {_cache.failure_record(library)}"
    if cause := _cache.remembered_failure(library, compiler):
        raise NativeBuildError(cause, again)
    print(f"geoinv: compiling {source.name} for this GPU, once", file=sys.stderr)
    library.parent.mkdir(parents=True, exist_ok=True)
    try:
        compile_cuda(source, architecture, library)
    except subprocess.CalledProcessError as error:
        cause = telling_line(error.stderr) or "nvcc failed"
        _cache.remember_failure(library, compiler, cause)
        raise NativeBuildError(cause, again) from error


def call(library: ctypes.CDLL, function: str, *arguments: Tensor | int | float | None) -> None:
    """Call a kernel's launcher on the current stream of its tensors' device.

    Args:
        library: Result of :func:`load_cuda`.
        function: The launcher's name.
        arguments: Contiguous float32 tensors as pointers (None as null), integers as int64, floats as float.

    Raises:
        RuntimeError: CUDA reports an error of the launch.
    """
    tensors = [argument for argument in arguments if isinstance(argument, Tensor)]
    assert all(tensor.is_contiguous() and tensor.dtype == torch.float32 for tensor in tensors)
    device = tensors[0].device
    if device.type == "cpu":  # the fake grid
        code = getattr(library, function)(*map(_as_c, arguments), None)
    else:
        with torch.cuda.device(device):
            stream = ctypes.c_void_p(torch.cuda.current_stream(device).cuda_stream)
            code = getattr(library, function)(*map(_as_c, arguments), stream)
    if code:
        raise RuntimeError(f"{function}: CUDA error {code}")


def contiguous(tensor: Tensor | None) -> Tensor | None:
    """A tensor as :func:`call` takes it, without its history; None for None."""
    return None if tensor is None else tensor.detach().contiguous()


def _as_c(argument: Tensor | int | float | None) -> ctypes.c_void_p | ctypes.c_int64 | ctypes.c_float:
    if isinstance(argument, Tensor):
        return ctypes.c_void_p(argument.data_ptr())
    if isinstance(argument, int):
        return ctypes.c_int64(argument)
    return ctypes.c_void_p(None) if argument is None else ctypes.c_float(argument)
