"""Denormal numbers count as zero inside of the kernels and nowhere else, and real heads' gradients are made of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from geoinv.camera import CameraPose, pixel_centres, rays_through
from geoinv.checkpoints.store import load_anchored_generator
from geoinv.conventions import FACE_ORBIT, FOCAL
from geoinv.models.anchored_generator import AnchoredGenerator
from geoinv.ops import _build
from geoinv.ops._build import backend_choice, use_backend
from geoinv.ops.anchored_rays import AnchoredHeads, march_anchored
from geoinv.ops.bias_act import bias_act
from geoinv.ops.modulated_conv2d import modulated_conv2d
from geoinv.ops.sample_planes import sample_planes
from geoinv.ops.upfirdn2d import upfirdn2d

DENORMAL = 1e-40


@pytest.fixture
def native() -> None:
    if backend_choice() == "reference":
        pytest.skip("the reference is asked for")


@pytest.fixture(scope="module")
def mini() -> AnchoredGenerator:
    return load_anchored_generator("mini")[0]


@pytest.fixture(scope="module")
def head(mini: AnchoredGenerator) -> AnchoredHeads:
    """What rays read of a head of the shipped generator."""
    z = torch.randn(1, mini.config.z_dim, generator=torch.Generator().manual_seed(4))
    with torch.no_grad():
        return mini.heads(mini.mapping(z)).rays


def rays_of_a_view(count: int) -> tuple[Tensor, Tensor]:
    """Every few pixels of a view from the side: origins and directions [1, count, 3]."""
    pixels = pixel_centres(64).reshape(-1, 2)
    chosen = pixels[torch.linspace(0, len(pixels) - 1, count).long()]
    origins, directions = rays_through(CameraPose.from_angles(0.4).cam2world(FACE_ORBIT), chosen, focal=FOCAL)
    return origins, directions


def linear_maps() -> dict[str, Callable[[], Tensor]]:
    """Kernels whose output is a multiple of their input, on large denormal inputs that all threads get a part of."""
    features = torch.full((2, 32, 32, 32), DENORMAL)
    points = torch.rand(1, 4096, 3, generator=torch.Generator().manual_seed(0)) * 0.5 - 0.25
    weight = torch.eye(32)[:, :, None, None].expand(32, 32, 3, 3).contiguous()
    box = {"box_side": 1.0, "third_plane": "zy"}
    return {
        "bias_act": lambda: bias_act(features, slope=0.2, gain=1.5),
        "upfirdn2d": lambda: upfirdn2d(features, torch.tensor([0.25, 0.75, 0.75, 0.25]), padding=(2, 1)),
        "modulated_conv2d": lambda: modulated_conv2d(features, weight, torch.ones(2, 32), demodulate=False),
        "sample_planes": lambda: sample_planes(features[:1, None].expand(1, 3, 32, 32, 32), points, **box),  # type: ignore[arg-type]
    }


@pytest.mark.parametrize("name", list(linear_maps()))
def test_denormals_are_zero_in_kernels(native: None, name: str) -> None:
    run = linear_maps()[name]
    with use_backend("reference"):
        assert run().any()
    assert not run().any()


@pytest.mark.parametrize("is_flushed", [False, True])
def test_the_callers_setting_stays(
    native: None, head: AnchoredHeads, mini: AnchoredGenerator, is_flushed: bool, request: pytest.FixtureRequest
) -> None:
    request.addfinalizer(lambda: torch.set_flush_denormal(False))
    if not torch.set_flush_denormal(is_flushed):
        pytest.skip("this processor has no such setting")
    small = torch.full((1 << 17,), 1e-20)  # so many that torch gives a part to each of its threads

    def denormal_products() -> int:
        return int((small * small != 0.0).sum())

    before = denormal_products()
    assert is_flushed or before == len(small)
    for run in linear_maps().values():
        run()
    leaf = head._replace(planes=head.planes.clone().requires_grad_())
    rays = rays_of_a_view(200)
    distances = torch.linspace(2.2, 3.2, 16).expand(1, 200, 16).contiguous()
    mini.march(leaf, *rays, distances).alpha.sum().backward()
    mini.render_rays(head, *rays)
    assert denormal_products() == before


def test_gradients_of_a_real_head(native: None, head: AnchoredHeads, mini: AnchoredGenerator) -> None:
    """What lies behind the surface has a gradient too small to be a normal number: zero, and no slower for it."""
    origins, directions = rays_of_a_view(400)
    distances = torch.linspace(2.2, 3.2, 48).expand(1, 400, 48).contiguous()
    decoder, space = mini.decoder.weights(), mini.anchor_config.space

    def gradient(kind: torch.dtype, backend: _build.Backend) -> Tensor:
        leaf = head.planes.to(kind).clone().requires_grad_()
        volumes = head.volumes._replace(whole=head.volumes.whole.to(kind), face=head.volumes.face.to(kind))
        own = AnchoredHeads(leaf, volumes, head.hidden_bias.to(kind))
        rays = (tensor.to(kind) for tensor in (origins, directions, distances))
        with use_backend(backend):
            seen = march_anchored(own, *rays, type(decoder)(*(weight.to(kind) for weight in decoder)), space)
            (seen.features.square().sum() + seen.alpha.sum() + seen.distance.sum()).backward()
        assert leaf.grad is not None
        return leaf.grad

    def error(found: Tensor) -> float:
        return ((found.double() - truth).norm() / truth.norm()).item()

    truth = gradient(torch.float64, "reference")
    reference, ours = gradient(torch.float32, "reference"), gradient(torch.float32, "auto")
    assert is_denormal(reference).sum() > 10000
    assert is_denormal(ours).sum() < is_denormal(reference).sum() / 1000  # few from sums of parts, which torch makes
    assert error(ours) <= 2.0 * error(reference) + 2e-6


def is_denormal(values: Tensor) -> Tensor:
    return (values != 0.0) & (values.abs() < torch.finfo(torch.float32).tiny)


def test_kernels_share_work_by_the_loop_that_flushes() -> None:
    sources = sorted(Path(_build.__file__).parent.glob("*/*.cpp"))
    assert len(sources) > 5
    assert not [source.name for source in sources if "at::parallel_for" in source.read_text()]
