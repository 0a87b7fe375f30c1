"""Two passes through anchored heads: native against the reference, what is skipped, and what is kept between views."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from geoinv.ops._build import backend_choice, use_backend
from geoinv.ops.anchored_rays import (
    FEATURES,
    PLANES,
    SKIP_TOLERANCE,
    AnchoredHeads,
    AnchorVolumes,
    CanonicalSpace,
    points,
    render_anchored,
    rendering,
)
from geoinv.ops.render_rays import DecoderWeights, RayOutput, RaySampling
from geoinv.ops.render_rays.limits import SkipLimits

FACE_BOX = ((-0.2, 0.2), (-0.3, 0.1), (0.0, 0.4))
SPACE = CanonicalSpace()
SAMPLING = RaySampling(24, 16, "box", 0.0, 0.0, 1.0, "zy")


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    rendering._PREPARED.clear()
    yield
    rendering._PREPARED.clear()


@pytest.fixture
def native() -> None:
    """What is tested belongs to the kernels alone."""
    if backend_choice() == "reference":
        pytest.skip("the reference is asked for")
    assert points.is_native(torch.zeros(1))


def sphere_volume(cells: int, box: tuple[tuple[float, float], ...]) -> Tensor:
    """[1, cells, cells, cells, 8] about a sphere of radius 0.3: no displacement, distance, normal, no part."""
    x, y, z = (low + (high - low) * (torch.arange(cells) + 0.5) / cells for low, high in box)
    centres = torch.stack(torch.meshgrid(z, y, x, indexing="ij")[::-1], dim=-1)
    length = centres.norm(dim=-1, keepdim=True)
    nothing = torch.zeros_like(length)
    return torch.cat([nothing.expand(-1, -1, -1, 3), length - 0.3, centres / length, nothing], dim=-1)[None]


def head_like() -> tuple[AnchoredHeads, DecoderWeights]:
    """A sphere with a coat that the planes add to it in places, its density smooth, and empty space about it."""
    random = torch.Generator().manual_seed(3)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=random)

    coarse = normal(1, PLANES * 32, 6, 6)
    planes = F.interpolate(coarse, size=(64, 64), mode="bilinear").unflatten(1, (PLANES, 32))
    volumes = AnchorVolumes(sphere_volume(32, ((-0.5, 0.5),) * 3), sphere_volume(32, FACE_BOX), FACE_BOX)
    decoder = DecoderWeights(
        normal(64, 36) * 0.1, torch.zeros(64), normal(1 + FEATURES, 64) * 0.1, normal(1 + FEATURES)
    )
    decoder.hidden_weight[:, 34] += 0.5  # the distance at the largest scale: the farther, the emptier
    decoder.output_weight[0] -= 0.02
    return AnchoredHeads(planes, volumes, normal(1, 64) * 0.1), decoder


def rays(count: int = 300) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(5)
    origins = F.normalize(torch.randn(1, count, 3, generator=random), dim=-1) * 2.7
    aims = 0.9 * torch.rand(1, count, 3, generator=random) - 0.45
    return origins, F.normalize(aims - origins, dim=-1)


def rendered(*, sampling: RaySampling = SAMPLING, exact: bool = False, empty: Tensor | None = None) -> RayOutput:
    heads, decoder = head_like()
    return render_anchored(heads._replace(empty=empty), *rays(), decoder, sampling, SPACE, exact=exact)


OFF_BORDERS = replace(SAMPLING, num_samples=23)
"""Even samples that lie on no border of two blocks: on which side they are would be a matter of rounding."""


def some_empty_cells() -> Tensor:
    """[1, 128, 128, 128] a quarter of the box, and blocks anywhere, of thirteenths of its side."""
    blocks = torch.rand(1, 1, 13, 13, 13, generator=torch.Generator().manual_seed(6)) < 0.5
    empty = F.interpolate(blocks.float(), size=(128,) * 3)[0] > 0.0
    empty[:, :61, :, 67:] = True
    return empty


def largest(ours: RayOutput, theirs: RayOutput) -> float:
    pairs = ((ours.features, theirs.features), (ours.alpha, theirs.alpha))
    return max(float((a - b).detach().abs().max()) for a, b in pairs)


class TestRenderAnchored:
    @pytest.mark.parametrize(
        "sampling",
        [SAMPLING, replace(SAMPLING, num_importance=0), RaySampling(17, 9, "fixed", 2.3, 3.1, 1.0, "zy")],
    )
    def test_exact_matches_reference(self, sampling: RaySampling) -> None:
        ours = rendered(sampling=sampling, exact=True)
        with use_backend("reference"):
            theirs = rendered(sampling=sampling)
        assert largest(ours, theirs) < 2e-4
        assert torch.allclose(ours.distance, theirs.distance, atol=1e-3)

    @pytest.mark.parametrize("sampling", [OFF_BORDERS, replace(OFF_BORDERS, num_importance=0)])
    def test_nothing_is_seen_in_empty_cells(self, sampling: RaySampling) -> None:
        empty = some_empty_cells()
        ours = rendered(sampling=sampling, exact=True, empty=empty)
        with use_backend("reference"):
            theirs = rendered(sampling=sampling, empty=empty)
        assert largest(ours, theirs) < 2e-4
        assert largest(ours, rendered(sampling=sampling, exact=True)) > 0.3
        assert largest(ours, rendered(sampling=sampling, empty=empty)) < SKIP_TOLERANCE
        assert float(rendered(sampling=sampling, empty=torch.ones_like(empty)).alpha.max()) == 0.0

    def test_gradients_leave_empty_cells_out(self) -> None:
        heads, decoder = head_like()
        planes = heads.planes.clone().requires_grad_()
        few = tuple(each[:, :20] for each in rays())
        heads = heads._replace(planes=planes, empty=some_empty_cells())
        seen = render_anchored(heads, *few, decoder, OFF_BORDERS, SPACE)
        kept = render_anchored(heads._replace(planes=planes.detach()), *few, decoder, OFF_BORDERS, SPACE, exact=True)
        assert largest(seen, kept) < 2e-4
        seen.alpha.sum().backward()
        assert planes.grad is not None and planes.grad.isfinite().all() and planes.grad.abs().sum() > 0.0

    def test_skipping_keeps_its_tolerance(self, native: None) -> None:
        """Where it skips at all: much of the box is empty, and no density is missed."""
        heads, decoder = head_like()
        skipped, whole = rendered(), rendered(exact=True)
        assert 0.0 < largest(skipped, whole) < SKIP_TOLERANCE
        assert 0.2 < float((whole.alpha > 0.5).float().mean()) < 0.9
        settings = rendering.kernel_settings(FACE_BOX, SPACE)
        bounds = rendering._bounds(rendering.kernel_head(heads, decoder), settings)
        limit = SkipLimits.of(SKIP_TOLERANCE, SAMPLING, haze=rendering._HAZE).empty_raw
        assert 0.1 < float((bounds < limit).float().mean()) < 0.9

    def test_bounds_are_those_of_their_corners(self, native: None) -> None:
        heads, decoder = head_like()
        settings = rendering.kernel_settings(FACE_BOX, SPACE)
        bounds = rendering._bounds(rendering.kernel_head(heads, decoder), settings)
        z, y, x = 40, 31, 12
        corner = torch.tensor([x, y, z]) / 64 - 0.5
        offsets = torch.cartesian_prod(*[torch.tensor([0.0, 1 / 64])] * 3)
        raw, _ = points.decode_points(heads, (corner + offsets)[None], decoder, SPACE)
        assert bounds[0, z, y, x].item() == pytest.approx(raw.max().item() + rendering._SLACK, abs=1e-3)

    def test_bounds_are_made_once_for_a_head(self, native: None, monkeypatch: pytest.MonkeyPatch) -> None:
        heads, decoder = head_like()
        made = []
        make = torch.ops.geoinv.anchored_bounds
        monkeypatch.setattr(torch.ops.geoinv, "anchored_bounds", lambda *given: made.append(0) or make(*given))

        def render() -> int:
            render_anchored(heads, *rays(3), DecoderWeights(*(w.clone() for w in decoder)), SAMPLING, SPACE)
            return len(made)

        assert [render(), render()] == [1, 1]
        heads.volumes.whole.mul_(1.1)
        assert [render(), render()] == [2, 2]
        heads.planes.add_(0.1)
        assert render() == 3
        decoder.output_bias.add_(0.1)
        assert [render(), render()] == [4, 4]
        render_anchored(heads, *rays(3), decoder, SAMPLING, SPACE, exact=True)
        assert len(made) == 4

    def test_gradient_matches_reference(self) -> None:
        found = []
        for backend in ("auto", "reference"):
            with use_backend(backend):  # type: ignore[arg-type]
                heads, decoder = head_like()
                planes = heads.planes.requires_grad_()
                seen = render_anchored(heads, *rays(20), decoder, SAMPLING, replace(SPACE, softness=0.02))
                (seen.features.square().sum() + seen.alpha.sum()).backward()
                assert planes.grad is not None
                found.append(planes.grad)
        assert float((found[0] - found[1]).norm() / found[1].norm()) < 1e-3

    def test_threads_change_nothing(self, native: None, request: pytest.FixtureRequest) -> None:
        before = torch.get_num_threads()
        request.addfinalizer(lambda: torch.set_num_threads(before))
        found = []
        for threads in (1, 3):
            torch.set_num_threads(threads)
            found.append(rendered())
        assert torch.equal(found[0].features, found[1].features)
        assert torch.equal(found[0].alpha, found[1].alpha)

    def test_too_few_samples_for_a_second_pass(self, native: None) -> None:
        with pytest.raises(RuntimeError, match="second pass"):
            rendered(sampling=replace(SAMPLING, num_samples=3))
