"""Our networks of the StyleSDF family against what the official code of E3DGE computed from the same weights, and that
a mistake in any part shows."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from geoinv.models import psp
from geoinv.models.stylesdf import (
    aligner,
    encoder,
    generator,
    local_branch,
    local_encoder,
    pose_network,
    upsampler,
    volume_renderer,
)
from geoinv.ops.modulated_conv2d import modulated_conv2d
from tests.golden.e3dge_networks import TOLERANCE, Differences, Networks, Parts, golden, networks

PARTS = [name for name in vars(Parts) if not name.startswith("_")]


@pytest.fixture(scope="module")
def right() -> Networks:
    return networks()


@pytest.fixture(scope="module")
def parts(right: Networks) -> Parts:
    with torch.no_grad():
        return Parts(right)


@pytest.fixture(scope="module")
def found(parts: Parts, right: Networks) -> dict[str, Differences]:
    with torch.no_grad():
        return {part: getattr(parts, part)(right) for part in PARTS}


@pytest.mark.parametrize("part", PARTS)
def test_part(part: str, found: dict[str, Differences]) -> None:
    assert {name: value for name, value in found[part].items() if not value < TOLERANCE} == {}


def test_all_golden_outputs_are_looked_at(found: dict[str, Differences]) -> None:
    inputs = {"mapping/z", "generator/azim_elev", "generator/camera.calibs", "generator/query_points"}
    inputs |= {"generator/w_plus", "generator/decoder_w_plus", "encoder/photo", "hybrid/azim_elev", "hybrid/index"}
    inputs |= {"hybrid/query_calibs", "hybrid/source_calibs", "hybrid/f_2d", "hybrid/f_3d", "edit/scales"}
    inputs |= {f"edit/{name}_{of}" for name in ("smiling", "young") for of in ("renderer", "decoder")}
    inputs |= {"encoder/offsets_renderer", "encoder/w_plus"}  # of which only some heads are kept
    inputs |= {f"surface/{name}" for name in ("camera_poses", "focal", "vertex_min", "vertex_max", "vertex_mean")}
    inputs |= {"surface/area", "surface/counts"}
    seen = {name for part in PARTS for name in found[part]}
    assert set(golden()) - inputs == seen - {"offsets", "w_plus"}


Break = Callable[[pytest.MonkeyPatch, Networks], None]


def constant(module: ModuleType, name: str, value: Any) -> Break:
    """A number or function of a module is another one."""
    return lambda patch, nets: patch.setattr(module, name, value)


def swapped(module: ModuleType, first: str, second: str) -> Break:
    def apply(patch: pytest.MonkeyPatch, nets: Networks) -> None:
        one, other = getattr(module, first), getattr(module, second)
        patch.setattr(module, first, other)
        patch.setattr(module, second, one)

    return apply


def resized(module: ModuleType, mode: str, align_corners: bool | None) -> Break:
    """Maps are enlarged in another way in this module."""
    real = F.interpolate

    class Functional:
        def __getattr__(self, name: str) -> Any:
            return getattr(F, name)

        def interpolate(self, maps: Tensor, size: Any = None, scale_factor: Any = None, **_: Any) -> Tensor:
            return real(maps, size=size, scale_factor=scale_factor, mode=mode, align_corners=align_corners)

    return lambda patch, nets: patch.setattr(module, "F", Functional())


def without_demodulation(patch: pytest.MonkeyPatch, nets: Networks) -> None:
    def plain(*args: Any, **kwargs: Any) -> Tensor:
        return modulated_conv2d(*args, **{**kwargs, "demodulate": False})

    patch.setattr(upsampler, "modulated_conv2d", plain)


def demodulated_colors(patch: pytest.MonkeyPatch, nets: Networks) -> None:
    def always(*args: Any, **kwargs: Any) -> Tensor:
        return modulated_conv2d(*args, **{**kwargs, "demodulate": True})

    patch.setattr(upsampler, "modulated_conv2d", always)


def without_noise(patch: pytest.MonkeyPatch, nets: Networks) -> None:
    for name, value in nets.generator.decoder.noises.named_buffers():
        patch.setattr(nets.generator.decoder.noises, name, torch.zeros_like(value))


def noise_twice(patch: pytest.MonkeyPatch, nets: Networks) -> None:
    """The second noise of a side where the first belongs."""
    real = nets.generator.decoder._noise
    patch.setattr(nets.generator.decoder, "_noise", lambda number: real(2 if number == 1 else number))


def same_row(patch: pytest.MonkeyPatch, nets: Networks) -> None:
    """Every layer reads the first row."""
    real = nets.generator.codes
    patch.setattr(nets.generator, "codes", lambda w_plus: tuple(rows[:, :1].expand_as(rows) for rows in real(w_plus)))


def colored_from(direction: Callable[[Tensor], Tensor]) -> Break:
    def apply(patch: pytest.MonkeyPatch, nets: Networks) -> None:
        renderer = nets.generator.renderer
        real = renderer.colored
        patch.setattr(renderer, "colored", lambda f, views, codes: real(f, direction(views), codes))

    return apply


def half_a_slice_on(patch: pytest.MonkeyPatch, nets: Networks) -> None:
    renderer = nets.generator.renderer
    real = renderer.depths
    patch.setattr(renderer, "depths", lambda count, device: real(count, device) + 0.12 / count)


def density(change: Callable[[Tensor, Tensor], Tensor]) -> Break:
    def apply(patch: pytest.MonkeyPatch, nets: Networks) -> None:
        renderer = nets.generator.renderer
        patch.setattr(renderer, "density", lambda sdf: change(sdf, renderer.sigmoid_beta))

    return apply


def film_on_distance(patch: pytest.MonkeyPatch, nets: Networks) -> None:
    """The signed distance reads modulated features."""
    renderer = nets.generator.renderer
    modulations: list[Tensor] = []
    real = renderer._march

    def march(points: Tensor, lengths: Tensor, views: Tensor, codes: Tensor, modulate: Any, some: slice) -> Any:
        flat = points.reshape(len(points), -1, 3)
        modulations[:] = [] if modulate is None else [modulate(flat, some)]
        return real(points, lengths, views, codes, None, some)

    features = renderer.point_features

    def modulated(points: Tensor, codes: Tensor) -> Tensor:
        alpha, beta = modulations[0].chunk(2, dim=-1)
        return (1.0 + alpha) * features(points, codes) + beta

    patch.setattr(renderer, "_march", march)
    patch.setattr(renderer, "point_features", modulated)


def film_order(patch: pytest.MonkeyPatch, nets: Networks) -> None:
    """Beta first, then alpha."""
    for branch in (nets.branch, nets.only_2d):
        real = branch.film
        patch.setattr(
            branch, "film", lambda f, points, real=real: torch.cat(real(f, points).chunk(2, dim=-1)[::-1], dim=-1)
        )


def means_of(squared: Callable[[Tensor], Tensor]) -> Break:
    """Another normalisation of G1's code."""

    def apply(patch: pytest.MonkeyPatch, nets: Networks) -> None:
        decoder = nets.generator.decoder
        real = decoder.mapping
        patch.setattr(decoder, "mapping", lambda w: real(squared(w)))

    return apply


