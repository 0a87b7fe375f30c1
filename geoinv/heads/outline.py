"""What photos show to be empty: where they show the background, no hair is between them and infinity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ..camera import Camera
from ..conventions import BOX_SIDE
from ..images.tensors import at_side
from ..models.render_output import RenderOutput
from ..models.source_view import SourceView
from ..ops.anchored_rays import AnchorVolumes, finer_cells, read_anchor

_CELLS = 128  # along a side of the box; of 2.9 mm
_BESIDE = 3 / 256
"""Of the photo's side: what is nearer to the person is kept. Outlines are of a network at 256 px, and hair is soft."""
_ON_MESH = 0.016  # world units (6 mm) from the mesh up to which nothing is taken: ears and cheeks are the mesh's
ANYTHING = -8.0  # raw density up to which the longest way through the box is clear
VISIBLE = 10.0  # raw density from which something is seen: a centimetre of it is a fifth opaque
_HALO = 2  # cells about what floats, which are less dense
_SHOULDERS_END = 0.43
"""|x| in world units beyond which nothing is shown: meshes are flattened onto the sides of the box, 0.5 from its
middle, and generators end clothes in horns there."""


@dataclass(frozen=True)
class PhotoOutline:
    """Where photos show the background.

    Args:
        background: [B, 1, S, S] 1 well beside the person, else 0; also 0 where a photo is padded and the head solid.
        camera: Cameras of the B photos.
    """

    background: Tensor
    camera: Camera

    @classmethod
    def of_view(cls, view: RenderOutput, source: SourceView) -> PhotoOutline:
        """Outlines of the persons in photos.

        Args:
            view: The heads without details, in the photos' views.
            source: Those of the photos; their residual is 0 beside the persons and where the photos are padded, and
                their depth where they are padded or the heads are not solid.
        """
        side = source.depth.shape[-1]
        is_padding = (at_side(view.alpha, side) > 0.5) & (source.depth == 0.0)
        return cls.beside(person_in(source) | is_padding, source.camera, side)

    @classmethod
    def beside(cls, person: Tensor, camera: Camera, crop: int) -> PhotoOutline:
        """Outlines of persons [B, 1, S, S] bool in pictures of cameras, of whose sides a photo's crop has ``crop``
        pixels."""
        reach = 2 * round(_BESIDE * crop) + 1
        return cls(1.0 - F.max_pool2d(person.float(), reach, stride=1, padding=reach // 2), camera)

    def shows_background(self, points: Tensor) -> Tensor:
        """[B, N] whether photos show the background at world points [B, N, 3]; not where they do not look."""
        positions, _ = self.camera.project(points)
        found = F.grid_sample(self.background, positions[:, :, None] * 2.0 - 1.0, align_corners=False)
        return found[:, 0, :, 0] > 0.99


def person_in(source: SourceView) -> Tensor:
    """[B, 1, S, S] where photos show persons and their heads something of them; not where they are padded."""
    return at_side((source.residual != 0.0).any(dim=1, keepdim=True).float(), source.depth.shape[-1]) > 0.0


def empty_cells(outlines: Sequence[PhotoOutline], volumes: AnchorVolumes, solid: Tensor | None = None) -> Tensor:
    """[B, G, G, G] whether the cells of the box, indexed by z, y, x, are empty by what photos show.

    Args:
        outlines: What is known of the heads, of one photo of each or of several; any of them decides.
        volumes: Anchor volumes of the heads, whose meshes stay whole.
        solid: [B, E, E, E] whether larger cells hold anything at all: others need not be looked at. None looks at all.
    """
    centres = _centres(_CELLS, volumes.whole)
    heads = len(volumes.whole)
    looked_at = torch.ones_like(centres[0, :, 0], dtype=torch.bool)
    if solid is not None:
        looked_at = finer_cells(solid.any(dim=0, keepdim=True), _CELLS).flatten()
    points = centres[:, looked_at].expand(heads, -1, -1)
    empty = torch.zeros(heads, len(looked_at), dtype=torch.bool, device=centres.device)
    empty[:, looked_at] = torch.stack([outline.shows_background(points) for outline in outlines]).any(dim=0)
    for head in range(heads):
        own = AnchorVolumes(volumes.whole[head : head + 1], volumes.face[head : head + 1], volumes.face_box)
        distance = read_anchor(own, centres[:, empty[head]])[0, :, 3]
        empty[head, empty[head].clone()] = distance > _ON_MESH
    return empty.reshape(heads, _CELLS, _CELLS, _CELLS)


def shoulder_ends(volumes: AnchorVolumes) -> Tensor:
    """[1, G, G, G] whether the cells of :func:`empty_cells` are beyond where shoulders end in views."""
    across = _centres(_CELLS, volumes.whole)[..., 0].abs()
    return (across > _SHOULDERS_END).reshape(1, _CELLS, _CELLS, _CELLS)


def floating_cells(solid: Tensor, empty: Tensor, volumes: AnchorVolumes) -> Tensor:
    """[B, E, E, E] whether cells of the box are of something that hangs together with no mesh, or about it.

    Args:
        solid: [B, G, G, G] whether cells hold something that is seen.
        empty: [B, E, E, E] whether finer ones are known to be empty, E a multiple of G.
        volumes: Anchor volumes of the heads.
    """
    cells, finer = solid.shape[1], empty.shape[1] // solid.shape[1]
    of_each = empty.reshape(len(empty), cells, finer, cells, finer, cells, finer)
    solid = solid & ~of_each.all(dim=6).all(dim=4).all(dim=2)
    centres = _centres(cells, volumes.whole).expand(len(solid), -1, -1)
    held = solid & (read_anchor(volumes, centres)[..., 3].unflatten(1, solid.shape[1:]) < 0.0)
    while True:  # from the mesh on through what is solid
        grown = held.clone()
        for axis in range(1, 4):
            low, high = grown.narrow(axis, 0, cells - 1), grown.narrow(axis, 1, cells - 1)
            low |= held.narrow(axis, 1, cells - 1)
            high |= held.narrow(axis, 0, cells - 1)
        grown &= solid
        if torch.equal(grown, held):
            break
        held = grown
    about = (solid & ~held).float()
    for axis in range(1, 4):
        row = about.movedim(axis, -1).flatten(1, 2)
        row = F.max_pool1d(row, 2 * _HALO + 1, stride=1, padding=_HALO)
        about = row.unflatten(1, (cells, cells)).movedim(-1, axis)
    floating = (about > 0.0) & ~held
    return finer_cells(floating, empty.shape[1])


def _centres(cells: int, like: Tensor) -> Tensor:
    """[1, cells ** 3, 3] centres of the cells of the box, in the order of indices z, y, x."""
    ticks = ((torch.arange(cells, device=like.device) + 0.5) / cells - 0.5) * BOX_SIDE
    z, y, x = torch.meshgrid(ticks, ticks, ticks, indexing="ij")
    return torch.stack([x, y, z], dim=-1).reshape(1, -1, 3)
