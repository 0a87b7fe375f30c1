"""MakeHuman's teeth (CC0) as a fine mesh on the head model; the base mesh has only two bands to hang them on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from ..shape import AttachedMesh
from .assets import asset_file, read_binding, read_obj
from .dentition import TEETH, colors_at_vertices
from .geometry import HeadGeometry
from .shape_basis import ModelMesh


def attached_teeth(assets: Path, geometry: HeadGeometry, mesh: ModelMesh) -> AttachedMesh:
    """The teeth, sized for the average head and coloured by their texture.

    Args:
        assets: Folder of the MakeHuman assets.
        geometry: Builds the average head.
        mesh: Topology of the head model.

    Raises:
        MissingDependencyError: The assets hold no teeth.
    """
    binding = read_binding(asset_file(assets, "teeth", TEETH, f"{TEETH}.mhclo"))
    model = read_obj(asset_file(assets, "teeth", TEETH, f"{TEETH}.obj"))
    corners = model.all_corners()  # [F, 3, 2]
    average = geometry.average()
    size = np.ones(3)
    for axis, scale in enumerate(binding.scales):
        if scale:
            ends = average.base[geometry.index[list(scale[:2])], axis]
            size[axis] = abs(ends[0] - ends[1]) / scale[2]
    anchors = mesh.vertex_rows(tuple(binding.references.ravel().tolist())).reshape(-1, 3)
    return AttachedMesh(
        torch.from_numpy(anchors).long(),
        torch.from_numpy(binding.weights),
        torch.from_numpy((binding.offsets * size * average.scale).astype(np.float32)),
        torch.from_numpy(corners[:, :, 0].astype(np.int64)),
        torch.from_numpy(
            colors_at_vertices(asset_file(assets, "teeth", "teeth.jpg"), corners, model.uvs, len(model.vertices))
        ),
    )
