"""Configurations: everything that decides a model's shape, frozen, checked, and saved with its weights."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal

from ..conventions import FACE_ORBIT, RADIUS, Orbit
from ..errors import CheckpointError
from ..ops.anchored_rays.reference import FEATURES, PLANES, CanonicalSpace
from ..shape.proportions import Proportions

Superresolution = Literal["none", "residual", "hybrid2x", "hybrid4x", "hybrid8x", "hybrid8xdc"]


@dataclass(frozen=True)
class MappingConfig:
    """z (and label) -> w."""

    z_dim: int
    w_dim: int
    label_dim: int = 0
    label_scale: float = 1.0  # 0: the network was trained with labels of zeros, and none has to be given
    layers: int = 2
    hidden: int = 512
    lr_multiplier: float = 0.01
    normalise_z: bool = True
    # Discrete choices hidden in z, given to the network as one-hots and steps because it cannot guess where they lie:
    # a category is (start, stop, biases): the argmax of z[start:stop] + biases; a switch is (index, threshold).
    categories: tuple[tuple[int, int, tuple[float, ...]], ...] = ()
    switches: tuple[tuple[int, float], ...] = ()
    # Quantities that start at a threshold, as expressions do, given as max(z - threshold, 0): (index, threshold).
    ramps: tuple[tuple[int, float], ...] = ()
    shortcut: bool = False  # whether w also has a linear part: most of a head is a choice or a sum of traits

    def __post_init__(self) -> None:
        if not 1 <= self.layers <= 64:
            raise ValueError(f"a mapping network of {self.layers} layers")


@dataclass(frozen=True)
class BackboneConfig:
    """w_plus -> feature planes."""

    w_dim: int
    channels: tuple[int, ...]  # of the blocks at 4, 8, 16, ...
    out_channels: int  # 3 x channels of a plane
    convs_per_block: tuple[int, ...]  # the first block counts its single convolution
    # "skip": StyleGAN2's, every block adds to the planes, with fixed noise. "subpixel": the last block alone paints, at
    # twice its side by pixel shuffle, on learned maps instead of noise; a third of the time a head.
    painting: Literal["skip", "subpixel"] = "skip"
    warp_rank: int = 0  # fields of the flow that moves planes to fit the head; 0 for none
    warp_side: int = 64  # cells of such a field
    map_gain: float = 1.0  # of learned maps and mean planes: so many times as fast they learn what heads have in common
    blended_maps: int = 0  # learned maps of the last block that w blends, so that each style of hair can have its own
    smooth: bool = False  # whether planes are filtered before, against the grid that pixel shuffle leaves in surfaces

    def __post_init__(self) -> None:
        if len(self.channels) != len(self.convs_per_block) or self.convs_per_block[0] != 1:
            raise ValueError("one count of convolutions a block, 1 for the first")

    @property
    def resolution(self) -> int:
        """Side of the planes in pixels."""
        doublings = len(self.channels) - (1 if self.painting == "skip" else 0)
        return 4 * int(2**doublings)

    @property
    def num_ws(self) -> int:
        """Codes in a w_plus: one a convolution and one for the last block's output."""
        return sum(self.convs_per_block) + 1


@dataclass(frozen=True)
class RenderConfig:
    """Sampling of rays."""

    num_samples: int
    num_importance: int
    limits: Literal["fixed", "box"]  # along the ray: [near, far], or where it meets the box
    near: float = 2.25
    far: float = 3.3
    box_side: float = 1.0

    @property
    def sampled_to(self) -> float:
        """The end of the last slice between fixed limits: EG3D's slices begin at even steps from near to far."""
        return self.far + (self.far - self.near) / max(self.num_samples - 1, 1)


EXPRESSION_SIZE = 54
"""Numbers of a shape code that say what a face does: 52 units, and two of gaze; they come last."""


