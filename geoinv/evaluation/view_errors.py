"""Errors of one view of a head against its truth."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..align.hull import landmark_hull
from ..camera import Camera
from ..conventions import FACE_ORBIT, MM_PER_UNIT
from ..images.tensors import at_side
from ..light import light_difference
from ..metrics.geometry import both_solid, depth_error_units, normal_error_deg, shape_depth_error_units
from ..shape import HeadCodes, load_head_model
from .held_out import SIDE, HeldOutHead, KnownHead

if TYPE_CHECKING:
    from ..models.on_mesh import OnMesh
    from ..models.render_output import RenderOutput


def over_grey(render: RenderOutput, side: int) -> Tensor:
    """[1, 3, side, side] in [0, 1] over mid-grey."""
    return at_side(render.cpu().over_grey(), side)


def geometry_errors(render: RenderOutput, head: HeldOutHead) -> dict[str, Tensor]:
    """Depth errors in world units and normal errors in degrees of the input view, [1] each: of the head's normals, and
    of those that its depth has."""
    side = head.depth.shape[-1]
    render = render.cpu()
    depth, alpha, camera = render.depth, render.alpha, render.camera
    normals, of_depth = (
        _in_camera(at_side(normals, side), camera.cam2world) for normals in (render.normals, render.normals_of_depth)
    )
    truth = _in_camera(head.normals, head.cam2world[:1])
    mask = both_solid(at_side(alpha, side), at_side(head.alpha[:1], side))
    depths = at_side(depth, side), head.depth, mask
    return {
        "depth_units": depth_error_units(*depths),
        "shape_depth_units": shape_depth_error_units(*depths),
        "normal_deg": normal_error_deg(normals, truth, mask),
        "depth_normal_deg": normal_error_deg(of_depth, truth, mask),
    }


def _in_camera(vectors: Tensor, cam2world: Tensor) -> Tensor:
    """World vectors [B, 3, H, W] in the camera's axes."""
    return torch.einsum("bij,bihw->bjhw", cam2world[:, :3, :3], vectors)


def errors_on_mesh(found: OnMesh, known: KnownHead) -> dict[str, Tensor]:
    """Errors of one head's shape and light, [1] each.

    Returns:
        ``vertices_mm``, the root of the mean squared distance of vertices at the same pose, and ``light_off``, that of
        the linear RGB that white surfaces send back.
    """
    model, codes = load_head_model(), HeadCodes.from_vector(found.codes.as_vector().cpu())
    away_mm = MM_PER_UNIT * (model.vertices(codes) - model.vertices(known.shape)).norm(dim=-1)  # [1, V]
    off = light_difference(found.light.cpu(), known.light).sqrt()
    return {"vertices_mm": away_mm.square().mean(dim=1).sqrt(), "light_off": off[None]}


def face_masks(shape: HeadCodes, cam2world: Tensor, side: int = SIDE) -> Tensor:
    """[V, 1, side, side] bool: the hulls of the 68 landmarks of a head in V views; ``cam2world`` is [V, 4, 4]."""
    model = load_head_model()
    points = model.landmarks68.on(model.vertices(shape)).expand(len(cam2world), -1, -1)
    pixels = Camera(cam2world, FACE_ORBIT.focal).project(points)[0] * side
    hulls = [torch.from_numpy(landmark_hull(view.numpy(), (side, side))) for view in pixels]
    return torch.stack(hulls)[:, None] > 0
