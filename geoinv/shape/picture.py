"""Grey shaded pictures of a head's mesh, alone or over a photo: to look at, not to learn from."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..camera.pose import CameraPose
from ..camera.rays import project
from ..conventions import FACE_ORBIT, Orbit
from .codes import HeadCodes
from .model import HeadModel
from .vertex_normals import vertex_normals

PART_COLOURS: Mapping[str, tuple[float, float, float]] = {
    "skin": (0.77, 0.745, 0.72),
    "tongue": (0.75, 0.35, 0.35),
    "right-eye": (0.96, 0.96, 0.96),
    "left-eye": (0.96, 0.96, 0.96),
}
"""Colour of each part in full light, RGB in [0, 1]; teeth have colours of their own."""

_KEY_LIGHT = (-0.35, 0.45, 0.82)
_OVER_PHOTO = 0.6  # opacity of the mesh
_FINER = 2  # pictures are drawn at this many times their size and averaged
_SUBPIXEL_BITS = 4


def draw_head(
    model: HeadModel, codes: HeadCodes, camera: CameraPose, side: int, *, orbit: Orbit = FACE_ORBIT
) -> NDArray[np.uint8]:
    """Picture [side, side, 4] of one head, RGB and opacity, as ``camera`` (batch size 1) sees it."""
    import cv2

    placed = np.array([[side, 0.0, 0.0], [0.0, side, 0.0]]) * _FINER
    drawn = draw_mesh(model, codes, camera, placed, (side * _FINER, side * _FINER), orbit=orbit)
    return np.asarray(cv2.resize(drawn, (side, side), interpolation=cv2.INTER_AREA), np.uint8)


def draw_mesh(
    model: HeadModel,
    codes: HeadCodes,
    camera: CameraPose,
    placed: NDArray[np.floating],
    size: tuple[int, int],
    *,
    orbit: Orbit = FACE_ORBIT,
    colours: Tensor | None = None,
) -> NDArray[np.uint8]:
    """Draw one head into a picture of any size.

    Triangles are painted from the farthest to the nearest, which is exact enough for triangles this small.

    Args:
        model: Head model.
        codes: Codes of one head.
        camera: Its camera, batch size 1.
        placed: [2, 3] from parts of the crop's side to pixels of the picture.
        size: Width and height of the picture.
        orbit: Where cameras stand and what their lens is.
        colours: [V + T, 3] RGB in [0, 1] of the vertices and those of the fine teeth; by default parts are grey.

    Returns:
        [height, width, 4] RGB and opacity, 0 or 255.
    """
    import cv2

    with torch.no_grad():
        vertices, normals, triangles_shown, of_parts = _shown_surface(model, codes)
        cam2world = camera.cam2world(orbit)
        places, depth = project(vertices[None], cam2world, focal=orbit.focal)
        lit = (of_parts if colours is None else colours) * _light(vertices, normals, cam2world[0, :3, 3])[:, None]
    pixels = places[0].double().numpy() @ placed[:, :2].T + placed[:, 2]
    triangles = triangles_shown.numpy()
    corners = pixels[triangles]  # [F, 3, 2]
    edges = corners[:, 1:] - corners[:, :1]
    looks_here = edges[:, 0, 0] * edges[:, 1, 1] - edges[:, 0, 1] * edges[:, 1, 0] < 0.0  # rows of a picture go down
    order = np.argsort(-depth[0].numpy()[triangles].mean(1), kind="stable")
    order = order[looks_here[order]]
    fixed = np.rint((corners - 0.5) * 2**_SUBPIXEL_BITS).astype(np.int32)
    shades = (255.0 * lit.clamp(0.0, 1.0)).numpy()[triangles].mean(1)
    canvas = np.zeros((size[1], size[0], 4), np.uint8)
    for triangle in order:
        red, green, blue = shades[triangle].tolist()
        cv2.fillConvexPoly(canvas, fixed[triangle], (red, green, blue, 255), cv2.LINE_8, _SUBPIXEL_BITS)
    return canvas


def draw_over_photo(
    photo: NDArray[np.uint8], model: HeadModel, codes: HeadCodes, camera: CameraPose, placed: NDArray[np.floating]
) -> NDArray[np.uint8]:
    """Photo with the shaded mesh over it, through which it is seen.

    Args:
        photo: [H, W, 3] RGB.
        model: Head model.
        codes: Codes of one head.
        camera: Its camera, batch size 1.
        placed: [2, 3] from parts of the crop's side to pixels of the photo.
    """
    height, width = photo.shape[:2]
    mesh = draw_mesh(model, codes, camera, placed, (width, height))
    opacity = mesh[..., 3:] * (_OVER_PHOTO / 255.0)
    over: NDArray[np.uint8] = np.rint(photo * (1.0 - opacity) + mesh[..., :3] * opacity).astype(np.uint8)
    return over


def _shown_surface(model: HeadModel, codes: HeadCodes) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Vertices, normals [N, 3], triangles [F, 3] and colours [N, 3] of one head, with its fine teeth."""
    vertices, normals = model(codes)
    teeth = model.teeth.on(vertices)
    colours = torch.ones(vertices.shape[1], 3)
    triangles = []
    for name, colour in PART_COLOURS.items():
        part = model.parts[name]
        colours[part.vertices] = torch.tensor(colour)
        triangles.append(model.triangles[part.triangles])
    triangles.append(model.teeth.triangles + vertices.shape[1])
    all_normals = torch.cat([normals, vertex_normals(teeth, model.teeth.triangles)], dim=1)
    return (
        torch.cat([vertices, teeth], dim=1)[0],
        all_normals[0],
        torch.cat(triangles),
        torch.cat([colours, model.teeth.colours]),
    )


def _light(vertices: Tensor, normals: Tensor, eye: Tensor) -> Tensor:
    """[N] light on a surface: one lamp above the person's right and a little from the camera at ``eye`` [3]."""
    key = torch.nn.functional.normalize(torch.tensor(_KEY_LIGHT), dim=0)
    to_camera = torch.nn.functional.normalize(eye - vertices, dim=-1)
    return 0.22 + 0.6 * (normals @ key).clamp(min=0.0) + 0.25 * (normals * to_camera).sum(-1).clamp(min=0.0)
