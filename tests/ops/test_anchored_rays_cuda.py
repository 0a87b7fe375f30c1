"""Anchored rays on a GPU: the CUDA source over a fake grid on CPU tensors, through the same calls."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

import pytest
import torch

import geoinv.ops.anchored_rays as operation
from geoinv.ops._build import use_backend
from geoinv.ops.anchored_rays import cuda
from geoinv.ops.render_rays import RaySampling

from . import test_anchored_rendering as with_two_passes
from .fake_grid import go_the_way_of_a_gpu, load_on_cpu
from .test_anchored_march import SIZES, gradients, marched, random_case
from .test_render_rays import assert_as_good_as_float32, parts


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    return load_on_cpu(Path(operation.__file__).with_name("anchored_rays.cu"), tmp_path_factory.mktemp("cuda"))


@pytest.fixture
def launched(library: ctypes.CDLL, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Has CPU tensors go the way of a GPU's; the launchers that were called."""

    def kernels(head: cuda.HeadTensors, *_: Any, samples: int) -> ctypes.CDLL | None:
        return library if head[0].dtype == torch.float32 else None

    return go_the_way_of_a_gpu(cuda, kernels, monkeypatch)


class TestOverAFakeGrid:
    @pytest.mark.parametrize("sizes", SIZES[1:3] + SIZES[5:6] + ({"is_film": True, "rays": 9, "samples": 6},))
    def test_march_matches_reference(
        self, launched: list[str], sizes: dict[str, Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        case = random_case(**sizes)
        ours = (*parts(marched(case)), *gradients(case))
        assert launched == ["march_anchored_forward", "march_anchored_forward", "march_anchored_backward"]
        monkeypatch.setattr(cuda, "cuda_kernels", lambda *_, samples: None)
        with use_backend("reference"):
            exact = tuple(tensor.double() for tensor in case)
            plain, truth = ((*parts(marched(way)), *gradients(way)) for way in (case, exact))
        assert_as_good_as_float32(ours, plain, truth)

    def test_only_wanted_gradients(self, launched: list[str]) -> None:
        case = random_case(rays=5, samples=6, channels=5)
        (v_bias,) = gradients(case, range(1, 2))
        assert torch.equal(v_bias, gradients(case)[1])

    @pytest.mark.parametrize("sampling", [with_two_passes.SAMPLING, RaySampling(9, 0, "fixed", 2.3, 3.1, 1.0, "zy")])
    def test_render_matches_reference(
        self, launched: list[str], sampling: RaySampling, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(with_two_passes, "rays", lambda count=20, few=with_two_passes.rays: few(20))
        ours = with_two_passes.rendered(sampling=sampling)
        assert launched == ["render_anchored_forward"]
        monkeypatch.setattr(cuda, "cuda_kernels", lambda *_, samples: None)
        with use_backend("reference"):
            theirs = with_two_passes.rendered(sampling=sampling)
        assert with_two_passes.largest(ours, theirs) < 2e-4

    def test_nothing_is_seen_in_empty_cells(self, launched: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(with_two_passes, "rays", lambda count=20, few=with_two_passes.rays: few(20))
        empty = with_two_passes.some_empty_cells()
        sampling = with_two_passes.OFF_BORDERS
        ours = with_two_passes.rendered(sampling=sampling, empty=empty)
        assert launched == ["render_anchored_forward"]
        assert with_two_passes.largest(ours, with_two_passes.rendered(sampling=sampling)) > 0.3
        monkeypatch.setattr(cuda, "cuda_kernels", lambda *_, samples: None)
        with use_backend("reference"):
            theirs = with_two_passes.rendered(sampling=sampling, empty=empty)
        assert with_two_passes.largest(ours, theirs) < 2e-4

    def test_sizes_of_the_largest_arrays(self, library: ctypes.CDLL) -> None:
        most = {"told": 96, "hidden": 128, "samples": 192, "settings": 28}

        def fits(sizes: dict[str, int]) -> bool:
            return bool(library.anchored_rays_fits(*map(ctypes.c_int64, sizes.values())))

        assert fits(most)
        assert not any(fits({**most, name: size + 1}) for name, size in most.items())