def truncated_once(patch: pytest.MonkeyPatch, nets: Networks) -> None:
    made = nets.generator

    def mapping(z: Tensor, label: Tensor | None = None, *, truncation_psi: float = 1.0) -> Tensor:
        offset = truncation_psi * (made.renderer_mapping(z) - made.renderer_mean)
        decoder = made.decoder.mapping(made.renderer_mean + offset) - made.decoder_mean
        return generator.joined(
            offset[:, None].expand(-1, made.config.renderer_rows, -1),
            decoder[:, None].expand(-1, made.config.decoder_rows, -1),
        )

    patch.setattr(made, "mapping", mapping)


def module_of(find: Callable[[Networks], nn.Module], forward: Callable[..., Tensor]) -> Break:
    """A module computes something else."""
    return lambda patch, nets: patch.setattr(find(nets), "forward", forward)


def slopes(find: Callable[[Networks], nn.Module | None], slope: float) -> Break:
    """All leaky ReLUs of a module with another slope."""

    def apply(patch: pytest.MonkeyPatch, nets: Networks) -> None:
        module = find(nets)
        assert module is not None
        for layer in module.modules():
            if isinstance(layer, nn.LeakyReLU):
                patch.setattr(layer, "negative_slope", slope)

    return apply


def zero_padded(patch: pytest.MonkeyPatch, nets: Networks) -> None:
    """Zeros beside the stems' pictures instead of their reflection."""
    for layer in nets.branch.local.modules():
        if isinstance(layer, nn.Conv2d) and layer.padding_mode == "reflect":
            patch.setattr(layer, "padding_mode", "zeros")


def groups(count: int) -> Break:
    def apply(patch: pytest.MonkeyPatch, nets: Networks) -> None:
        for layer in nets.branch.local.modules():
            if isinstance(layer, nn.GroupNorm):
                patch.setattr(layer, "num_groups", count)

    return apply


def epsilon_of_norms(patch: pytest.MonkeyPatch, nets: Networks) -> None:
    for layer in nets.branch.local.modules():
        if isinstance(layer, nn.InstanceNorm2d):
            patch.setattr(layer, "eps", 1e-2)


def unaligned_edit(patch: pytest.MonkeyPatch, nets: Networks) -> None:
    real = nets.branch.source_features
    patch.setattr(
        nets.branch, "source_features", lambda residual, view, is_edited: real(residual, view, is_edited=False)
    )


def aligned_twice(patch: pytest.MonkeyPatch, nets: Networks) -> None:
    """The query view aligns what was aligned to it already."""
    real = nets.branch.modulation
    ada = nets.branch.aligner

    def modulation(residual: Tensor, features: Tensor, source: Any, query: Any) -> Any:
        return real(ada(residual, query.thumb), features, source, query)

    patch.setattr(nets.branch, "modulation", modulation)


def always_seen(points: Tensor, camera: Any) -> Tensor:
    return torch.ones_like(points[..., :1])


def place_code_of_box(points: Tensor, real: Callable[[Tensor], Tensor] = local_branch.place_code) -> Tensor:
    return real(points / 0.12)


