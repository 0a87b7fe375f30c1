"""MakeHuman's teeth (CC0) as a fine mesh on the head model; the base mesh has only two bands to hang them on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ..shape import AttachedMesh
from .assets import FloatArray, asset_file, read_binding, read_obj
from .geometry import HeadGeometry
from .shape_basis import ModelMesh

_STYLE = "teeth_base"


def attached_teeth(assets: Path, geometry: HeadGeometry, mesh: ModelMesh) -> AttachedMesh:
    """The teeth, sized for the average head and coloured by their texture.

    Args:
        assets: Folder of the MakeHuman assets.
        geometry: Builds the average head.
        mesh: Topology of the head model.

    Raises:
        MissingDependencyError: The assets hold no teeth.
    """
    binding = read_binding(asset_file(assets, "teeth", _STYLE, f"{_STYLE}.mhclo"))
    model = read_obj(asset_file(assets, "teeth", _STYLE, f"{_STYLE}.obj"))
    corners = model.all_corners()  # [F, 3, 2]
    average = geometry.average()
    size = np.ones(3)
    for axis, scale in enumerate(binding.scales):
        if scale:
            ends = average.base[geometry.index[list(scale[:2])], axis]
            size[axis] = abs(ends[0] - ends[1]) / scale[2]
    anchors = mesh.vertex_rows(tuple(binding.references.ravel().tolist())).reshape(-1, 3)
    uvs = np.zeros((len(model.vertices), 2))
    uvs[corners[:, :, 0].ravel()] = model.uvs[corners[:, :, 1].ravel()]
    return AttachedMesh(
        torch.from_numpy(anchors).long(),
        torch.from_numpy(binding.weights),
        torch.from_numpy((binding.offsets * size * average.scale).astype(np.float32)),
        torch.from_numpy(corners[:, :, 0].astype(np.int64)),
        torch.from_numpy(_texture_at(asset_file(assets, "teeth", "teeth.jpg"), uvs)),
    )


def _texture_at(path: Path, uvs: NDArray[np.float64]) -> FloatArray:
    """sRGB colours [N, 3] in [0, 1] of a texture at places [N, 2] whose origin is at the lower left."""
    from PIL import Image

    pixels = np.asarray(Image.open(path).convert("RGB"), np.float32) / 255.0
    height, width = pixels.shape[:2]
    column = (uvs[:, 0] * width).astype(int).clip(0, width - 1)
    row = ((1.0 - uvs[:, 1]) * height).astype(int).clip(0, height - 1)
    colours: FloatArray = pixels[row, column]
    return colours
