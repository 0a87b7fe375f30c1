"""Every CUDA source compiles for the GPUs that we support, wherever there is an nvcc."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import geoinv.ops
from geoinv.ops._cuda import compile_cuda, find_nvcc

FOLDER = Path(geoinv.ops.__file__).parent
SOURCES = sorted(FOLDER.glob("*/*.cu"))


def test_there_are_sources() -> None:
    assert {"bias_act.cu", "upfirdn2d.cu"} <= {source.name for source in SOURCES}


@pytest.mark.skipif(find_nvcc() is None, reason="no nvcc on this machine")
@pytest.mark.parametrize("architecture", ["sm_75", "sm_80", "sm_90"])
@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.stem)
def test_compiles(source: Path, architecture: str, tmp_path: Path) -> None:
    compile_cuda(source, architecture, tmp_path / "kernels.so")
    assert (tmp_path / "kernels.so").stat().st_size > 0
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.skipif(find_nvcc() is None, reason="no nvcc on this machine")
def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    import subprocess

    broken = tmp_path / "broken.cu"
    shutil.copy(SOURCES[0], broken)  # its includes are not beside it
    with pytest.raises(subprocess.CalledProcessError):
        compile_cuda(broken, "sm_80", tmp_path / "kernels.so")
    assert list(tmp_path.iterdir()) == [broken]
