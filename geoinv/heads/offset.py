"""A head whose photo's details are offsets of its planes: they change colours and shape alike."""

from __future__ import annotations

import copy
from dataclasses import replace
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor

from ..camera import Camera, CameraPose
from ..conventions import Orbit
from ..errors import UsageError
from ..images.tensors import at_side
from ..models.precision import fast_precision
from ..models.psp import INPUT_SIDE
from ..models.render_output import RenderOutput
from ..models.source_view import SourceView, solid_depth
from ..models.triplanenet.plane_offsets import PlaneOffsets
from .detailed import Alignment
from .edit import Edit
from .over_plain import OverPlain
from .plain import PlainHead


class OffsetHead(OverPlain[PlainHead]):
    """Heads with their photos' details.

    Args:
        plain: The heads by their codes alone, edited or not.
        branch: The network that finds offsets for their generator.
        source: What the photos show, against the heads before any edit: pictures of 256 px.
        edit: Change of the heads, where they are edited; the offsets are those of the heads before.
        alignment: Only "hybrid": planes lie in space, and there is nothing to align.

    Raises:
        UsageError: Another alignment.
    """

    def __init__(
        self,
        plain: PlainHead,
        branch: PlaneOffsets,
        source: SourceView,
        *,
        edit: Edit | None = None,
        alignment: Alignment = "hybrid",
    ) -> None:
        if alignment != "hybrid":
            raise UsageError(f"this model's details cannot be aligned in {alignment} alone")
        super().__init__(plain)
        self.branch = branch
        self.source = source
        self.edit = edit

    def __len__(self) -> int:
        return len(self.plain)

    @cached_property
    def shown(self) -> PlainHead:
        """The heads with offset planes."""
        return self.plain.with_offsets(self.offsets)

    @cached_property
    @torch.no_grad()
    def offsets(self) -> Tensor:
        """[B, 3, C, 256, 256] what the photos add to the planes."""
        before = self.plain if self.edit is None else PlainHead(self.plain.generator, self.edit.before)
        picture, residual = 2.0 * self.source.color - 1.0, 2.0 * self.source.residual
        seen = [picture, residual]
        if self.branch.config.sees_mirror:
            camera = mirrored(self.source.camera, before.orbit)
            by_code = at_side(before.view(camera).color, INPUT_SIDE)
            seen.append((picture + residual).flip(-1) - (2.0 * by_code - 1.0))
        planes = before.planes
        with fast_precision(planes.device):
            offsets: Tensor = self.branch(torch.cat(seen, dim=1), planes.flatten(1, 2))
        return offsets.float().reshape(planes.shape)

    def with_rays(self, side: int) -> OffsetHead:
        """The same head, whose views are of ``side`` x ``side`` rays; the offsets are shared."""
        other = copy.copy(self)
        other._plain, other.shown = self._plain.with_rays(side), self.shown.with_rays(side)
        return other

    def prepare(self) -> None:
        """Compute now what all views have in common, which the first view would else do."""
        _ = self.shown

    def view(self, camera: Camera) -> RenderOutput:
        """Views with details through V cameras."""
        with torch.no_grad():
            return self.shown.view(camera)

    def with_details(self, plain: RenderOutput) -> RenderOutput:
        """The views of :attr:`plain` that are given, with details."""
        return self.view(plain.camera)

    @torch.no_grad()
    def query(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Density [B, N] and RGB [B, N, 3] at world points, with details."""
        return self.shown.query(points)


def mirrored(camera: Camera, orbit: Orbit) -> Camera:
    """The cameras that see a symmetrical head as these see its mirror picture."""
    pose = CameraPose.from_cam2world(camera.cam2world, orbit)
    shift = pose.shift * pose.shift.new_tensor([-1.0, 1.0, 1.0])
    return replace(pose, yaw_rad=-pose.yaw_rad, roll_rad=-pose.roll_rad, shift=shift).camera(orbit)


def source_view(pictures: Tensor, seen: RenderOutput) -> SourceView:
    """What photos show of their heads, rounded to float16 as files keep it.

    Args:
        pictures: [B, 3, H, H] the aligned photos in [0, 1].
        seen: The heads as their photos see them.
    """
    color = at_side(seen.color, INPUT_SIDE).half().float()
    residual = (at_side(pictures, INPUT_SIDE) - color).half().float()
    depth = F.interpolate(solid_depth(seen), size=INPUT_SIDE, mode="nearest").half().float()
    return SourceView(residual, depth, color, seen.camera)
