"""Making the head model of ``geoinv.shape``: basis, landmarks and the detector's habits, in one small file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..conventions import FOCAL, RADIUS
from ..progress import OnCount
from ..shape import HeadModel, save_head_model
from .assets import find_assets, find_base_data
from .detector_map import detector_habits, place_points, placement_errors
from .detector_sightings import observe
from .geometry import PUPIL_DISTANCE, HeadGeometry
from .head_codes import reproduction_errors_mm
from .heads import HeadRenderer
from .sampler import SAMPLER_VERSION
from .shape_basis import IDENTITY_SIZE, landmark_triangles, model_mesh, shape_basis
from .teeth import attached_teeth

WATCHED_HEADS = 150
"""Heads that the landmark detector is watched on, from nine sides each."""

_MEASURED_HEADS = 200
_PUPILS = PUPIL_DISTANCE * FOCAL / RADIUS  # of the crop's side
_HELD_OUT_SEED = 20261126
"""Seed of the heads that the model is measured on; the model's own are its ``seed``."""


def make_head_model(
    out: Path,
    assets: Path | str | None = None,
    *,
    heads: int = 20_000,
    watched_heads: int = WATCHED_HEADS,
    seed: int = 0,
    on_head: OnCount | None = None,
) -> dict[str, Any]:
    """Make the head model and write it, in some minutes.

    Args:
        out: File to write.
        assets: Folder of the MakeHuman assets, which the renders need.
        heads: Random heads of the identity basis; 1,000 at least.
        watched_heads: Heads that are rendered and shown to the landmark detector from all sides.
        seed: Seed of all of them.
        on_head: Called with the number of heads shown to the detector so far.

    Returns:
        What was measured, which the file's header holds too: errors on unseen heads in millimetres, and how far the
        detector's points lie from their places, in per cent of the distance between the pupils.

    Raises:
        MissingDependencyError: Assets, base mesh or OpenGL are missing.
    """
    renderer = HeadRenderer(assets)
    data = find_base_data()
    geometry = HeadGeometry(data, [])
    mesh = model_mesh(geometry)
    sightings = observe(renderer, mesh, watched_heads, seed, on_head)
    triangles, weights = place_points(sightings, mesh)
    basis = shape_basis(data, geometry, mesh, heads, seed)
    of_68 = landmark_triangles(mesh)
    model = HeadModel(
        mean=torch.from_numpy(basis.mean),
        identity_basis=torch.from_numpy(basis.identity),
        expression_basis=torch.from_numpy(basis.expression),
        corner_vertices=torch.from_numpy(mesh.corner_vertices).long(),
        corner_triangles=torch.from_numpy(mesh.corner_triangles).long(),
        uvs=torch.from_numpy(mesh.uvs),
        base_vertices=torch.from_numpy(mesh.base_vertices).long(),
        parts=mesh.parts,
        landmarks68=(torch.from_numpy(of_68[0]).long(), torch.from_numpy(of_68[1])),
        landmarks468=(torch.from_numpy(triangles).long(), torch.from_numpy(weights)),
        detector_habits=detector_habits(sightings, mesh, triangles, weights),
        teeth=attached_teeth(find_assets(assets), geometry, mesh),
    )
    errors = reproduction_errors_mm(model, geometry, _MEASURED_HEADS, _HELD_OUT_SEED)
    frontal = np.abs(sightings.yaw_rad) < np.radians(20.0)
    astray = np.linalg.norm(placement_errors(sightings, mesh, triangles, weights)[frontal], axis=-1)
    measured = {
        "heads": heads,
        "watched_views": len(sightings.yaw_rad),
        "seed": seed,
        "sampler_version": SAMPLER_VERSION,
        "identity_size": IDENTITY_SIZE,
        "error_median_mm": round(float(np.median(errors)), 4),
        "error_p95_mm": round(float(np.percentile(errors, 95)), 4),
        "detector_median_percent": round(100.0 * float(np.median(astray)) / _PUPILS, 3),
    }
    save_head_model(out, model, measured)
    return measured
