"""Teeth and gums that differ from head to head: MakeHuman's 32 teeth (CC0), each an island of its own in their mesh."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .assets import FloatArray, IntArray, asset_file, read_binding, read_obj
from .geometry import Proxy, Surface
from .parameters import TeethLook

TEETH = "teeth_base"
_SHAPES = ("teeth_shape01", "teeth_shape02")
"""Crooked sets of teeth with the same topology, by which ``TeethLook.shapes`` mixes."""

_GUMS = np.array([0.36, 0.10, 0.09], np.float32)
_TEXTURE_CONTRAST = 0.5


class Dentition(Proxy):
    """Teeth and gums as a proxy of the base mesh.

    Args:
        assets: Folder of the MakeHuman assets.

    Raises:
        MissingDependencyError: The assets hold no teeth.
    """

    def __init__(self, assets: Path) -> None:
        super().__init__(asset_file(assets, "teeth", TEETH, f"{TEETH}.obj").parent)
        mesh = read_obj(asset_file(assets, "teeth", TEETH, f"{TEETH}.obj"))
        corners = mesh.all_corners()  # [F, 3, 2]
        faces = corners[:, :, 0]
        self.surface = Surface(np.stack([faces, faces], -1), np.zeros((len(mesh.vertices), 2), np.float32))
        crooked = [read_binding(asset_file(assets, "teeth", name, f"{name}.mhclo")) for name in _SHAPES]
        self._weight_moves = np.stack([binding.weights - self.binding.weights for binding in crooked])
        self._offset_moves = np.stack([binding.offsets - self.binding.offsets for binding in crooked])
        self._island = _islands(len(mesh.vertices), faces)  # the gums are island 0
        self._counts = np.bincount(self._island)
        self._along = _along_the_arch(mesh.vertices, self._island)
        depth = mesh.vertices[:, 2]
        self.openness: FloatArray = (np.clip((depth - 0.8) / 0.45, 0.15, 1.0) ** 1.5).astype(np.float32)
        """[N] how much light comes in from between the lips, less towards the molars."""
        texture = asset_file(assets, "teeth", "teeth.jpg")
        bright = colors_at_vertices(texture, corners, mesh.uvs, len(mesh.vertices)).mean(1) ** 2.2
        means = np.bincount(self._island > 0, bright) / np.bincount(self._island > 0)
        relative = bright / means[(self._island > 0).astype(int)]
        self._detail: FloatArray = (1.0 + _TEXTURE_CONTRAST * (np.clip(relative, 0.0, 2.0) - 1.0)).astype(np.float32)

    def colors(self, look: TeethLook) -> FloatArray:
        """Linear colours [N, 3] of the vertices."""
        flat = np.where((self._island > 0)[:, None], np.asarray(look.color, np.float32), _GUMS)
        colors: FloatArray = np.clip(flat * self._detail[:, None], 0.0, 0.9).astype(np.float32)
        return colors

    def fit_look(self, base: FloatArray, index: IntArray, look: TeethLook) -> FloatArray:
        """Vertices [N, 3] of a head's own teeth.

        Args:
            base: [n, 3] vertices of the restricted base mesh.
            index: [V] row in ``base`` of each base-mesh vertex.
            look: How they differ from the average.
        """
        shares = np.asarray(look.shapes, np.float32)
        size = self._size(base, index)
        weights = self.binding.weights + np.einsum("s,snk->nk", shares, self._weight_moves)
        offsets = self.binding.offsets + np.einsum("s,snk->nk", shares, self._offset_moves)
        corners = base[index[self.binding.references]]  # [N, 3, 3]
        fitted = np.einsum("nkc,nk->nc", corners, weights) + offsets * size
        island = self._island
        sums = np.stack([np.bincount(island, fitted[:, k]) for k in range(3)], -1)
        centre = (sums / self._counts[:, None])[island]
        local = fitted - centre
        aside = (local * self._along).sum(1, keepdims=True) * self._along
        changed = local + aside * np.float32(look.width - 1.0)
        changed[:, 1] += local[:, 1] * np.float32(look.height - 1.0)
        whole: FloatArray = np.where((island > 0)[:, None], centre + changed, fitted).astype(np.float32)
        whole[:, 0] *= np.float32(look.arch)
        return whole


def colors_at_vertices(path: Path, corners: IntArray, uvs: FloatArray, count: int) -> FloatArray:
    """sRGB colours [count, 3] in [0, 1] of a texture at the vertices of a mesh.

    Args:
        path: The texture.
        corners: [F, 3, 2] vertex and uv of each corner.
        uvs: [T, 2] places whose origin is at the lower left.
        count: Number of vertices.
    """
    from PIL import Image

    pixels = np.asarray(Image.open(path).convert("RGB"), np.float32) / 255.0
    height, width = pixels.shape[:2]
    places = np.zeros((count, 2))
    places[corners[:, :, 0].ravel()] = uvs[corners[:, :, 1].ravel()]
    column = (places[:, 0] * width).astype(int).clip(0, width - 1)
    row = ((1.0 - places[:, 1]) * height).astype(int).clip(0, height - 1)
    colors: FloatArray = pixels[row, column]
    return colors


def _islands(count: int, faces: IntArray) -> NDArray[np.int64]:
    """[count] number of the connected piece of each vertex; the largest is 0."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]]])
    graph = coo_matrix((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), (count, count))
    labels = connected_components(graph, directed=False)[1]
    rank = np.empty(labels.max() + 1, np.int64)
    rank[np.argsort(-np.bincount(labels), kind="stable")] = np.arange(labels.max() + 1)
    return np.asarray(rank[labels], np.int64)


def _along_the_arch(vertices: FloatArray, island: NDArray[np.int64]) -> FloatArray:
    """Unit vectors [N, 3] from each vertex's tooth to the next one of the arch."""
    counts = np.bincount(island)
    centres = np.stack([np.bincount(island, vertices[:, k]) for k in range(3)], -1) / counts[:, None]
    away = centres - np.array([0.0, 0.0, vertices[:, 2].mean()])
    tangent = np.stack([away[:, 2], np.zeros(len(away)), -away[:, 0]], -1)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    along: FloatArray = tangent[island].astype(np.float32)
    return along