@dataclass(frozen=True)
class AnchorConfig:
    """The volume that ties a generator to the head mesh, and how planes lie about the average head.

    Args:
        head_model: First digits of the SHA-256 of the head model's file.
        look_size: How many numbers say what a head looks like apart from shape and light; they are linear in w.
        cells: Cells of the whole box along a side.
        face_cells: Cells of the face's box along a side.
        face_box: Lowest and highest x, y and z of the face's box, in world units.
        spacing: Distance between places of the mesh that are splatted, in cells.
        push: Weight of a coarser grid beside what lies in a cell itself.
        space: Layout of the planes, and the mesh's own density.
        code_size: Length of a shape code: identity, expression and gaze.
        shape_hidden: Width of the network that finds shape codes.
        light_hidden: Width of the network that finds the light.
    """

    head_model: str
    look_size: int
    cells: int = 32
    face_cells: int = 64
    face_box: tuple[tuple[float, float], ...] = ((-0.2, 0.2), (-0.34, 0.18), (-0.04, 0.36))
    spacing: float = 2.5
    push: float = 0.02
    space: CanonicalSpace = CanonicalSpace()
    code_size: int = 150
    shape_hidden: int = 512
    light_hidden: int = 128

    def __post_init__(self) -> None:
        for name, count in (("cells", self.cells), ("face_cells", self.face_cells)):
            if count not in (8, 16, 32, 64, 128):
                raise ValueError(f"an anchor of {count} {name}; it must be a power of two from 8 to 128")

    @property
    def painted_size(self) -> int:
        """Numbers that planes are painted from: look and expression."""
        return self.look_size + EXPRESSION_SIZE

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> AnchorConfig:
        """Inverse of ``dataclasses.asdict`` after a trip through JSON."""
        parts = dict(values)
        space = dict(parts.pop("space"))
        space["fovea"] = tuple((centre, strength) for centre, strength in space["fovea"])
        space["distance_scales"] = tuple(space["distance_scales"])
        face_box = tuple((low, high) for low, high in parts.pop("face_box"))
        return cls(space=CanonicalSpace(**space), face_box=face_box, **parts)


@dataclass(frozen=True)
class GeneratorConfig:
    """A tri-plane generator: EG3D's (Chan et al., CVPR 2022) and our small one are the same class.

    One with an ``anchor`` is :class:`geoinv.models.anchored_generator.AnchoredGenerator`: four canonical planes, tied
    to the head mesh, and light apart from colour.
    """

    name: str
    mapping: MappingConfig
    backbone: BackboneConfig
    render: RenderConfig
    decoder_hidden: int
    feature_channels: int  # colour and features of a point; the first 3 are RGB
    third_plane: Literal["zx", "zy"]  # EG3D projects on (x, y), (x, z), (z, x); ours spans the third axis pair
    neural_resolution: int
    resolution: int
    superresolution: Superresolution
    white_back: bool = False  # what the volume leaves open is white; else it models the background, or there is none
    orbit: Orbit = FACE_ORBIT
    crop: Literal["face", "none"] = "face"  # whether its pictures are cropped as `geoinv align` does
    anchor: AnchorConfig | None = None
    proportions: Proportions | None = None  # of its heads, where they are not those of their codes: a toon's

    def __post_init__(self) -> None:
        if self.proportions is not None and self.anchor is None:
            raise ValueError("proportions without a head mesh")

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; proportions only where there are any, as older versions do not know them."""
        values = asdict(self)
        if self.proportions is None:
            del values["proportions"]
        return values

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> GeneratorConfig:
        """Inverse of :meth:`to_dict` after a trip through JSON.

        Raises:
            CheckpointError: A field is missing or unknown.
        """
        try:
            parts = dict(values)
            mapping = dict(parts.pop("mapping"))
            mapping["categories"] = tuple((a, b, tuple(c)) for a, b, c in mapping["categories"])
            mapping["switches"] = tuple((i, t) for i, t in mapping["switches"])
            mapping["ramps"] = tuple((i, t) for i, t in mapping.get("ramps", ()))
            backbone = dict(parts.pop("backbone"))
            backbone["channels"] = tuple(backbone["channels"])
            backbone["convs_per_block"] = tuple(backbone["convs_per_block"])
            render = RenderConfig(**parts.pop("render"))
            orbit = dict(parts.pop("orbit", asdict(FACE_ORBIT)))  # older files have none
            orbit["pivot"] = tuple(orbit["pivot"])
            anchor = parts.pop("anchor", None)  # older files have none
            proportions = parts.pop("proportions", None)
            return cls(
                mapping=MappingConfig(**mapping),
                backbone=BackboneConfig(**backbone),
                render=render,
                orbit=Orbit(**orbit),
                anchor=None if anchor is None else AnchorConfig.from_dict(anchor),
                proportions=None if proportions is None else Proportions.from_dict(proportions),
                **parts,
            )
        except (KeyError, TypeError, ValueError) as error:
            raise CheckpointError(f"generator configuration cannot be read: {error}") from error

    @property
    def z_dim(self) -> int:
        return self.mapping.z_dim

    @property
    def has_alpha(self) -> bool:
        """Whether its pictures are of heads alone; else it paints their background too, and they are opaque."""
        return self.superresolution in ("none", "residual")

    @property
    def knows_places(self) -> bool:
        """Whether it knows which places of two heads are the same place of the face, by a warp or by the head mesh."""
        return self.backbone.warp_rank > 0 or self.anchor is not None

    @property
    def enlargement(self) -> int:
        """Pixels of the final picture along each ray of the grid."""
        return self.resolution // self.neural_resolution

    @property
    def w_dim(self) -> int:
        return self.mapping.w_dim

    @property
    def num_ws(self) -> int:
        return self.backbone.num_ws

    @property
    def label_dim(self) -> int:
        """Numbers of the camera's label that the mapping reads; 0 for none."""
        return self.mapping.label_dim


