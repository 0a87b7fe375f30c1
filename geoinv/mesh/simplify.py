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
    # A hasty collapse can pinch the surface; a gentler one (lower aggressiveness) rarely does.
    for aggressiveness in (7.0, 5.0, 3.0, 1.0):
        candidate = largest_component(*fewer_faces(vertices, faces, target_faces, aggressiveness))
        if is_watertight(candidate[1]):
            return candidate
    raise GeoinvError(f"cannot simplify the mesh to {target_faces} faces without tearing it", "ask for more faces")


def fewer_faces(
    vertices: NDArray[np.float32],  # [V, 3]
    faces: NDArray[np.int64],  # [F, 3], closed or open
    target_faces: int,
    aggressiveness: float,
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """A mesh of about ``target_faces`` faces, without collapsed ones; whether it is closed is not looked at.

    Raises:
        MissingDependencyError: The package fast-simplification is missing.
    """
    try:
        from fast_simplification import simplify
    except ImportError as error:
        raise MissingDependencyError(
            "simplifying a mesh needs the package fast-simplification", "pip install fast-simplification"
        ) from error

    out_vertices, out_faces = simplify(vertices, faces.astype(np.int32), target_count=target_faces, agg=aggressiveness)
    found = np.asarray(out_faces, dtype=np.int64)
    is_proper = (found != np.roll(found, 1, axis=1)).all(axis=1)
    return compacted(np.asarray(out_vertices, dtype=np.float32), found[is_proper])
