"""CUDA sources compiled as C++: every launch runs thread by thread over a fake grid, on CPU tensors."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path

import pytest


def load_on_cpu(source: Path, folder: Path) -> ctypes.CDLL:
    """The launchers of a ``.cu``; skips where there is no C++ compiler."""
    compiler = shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        pytest.skip("no C++ compiler")
    library = folder / f"{source.stem}.so"
    flags = ["-O1", "-std=c++17", "-shared", "-fPIC", "-Wall", "-Werror", "-x", "c++"]
    subprocess.run([compiler, *flags, str(source), "-o", str(library)], check=True)
    return ctypes.CDLL(str(library))
