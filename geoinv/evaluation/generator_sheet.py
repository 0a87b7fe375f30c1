"""What a generator makes of the true z of held-out heads, to look at: a sheet of truths, results and grey meshes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from ..camera import Camera, CameraPose
from ..conventions import FACE_ORBIT
from ..images.tensors import photo_bytes
from ..mesh.extract import head_surface
from ..mesh.head_mesh import vertex_normals
from ..present.mesh_pictures import shaded_mesh
from ..present.pictures import Picture
from ..present.sheets import row, stack
from ..progress import OnCount
from .generator_alone import head_of
from .held_out import BEHIND_DEG, HeldOutHead, HeldOutHeads
from .view_errors import over_grey

if TYPE_CHECKING:
    from ..heads import OfPlanesHead
    from ..models.families import OfPlanes

YAWS_DEG = (0, -30, 30, -60, 60, BEHIND_DEG)
_MESH_POSES = ((0.0, 0.0), (0.6, 0.1), (math.pi, 0.1))  # yaw and pitch in radians: front, three quarters, behind
_MESH_SHIFT = (0.0, -0.05, -0.8)  # higher and farther away than photos are taken from: all of the head is seen


@torch.no_grad()
def generator_sheet(
    generator: OfPlanes, held_out: HeldOutHeads, heads: int, *, on_head: OnCount | None = None
) -> Picture:
    """Two rows for each head: truths at 0, +-30, +-60 and 180 degrees; below them what the generator makes of the true
    z, then its mesh by marching cubes, grey, from the front, from three quarters and from behind.

    Args:
        generator: Generator in evaluation mode, which takes the heads' z.
        held_out: Held-out heads; views that a file lacks are left out.
        heads: Number of heads to show, from the first.
        on_head: Function that is called with the number of heads done.
    """
    rows = []
    for index in range(held_out.count_up_to(heads)):
        head = held_out.head(index)
        made = head_of(generator, head.z)
        views = [head.yaws_deg.index(yaw) for yaw in YAWS_DEG if yaw in head.yaws_deg]
        rows.append(row([photo_bytes(head.color[view : view + 1]) for view in views], gap=0))
        rows.append(row([*(_result(made, head, view) for view in views), *_mesh_pictures(made)], gap=0))
        if on_head is not None:
            on_head(index + 1)
    return stack(rows, gap=0)


def _result(made: OfPlanesHead, head: HeldOutHead, view: int) -> Picture:
    camera = Camera(head.cam2world[view : view + 1], FACE_ORBIT.focal)
    return photo_bytes(over_grey(made.view(camera), head.color.shape[-1]))


def _mesh_pictures(made: OfPlanesHead) -> list[Picture]:
    vertices, faces = head_surface(made)
    normals = vertex_normals(vertices, faces)
    poses = torch.tensor([[yaw, pitch, 0.0, *_MESH_SHIFT] for yaw, pitch in _MESH_POSES])
    cameras = CameraPose.from_vector(poses).camera(FACE_ORBIT)
    return [shaded_mesh(vertices, faces, normals, camera, 256) for camera in cameras]
