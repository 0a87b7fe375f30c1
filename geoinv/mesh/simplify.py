"""Fewer faces by quadric edge collapse, without tearing the surface."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..errors import GeoinvError, MissingDependencyError, UsageError
from .head_mesh import compacted, is_watertight, largest_component

MIN_FACES = 100


def simplified(
    vertices: NDArray[np.float32],  # [V, 3]
    faces: NDArray[np.int64],  # [F, 3], closed
    target_faces: int,
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """A closed mesh of about ``target_faces`` faces; unchanged where it has no more than that.

    Raises:
        UsageError: Fewer than ``MIN_FACES`` asked for.
        MissingDependencyError: The package fast-simplification is missing.
    """
    if target_faces < MIN_FACES:
        raise UsageError(f"a mesh needs at least {MIN_FACES} faces, got {target_faces}")
    if len(faces) <= target_faces:
        return vertices, faces
    try:
        from fast_simplification import simplify
    except ImportError as error:
        raise MissingDependencyError(
            "simplifying a mesh needs the package fast-simplification", "pip install fast-simplification"
        ) from error

    # A hasty collapse can pinch the surface; a gentler one (lower aggressiveness) rarely does.
    for aggressiveness in (7.0, 5.0, 3.0, 1.0):
        out_vertices, out_faces = simplify(
            vertices, faces.astype(np.int32), target_count=target_faces, agg=aggressiveness
        )
        candidate = _cleaned(np.asarray(out_vertices, dtype=np.float32), np.asarray(out_faces, dtype=np.int64))
        if is_watertight(candidate[1]):
            return candidate
    raise GeoinvError(f"cannot simplify the mesh to {target_faces} faces without tearing it", "ask for more faces")


def _cleaned(vertices: NDArray[np.float32], faces: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Without collapsed faces and split-off pieces."""
    is_proper = (faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 2] != faces[:, 0])
    return largest_component(*compacted(vertices, faces[is_proper]))