def smooth_residual(photo: Tensor, thumb: Tensor) -> Tensor:
    return photo - F.interpolate(thumb, size=photo.shape[-2:], mode="bilinear")


def x_before_y(patch: pytest.MonkeyPatch, nets: Networks) -> None:
    real = torch.meshgrid
    patch.setattr(torch, "meshgrid", lambda *ticks, indexing: real(*ticks, indexing="ij")[::-1])


def logit_last(patch: pytest.MonkeyPatch, nets: Networks) -> None:
    layer = nets.encoder.pose.final_conv.conv
    patch.setitem(layer._parameters, "weight", nn.Parameter(layer.weight.roll(1, dims=0)))


MISTAKES: dict[str, tuple[str, Break]] = {
    # mapping
    "slope of the mapping": ("mapping", constant(generator, "_SLOPE", 0.01)),
    "code of G1 by its variance": ("mapping", means_of(lambda w: w - w.mean(dim=-1, keepdim=True))),
    "learning rate of G1's mapping": ("mapping", constant(upsampler, "scaled_lrelu", lambda x: F.leaky_relu(x, 0.2))),
    "truncated once": ("mapping", truncated_once),
    # G0
    "swapped frequencies": ("field", swapped(volume_renderer, "_GAMMA_SCALE", "_GAMMA_SHIFT")),
    "missing phase shift": ("field", constant(volume_renderer, "_BETA_SCALE", 0.0)),
    "direction of view in the world's axes": ("view", colored_from(lambda v: v * torch.tensor([1.0, -1.0, -1.0]))),
    "no direction of view": ("view", colored_from(torch.zeros_like)),
    "samples in the middle of slices": ("camera", half_a_slice_on),
    "density without its scale": ("view", density(lambda sdf, beta: torch.sigmoid(-sdf / beta))),
    "density of the other side": ("view", density(lambda sdf, beta: torch.sigmoid(sdf / beta) / beta)),
    "every layer by one row": ("rows", same_row),
    # G1
    "no demodulation": ("picture", without_demodulation),
    "demodulated colours": ("picture", demodulated_colors),
    "no gain": ("picture", constant(upsampler, "LRELU_GAIN", 1.0)),
    "another slope": ("picture", constant(upsampler, "LRELU_SLOPE", 0.01)),
    "no noise": ("picture", without_noise),
    "noise of another layer": ("picture", noise_twice),
    "pictures doubled without a filter": (
        "picture",
        constant(upsampler, "upsample2", lambda picture: F.interpolate(picture, scale_factor=2.0)),
    ),
    # E0
    "slope of E0's heads": (
        "encoder",
        slopes(lambda nets: nets.encoder.code, 0.2),
    ),
    "pyramid without aligned corners": ("encoder", resized(psp, "bilinear", False)),
    "taps of other units": ("encoder", constant(encoder, "_TAPS", (1, 5, 19, 22))),
    "no squeeze and excitation": (
        "encoder",
        module_of(lambda nets: nets.encoder.code.body[0].res_layer[5], lambda features: features),
    ),
    # camera
    "places of pixels as x, y": ("pose", x_before_y),
    "slope of the pose network": ("pose", constant(pose_network, "_SLOPE", 0.01)),
    "shortcut without its scale": ("pose", constant(pose_network.math, "sqrt", lambda value: 1.0)),
    "camera from the wrong outputs": ("pose", logit_last),
    # E1
    "hourglass without aligned corners": ("local", resized(local_encoder, "bicubic", False)),
    "hourglass enlarged linearly": ("local", resized(local_encoder, "bilinear", True)),
    "zeros beside the stems": ("local", zero_padded),
    "groups of the norms": ("local", groups(2)),
    "epsilon of the stems": ("local", epsilon_of_norms),
    "residual against a smooth picture": ("reconstruction", constant(local_branch, "residual_of", smooth_residual)),
    # ADA
    "aligner with aligned corners": ("aligner", resized(aligner, "bilinear", True)),
    # fusion and modulation
    "all points seen": ("fusion", constant(local_branch, "in_frame", always_seen)),
    "slope of the fusion": (
        "fusion",
        slopes(lambda nets: nets.branch.fusion, 0.01),
    ),
    "places in units of the box": ("fusion", constant(local_branch, "place_code", place_code_of_box)),
    "beta before alpha": ("hybrid", film_order),
    "modulated distance": ("hybrid", film_on_distance),
    "residual aligned twice": ("hybrid", aligned_twice),
    # edits
    "residual not aligned to the edit": ("edit", unaligned_edit),
}


@torch.no_grad()
@pytest.mark.parametrize("mistake", MISTAKES)
def test_planted_mistake_shows(mistake: str, parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    part, apply = MISTAKES[mistake]
    broken = networks()
    apply(monkeypatch, broken)
    wrong = getattr(parts, part)(broken)
    assert max(wrong.values()) > 5.0 * TOLERANCE


def test_field_of_view() -> None:
    assert golden()["generator/camera.focal"].item() == pytest.approx(32.0 / math.tan(math.radians(6.0)), abs=1e-3)
