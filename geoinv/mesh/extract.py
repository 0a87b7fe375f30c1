"""A head as a mesh: density grid -> one solid -> marching cubes -> colours -> simplification."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from ..conventions import BOX_SIDE
from ..errors import UsageError
from ..heads import AnchoredHead
from ..progress import OnFraction
from ..shape import load_head_model
from .density import density_grid, solid_head, within_bust
from .export import to_trimesh
from .head_mesh import HeadMesh, is_watertight, largest_component, vertex_normals
from .simplify import simplified
from .skin import outer_triangles, put_on_skin

if TYPE_CHECKING:
    import trimesh

    from ..heads import Head

MIN_RESOLUTION = 16
MAX_RESOLUTION = 512
DEFAULT_RESOLUTION = 192

_COLOR_DEPTHS_MM = (-2.0, 0.0, 2.0, 4.0, 7.0)  # along a ray into the surface
_CHUNK = 1 << 14  # vertices a colour query
_SAMPLING, _SOLID, _SURFACE = 0.7, 0.85, 0.97  # fractions of the time of ``mini`` at 192 cells after each step


def extract_head(
    head: Head,
    *,
    resolution: int = DEFAULT_RESOLUTION,
    simplify: int | None = None,
    on_progress: OnFraction | None = None,
) -> HeadMesh:
    """The head as one watertight, coloured mesh.

    Args:
        head: A single head.
        resolution: Cells along the box's side of 370 mm.
        simplify: Number of faces to reduce to; None keeps all.
        on_progress: Called with the fraction of the work that is done, up to 1.

    Raises:
        UsageError: A resolution or number of faces out of range.
        GeoinvError: The density holds no surface.
    """
    tell = on_progress or (lambda fraction: None)
    vertices, faces = head_surface(head, resolution=resolution, on_progress=tell)
    if simplify is not None:
        vertices, faces = simplified(vertices, faces, simplify)
    tell(_SURFACE)
    normals = vertex_normals(vertices, faces)
    colors = surface_colors(head, vertices, normals)
    mesh = HeadMesh(vertices, faces, normals, colors, head.volume.mm_per_unit)
    tell(1.0)
    return mesh


def head_surface(
    head: Head, *, resolution: int = DEFAULT_RESOLUTION, on_progress: OnFraction | None = None
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The head's closed surface in world units: vertices [V, 3] and faces [F, 3]; its skin is the head mesh's.

    Args:
        head: A single head.
        resolution: Cells along the box's side of 370 mm.
        on_progress: Called with the fraction of the work of :func:`extract_head` that is done.

    Raises:
        UsageError: A resolution out of range.
        GeoinvError: The density holds no surface.
    """
    solid = head_density(head, resolution=resolution, on_progress=on_progress)
    vertices, faces = marching_cubes(solid, head.volume.level, box_side=head.volume.box_side)
    plain = head.plain
    if isinstance(plain, AnchoredHead):
        template = plain.generator.vertices(plain.codes)[0].detach().cpu().numpy()
        vertices = put_on_skin(vertices, faces, template, outer_triangles(load_head_model()))
    return vertices, faces


def head_density(
    head: Head, *, resolution: int = DEFAULT_RESOLUTION, on_progress: OnFraction | None = None
) -> NDArray[np.float32]:
    """Density [n, n, n] (x, y, z) over the head's box of one solid; arguments and errors of :func:`head_surface`."""
    if not MIN_RESOLUTION <= resolution <= MAX_RESOLUTION:
        raise UsageError(f"mesh resolution must be {MIN_RESOLUTION} to {MAX_RESOLUTION}, got {resolution}")
    volume = head.volume
    level, side = volume.level, volume.box_side
    tell = on_progress or (lambda fraction: None)
    density = density_grid(  # of the head without details, which change colours and never shape
        head.plain, resolution, level=level, box_side=side, on_progress=lambda done: tell(_SAMPLING * done)
    )
    solid = solid_head(within_bust(density) if volume.is_bust else density, level)
    tell(_SOLID)
    return solid


def extract_mesh(
    head: Head,
    *,
    resolution: int = DEFAULT_RESOLUTION,
    simplify: int | None = None,
    on_progress: OnFraction | None = None,
) -> trimesh.Trimesh:
    """Mesh as by :func:`extract_head`, as a ``trimesh.Trimesh`` in millimetres of a life-sized head, y up."""
    return to_trimesh(extract_head(head, resolution=resolution, simplify=simplify, on_progress=on_progress))


def marching_cubes(
    density: NDArray[np.float32],  # [n, n, n] (x, y, z) over the box
    level: float,
    *,
    box_side: float = BOX_SIDE,
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The level set as one closed surface in world units; where the head reaches the box's border it is capped."""
    from skimage.measure import marching_cubes as level_set

    spacing = box_side / (density.shape[0] - 1)
    # Zeros all round close the surface; clamping keeps very dense interiors from pulling vertices onto grid corners.
    padded = np.pad(np.minimum(density, np.float32(4.0 * level)), 1)
    raw_vertices, raw_faces, _, _ = level_set(
        padded, level, spacing=(spacing,) * 3, gradient_direction="ascent", allow_degenerate=False
    )
    vertices = (raw_vertices - spacing - box_side / 2.0).astype(np.float32)
    faces = raw_faces.astype(np.int64)
    vertices, faces = largest_component(vertices, faces)
    if not is_watertight(faces):
        raise AssertionError("marching cubes over a padded grid must close")
    return vertices, faces


def surface_colors(
    head: Head,
    vertices: NDArray[np.float32],  # [V, 3] world
    normals: NDArray[np.float32],  # [V, 3] outward
) -> NDArray[np.uint8]:
    """Colour [V, 3] of each vertex as a short ray along the inward normal composites it.

    One sample at the vertex itself would catch the half-empty skin of the density, whose colour is ill-defined.
    """
    depths = torch.tensor(_COLOR_DEPTHS_MM) / head.volume.mm_per_unit  # [S]
    steps = torch.diff(depths, append=depths[-1:] + (depths[-1] - depths[-2]))
    colors = np.empty((len(vertices), 3), dtype=np.uint8)
    for start in range(0, len(vertices), _CHUNK):
        surface = torch.from_numpy(vertices[start : start + _CHUNK])  # [V, 3]
        inward = -torch.from_numpy(normals[start : start + _CHUNK])
        points = surface[:, None] + inward[:, None] * depths[:, None]  # [V, S, 3]
        with torch.no_grad():
            density, color = head.query(points.reshape(1, -1, 3))
        opacity = density.float().cpu().reshape(len(surface), -1) * steps  # [V, S]
        reaching = torch.exp(-(torch.cumsum(opacity, dim=1) - opacity))
        weights = reaching * (1.0 - torch.exp(-opacity)) + 1e-6  # [V, S]; never all zero
        weights = weights / weights.sum(dim=1, keepdim=True)
        mixed = (weights[..., None] * color.float().cpu().reshape(*weights.shape, 3)).sum(dim=1)
        colors[start : start + _CHUNK] = (mixed.clamp(0.0, 1.0) * 255.0).round().numpy().astype(np.uint8)
    return colors
