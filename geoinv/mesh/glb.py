"""A coloured mesh as binary glTF 2.0.

glTF counts in metres and holds linear colours. A material without metal is written as well: the default is all metal,
which shows skin as dark chrome.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .gltf import GltfBuffer, linear_colours, unit_vectors

ROUGHNESS = 0.8  # skin without its gloss; the colours carry the light of the photo already


def glb_bytes(
    positions: NDArray[np.floating[Any]],  # [V, 3] in metres, y up, face to +z
    faces: NDArray[np.integer[Any]],  # [F, 3] counter-clockwise from outside
    normals: NDArray[np.floating[Any]],  # [V, 3] outward, of any length
    colors: NDArray[np.uint8],  # [V, 3] sRGB
) -> bytes:
    """Encode one triangle mesh with a colour for each vertex; the same bytes for the same mesh."""
    buffer = GltfBuffer()
    attributes = {
        "POSITION": buffer.add(np.asarray(positions, dtype="<f4"), "VEC3", has_bounds=True),
        "NORMAL": buffer.add(unit_vectors(normals), "VEC3"),
        "COLOR_0": buffer.add(linear_colours(colors / 255.0), "VEC4", is_normalized=True),
    }
    primitive = {"attributes": attributes, "indices": buffer.add_indices(faces), "material": 0}
    surface = {"baseColorFactor": [1.0, 1.0, 1.0, 1.0], "metallicFactor": 0.0, "roughnessFactor": ROUGHNESS}
    document = {
        "asset": {"version": "2.0", "generator": "geoinv"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"name": "head", "mesh": 0}],
        "meshes": [{"name": "head", "primitives": [primitive]}],
        "materials": [{"name": "skin", "pbrMetallicRoughness": surface}],
    }
    return buffer.to_glb(document)