def mini(
    z_dim: int,
    categories: tuple[tuple[int, int, tuple[float, ...]], ...] = (),
    switches: tuple[tuple[int, float], ...] = (),
    ramps: tuple[tuple[int, float], ...] = (),
) -> GeneratorConfig:
    """The small generator that ships: 3 x 32 planes at 128, 128 px rays, 256 px output, no background."""
    w_dim = 256
    return GeneratorConfig(
        name="mini",
        mapping=MappingConfig(
            z_dim=z_dim,
            w_dim=w_dim,
            layers=3,
            hidden=384,
            lr_multiplier=1.0,
            normalise_z=False,
            categories=categories,
            switches=switches,
            ramps=ramps,
        ),
        backbone=BackboneConfig(
            w_dim=w_dim,
            channels=(256, 256, 192, 128, 96),
            out_channels=96,
            convs_per_block=(1, 2, 2, 2, 2),
            painting="subpixel",
            warp_rank=64,
            smooth=True,
        ),
        render=RenderConfig(num_samples=32, num_importance=24, limits="box"),
        decoder_hidden=64,
        feature_channels=16,
        third_plane="zy",
        neural_resolution=128,
        resolution=256,
        superresolution="residual",
    )


def anchored(
    z_dim: int,
    head_model: str,
    look_size: int,
    categories: tuple[tuple[int, int, tuple[float, ...]], ...] = (),
    switches: tuple[tuple[int, float], ...] = (),
    ramps: tuple[tuple[int, float], ...] = (),
) -> GeneratorConfig:
    """The small generator on the head mesh: 4 x 32 canonical planes at 128, 256 px rays, no super-resolution."""
    small, anchor = mini(z_dim, categories, switches, ramps), AnchorConfig(head_model, look_size)
    return replace(
        small,
        name="anchored",
        mapping=replace(small.mapping, shortcut=True),
        backbone=replace(
            small.backbone,
            w_dim=anchor.painted_size,
            out_channels=32 * PLANES,
            warp_rank=0,
            map_gain=16.0,
            blended_maps=32,
        ),
        render=replace(small.render, num_samples=40, num_importance=24),
        feature_channels=FEATURES,
        neural_resolution=256,
        superresolution="none",
        anchor=anchor,
    )


def ffhq512_128() -> GeneratorConfig:
    """EG3D's FFHQ generator at 512 px with 128 px rays (its official release)."""
    return GeneratorConfig(
        name="ffhq512_128",
        mapping=MappingConfig(z_dim=512, w_dim=512, label_dim=25),
        backbone=BackboneConfig(
            w_dim=512,
            channels=(512, 512, 512, 512, 512, 256, 128),
            out_channels=96,
            convs_per_block=(1, 2, 2, 2, 2, 2, 2),
        ),
        render=RenderConfig(num_samples=48, num_importance=48, limits="fixed"),
        decoder_hidden=64,
        feature_channels=32,
        third_plane="zx",
        neural_resolution=128,
        resolution=512,
        superresolution="hybrid8xdc",
    )


