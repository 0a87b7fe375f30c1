"""Configuration of a generator: everything that decides its shape, frozen, checked, and saved with its weights."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from ..conventions import FACE_ORBIT, Orbit
from ..errors import CheckpointError
from ..ops.anchored_rays.reference import CanonicalSpace
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
