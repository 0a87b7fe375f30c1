"""EG3D's constructor arguments -> our configuration.

Every argument is accounted for: what shapes the network or its pictures is taken over, what only training reads is
known and ignored, and anything else, or a value that our generator does not compute, is an error that names it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from ..conventions import FOCAL, PIVOT, RADIUS, Orbit
from ..errors import CheckpointError
from ..models.config import BackboneConfig, GeneratorConfig, MappingConfig, RenderConfig, Superresolution
from ..models.superresolution import HYBRIDS
from .torch_pickles import printable

_MODULES: dict[str, Superresolution] = {
    "SuperresolutionHybrid2X": "hybrid2x",
    "SuperresolutionHybrid4X": "hybrid4x",
    "SuperresolutionHybrid8X": "hybrid8x",
    "SuperresolutionHybrid8XDC": "hybrid8xdc",
}
_BACKBONE_SIDE = 256  # of the planes, in all of EG3D
_SHAPENET_RADIUS, _SHAPENET_FOCAL = 1.7, 1.7074  # its cameras, known only from EG3D's scripts
_LARGEST = 4096  # of widths and sides: what claims more is no network, but would be built


class _Arguments:
    """Arguments that are taken one by one, so that what is left over is known."""

    def __init__(self, values: Any, name: str) -> None:
        if type(values) is not dict:
            raise CheckpointError(f"{name} is no dictionary")
        self._left = dict(values)
        self._name = name

    def whole(self, key: str, default: int | None = None, *, smallest: int = 1, largest: int = _LARGEST) -> int:
        value = self._left.pop(key, default)
        if type(value) is not int or not smallest <= value <= largest:
            raise self._wrong(key, value)
        return value

    def number(self, key: str, default: float | None = None) -> float:
        value = self._left.pop(key, default)
        if type(value) not in (int, float) or not -1e6 < value < 1e6:
            raise self._wrong(key, value)
        return float(value)

    def flag(self, key: str, default: bool | None = None) -> bool:
        value = self._left.pop(key, default)
        if type(value) is not bool:
            raise self._wrong(key, value)
        return value

    def any_of(self, key: str, *values: Any) -> Any:
        """One of the values, of which the first is the default."""
        value = self._left.pop(key, values[0])
        if not any(type(value) is type(known) and value == known for known in values):
            raise self._wrong(key, value)
        return value

    def part(self, key: str) -> _Arguments:
        return _Arguments(self._left.pop(key, {}), key)

    def peek(self, key: str) -> Any:
        return self._left.get(key)

    def point(self, key: str, default: tuple[float, float, float]) -> tuple[float, float, float]:
        value = self._left.pop(key, list(default))
        is_point = type(value) in (list, tuple) and len(value) == 3
        if not is_point or any(type(v) not in (int, float) or not -100 < v < 100 for v in value):
            raise self._wrong(key, value)
        return float(value[0]), float(value[1]), float(value[2])

    def text(self, key: str) -> str:
        value = self._left.pop(key, None)
        if type(value) is not str:
            raise self._wrong(key, value)
        return value

    def ignore(self, *keys: str) -> None:
        for key in keys:
            self._left.pop(key, None)

    def finish(self) -> None:
        """Raises CheckpointError where something is left over."""
        if self._left:
            names = ", ".join(str(key)[:40] for key in list(self._left)[:4])
            raise CheckpointError(f"{self._name} has {names}, which geoinv does not know", _UNKNOWN_HINT)

    def _wrong(self, key: str, value: Any) -> CheckpointError:
        is_plain = value is None or type(value) in (bool, int, float, str)
        shown = ascii(value)[:40] if is_plain and not (type(value) is int and value.bit_length() > 64) else "a value"
        return CheckpointError(f"{self._name} has {key} = {shown}, which geoinv does not compute", _UNKNOWN_HINT)


_UNKNOWN_HINT = "it is a variant of EG3D that would not look the same here"


def generator_config(
    arguments: Mapping[str, Any],
    rendering: Mapping[str, Any],
    *,
    name: str,
    ray_side: int | None,
    third_plane: Literal["zx", "zy"],
) -> GeneratorConfig:
    """The configuration of the network that these arguments make.

    Args:
        arguments: Arguments of EG3D's ``TriPlaneGenerator``, without ``rendering_kwargs``.
        rendering: Its ``rendering_kwargs``.
        name: For the configuration.
        ray_side: Side of the ray grid; by default what super-resolution takes without resizing.
        third_plane: See :class:`GeneratorConfig`.

    Raises:
        CheckpointError: An argument that is missing, unknown, or of a value that our generator does not compute.
    """
    network = _Arguments(dict(arguments), "init_kwargs")
    network.ignore("rendering_kwargs", "fused_modconv_default", "num_fp16_res")
    volume = _Arguments(dict(rendering), "rendering_kwargs")
    superresolution = _superresolution(network, volume)
    resolution = network.whole("img_resolution")
    hybrid = HYBRIDS[superresolution]
    if resolution != hybrid.output_side:
        raise CheckpointError(f"{superresolution} makes {hybrid.output_side} px, but img_resolution is {resolution}")
    network.any_of("img_channels", 3)
    w_dim = network.whole("w_dim")
    mapping = _mapping(network, volume, w_dim)
    channel_base, channel_max = network.whole("channel_base", 32768, largest=1 << 20), network.whole("channel_max", 512)
    sides = [4 * 2**i for i in range(7)]  # 4 to 256
    backbone = BackboneConfig(
        w_dim=w_dim,
        channels=tuple(max(1, min(channel_base // side, channel_max)) for side in sides),
        out_channels=96,
        convs_per_block=(1, 2, 2, 2, 2, 2, 2),
    )
    network.any_of("conv_clamp", None)
    network.any_of("architecture", "skip")
    network.any_of("use_noise", True)
    network.finish()
    orbit = _orbit(volume)
    config = GeneratorConfig(
        name=name,
        mapping=mapping,
        backbone=backbone,
        render=_render(volume),
        decoder_hidden=64,
        feature_channels=32,
        third_plane=third_plane,
        neural_resolution=ray_side or hybrid.input_side,
        resolution=resolution,
        superresolution=superresolution,
        white_back=volume.flag("white_back", False),
        orbit=orbit,
        crop="face" if orbit == Orbit() else "none",
    )
    volume.finish()
    return config


def _superresolution(network: _Arguments, volume: _Arguments) -> Superresolution:
    module = volume.text("superresolution_module").rpartition(".")[2]
    if module not in _MODULES:
        raise CheckpointError(f"the super-resolution {printable(module)} is not known", f"known: {', '.join(_MODULES)}")
    volume.any_of("superresolution_noise_mode", "none")
    volume.any_of("sr_antialias", True)
    network.whole("sr_num_fp16_res")  # not 0: without half precision EG3D does not clamp
    options = network.part("sr_kwargs")
    options.ignore("channel_base", "channel_max", "fused_modconv_default")
    options.finish()
    return _MODULES[module]


def _mapping(network: _Arguments, volume: _Arguments, w_dim: int) -> MappingConfig:
    options = network.part("mapping_kwargs")
    label_scale = volume.number("c_scale", 0.0)
    config = MappingConfig(
        z_dim=network.whole("z_dim"),
        w_dim=w_dim,
        label_dim=network.any_of("c_dim", 25),
        label_scale=0.0 if volume.flag("c_gen_conditioning_zero") else label_scale,
        layers=options.whole("num_layers", 8, largest=32),
        hidden=options.whole("layer_features", w_dim),
        lr_multiplier=options.number("lr_multiplier", 0.01),
    )
    options.any_of("embed_features", None, w_dim)
    options.any_of("activation", "lrelu")
    options.ignore("w_avg_beta")
    options.finish()
    return config


def _render(volume: _Arguments) -> RenderConfig:
    volume.any_of("clamp_mode", "softplus")
    volume.any_of("disparity_space_sampling", False)
    volume.any_of("decoder_lr_mul", 1, 1.0)
    volume.any_of("density_noise", 0, 0.0)
    volume.ignore("image_resolution", "gpc_reg_prob", "density_reg", "density_reg_p_dist", "reg_type")
    samples = volume.whole("depth_resolution", largest=1024)
    importance = volume.whole("depth_resolution_importance", smallest=0, largest=1024)
    box_side = volume.number("box_warp")
    if volume.peek("ray_start") == "auto" and volume.peek("ray_end") == "auto":
        volume.ignore("ray_start", "ray_end")
        return RenderConfig(samples, importance, "box", box_side=box_side)
    near, far = volume.number("ray_start"), volume.number("ray_end")
    if not (0.0 <= near < far and box_side > 0.0):
        raise CheckpointError(f"rendering_kwargs has rays from {near:g} to {far:g} in a box of {box_side:g}")
    return RenderConfig(samples, importance, "fixed", near, far, box_side)


def _orbit(volume: _Arguments) -> Orbit:
    radius = volume.number("avg_camera_radius", RADIUS)
    pivot = volume.point("avg_camera_pivot", PIVOT)
    return Orbit(radius, pivot, _SHAPENET_FOCAL if radius == _SHAPENET_RADIUS else FOCAL)
