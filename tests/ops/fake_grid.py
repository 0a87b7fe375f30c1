"""CUDA sources compiled as C++: every launch runs thread by thread over a fake grid, on CPU tensors."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from torch import Tensor


def load_on_cpu(source: Path, folder: Path) -> ctypes.CDLL:
    """The launchers of a ``.cu``; skips where there is no C++ compiler."""
    compiler = shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        pytest.skip("no C++ compiler")
    library = folder / f"{source.stem}.so"
    flags = ["-O1", "-std=c++17", "-shared", "-fPIC", "-Wall", "-Werror", "-x", "c++"]
    subprocess.run([compiler, *flags, str(source), "-o", str(library)], check=True)
    return ctypes.CDLL(str(library))


def go_the_way_of_a_gpu(
    cuda: ModuleType, cuda_kernels: Callable[..., ctypes.CDLL | None], monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    """Has an operation's ``cuda`` module choose so; returns the names of the launchers, as they are called."""
    names: list[str] = []
    call = cuda.call

    def noted(library: ctypes.CDLL, function: str, *arguments: Tensor | int | float | None) -> None:
        names.append(function)
        call(library, function, *arguments)

    monkeypatch.setattr(cuda, "call", noted)
    monkeypatch.setattr(cuda, "cuda_kernels", cuda_kernels)
    return names