@dataclass(frozen=True)
class EncoderConfig:
    """E0: photo -> w_plus offsets and camera; for generators on the head mesh shape code and light, too."""

    generator: str
    num_ws: int
    w_dim: int
    channels: tuple[int, ...] = (
        32,
        64,
        128,
        256,
        256,
    )  # at 64, 32, ..., 4 px after the stem; of a pyramid from 128 px
    blocks: tuple[int, ...] = (1, 2, 3, 3, 2)
    hidden: int = 512
    landmark_widths: tuple[int, ...] = (32, 64, 96, 128)  # at 64, 32, 16, 8 px
    codes: Literal["trunk", "pyramid"] = "trunk"  # one trunk for all codes, or a pyramid of scales: .code_pyramid
    shape_size: int = 0  # numbers of the shape code; 0 for generators without a mesh, which have no light apart either

    def __post_init__(self) -> None:
        if self.codes not in ("trunk", "pyramid"):
            raise ValueError(f"codes by {self.codes}")
        if not all(1 <= count <= 64 for count in self.blocks):  # a damaged file's would take for ever to build
            raise ValueError(f"an encoder of {self.blocks} blocks")

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> EncoderConfig:
        """Inverse of ``dataclasses.asdict`` after a trip through JSON.

        Raises:
            CheckpointError: A field is missing, unknown, or of a value that no encoder has.
        """
        try:
            older = {"codes": "trunk", "shape_size": 0}  # what their files do not say
            return cls(**_same_fields(cls, {**older, **values}, "encoder"))
        except (TypeError, ValueError) as error:
            raise CheckpointError(f"the encoder's configuration cannot be used: {error}") from error


def large_encoder(generator: str, num_ws: int, w_dim: int, *, shape_size: int = 0) -> EncoderConfig:
    """75 M parameters and 30 billion multiplications a photo: for training and use on a GPU."""
    return EncoderConfig(
        generator,
        num_ws,
        w_dim,
        channels=(64, 128, 256, 512),
        blocks=(3, 4, 14, 3),
        landmark_widths=(64, 128, 192, 256),
        codes="pyramid",
        shape_size=shape_size,
    )


@dataclass(frozen=True)
class DetailConfig:
    """E1 and hybrid alignment: what a photo shows beyond its code -> FiLM of the decoder's colours."""

    generator: str
    decoder_hidden: int
    side: int  # of the feature maps: the generator's ray grid
    channels: int = 32  # of pixel-aligned features
    widths: tuple[int, ...] = (32, 64, 96, 128)  # of the hourglass, at side, side / 2, ...
    aligner_widths: tuple[int, ...] = (24, 32, 48, 64)
    hidden: int = 64  # of the networks on points
    enlargement: int = 2  # pixels of pictures along each pixel of the networks' maps
    radius: float = RADIUS  # from the camera to the middle of heads, in world units
    finer: int = 1  # features along each pixel of the networks' maps

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> DetailConfig:
        """Inverse of ``dataclasses.asdict`` after a trip through JSON.

        Raises:
            CheckpointError: A field is missing or unknown.
        """
        newer = {"enlargement": 2, "radius": RADIUS, "finer": 1}  # which older files do not have
        return cls(**_same_fields(cls, {**newer, **values}, "detail"))


def _same_fields(cls: type, values: dict[str, Any], kind: str) -> dict[str, Any]:
    names = {f.name for f in fields(cls)}
    if set(values) != names:
        raise CheckpointError(f"{kind} configuration has fields {sorted(values)}, expected {sorted(names)}")
    return {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}


@dataclass(frozen=True)
class DiscriminatorConfig:
    """Picture and camera label -> how real the picture is, as seen by that camera."""

    resolution: int
    channels: tuple[int, ...]  # at resolution, half of it, ..., 4 px
    hidden: int = 128  # features of the whole picture, on which the label is projected
    label_dim: int = 25
    label_hidden: int = 64
    std_group: int = 4  # pictures whose spread is a feature, against a generator that makes one and the same

    def __post_init__(self) -> None:
        if self.resolution != 4 * 2 ** (len(self.channels) - 1) or len(self.channels) < 2:
            raise ValueError(f"{len(self.channels)} widths for a discriminator at {self.resolution} px")

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> DiscriminatorConfig:
        """Inverse of ``dataclasses.asdict`` after a trip through JSON.

        Raises:
            CheckpointError: A field is missing or unknown, or the widths do not fit the resolution.
        """
        known = _same_fields(cls, values, "discriminator")
        try:
            return cls(**known)
        except (TypeError, ValueError) as error:
            raise CheckpointError(f"discriminator configuration cannot be read: {error}") from error


def small_discriminator(resolution: int) -> DiscriminatorConfig:
    """1.3 M parameters and half a billion multiplications a picture at 128 px: for a CPU beside ``mini``.

    StyleGAN2's has 29 M at 256 px.
    """
    widths = {256: 16, 128: 32, 64: 64, 32: 96, 16: 128, 8: 128, 4: 128}
    if resolution not in widths:
        raise ValueError(f"no discriminator at {resolution} px, only at {sorted(widths)}")
    return DiscriminatorConfig(resolution, tuple(width for side, width in widths.items() if side <= resolution))
