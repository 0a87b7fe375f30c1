"""The head of one photo as the surface that textures are baked on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from ...camera import Camera
from ...images.depth_buffer import draw_surface
from ...mesh.skin import outer_triangles
from ...shape import HeadModel
from ...shape.inner_mouth import mouth_bag
from .surface_fields import SurfaceFields

FloatArray = NDArray[np.float64]
Scalar = TypeVar("Scalar", bound=np.generic)

_LIPS = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146, 13, 14, 78, 308)
_EYES = (33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246)
_OTHER_EYES = (263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466)
_NOSTRILS = (1, 2, 97, 98, 326, 327, 99, 328, 242, 462, 20, 250)


@dataclass(frozen=True, eq=False)
class SkinTopology:
    """What is the same for all heads: how the skin hangs together and where its features lie.

    Args:
        triangles: [F, 3] vertices of the skin's triangles; the skin's vertices are the model's first.
        corner_triangles: [F, 3] the same as corners.
        corner_vertices: [C] vertex of each corner.
        mirror: [V] vertex at the other side of the head.
        hidden: [V] whether a vertex lies within mouth or eye sockets, which no photo of a face shows.
        mouth: [V] whether it lies within the mouth.
        features: [V] whether it lies at eyes, lips or nostrils.
        others: [G, 3] triangles of teeth, tongue and eyes, as rows of all vertices with the fine teeth.
        teeth_count: Number of those of the teeth, which come first.
        first_tooth: Row of the first vertex of the teeth.
    """

    triangles: NDArray[np.int64]
    corner_triangles: NDArray[np.int64]
    corner_vertices: NDArray[np.int64]
    mirror: NDArray[np.int64]
    hidden: NDArray[np.bool_]
    mouth: NDArray[np.bool_]
    features: NDArray[np.bool_]
    others: NDArray[np.int64]
    teeth_count: int
    first_tooth: int

    @property
    def count(self) -> int:
        """Number of vertices of the skin."""
        return len(self.mirror)


@lru_cache(maxsize=2)
def skin_topology(model: HeadModel) -> SkinTopology:
    """Topology of a model's skin."""
    part = model.parts["skin"]
    corner_triangles = model.corner_triangles[part.triangles].numpy()
    corner_vertices = model.corner_vertices[part.corners].numpy()
    count = part.vertices.stop
    mean = model.mean[part.vertices].numpy()
    inner = np.ones(count, np.bool_)
    inner[outer_triangles(model)] = False
    features = np.zeros(count, np.bool_)
    points = model.landmarks468.corners.numpy()
    features[points[list(_LIPS + _EYES + _OTHER_EYES + _NOSTRILS)].ravel()] = True
    teeth = model.teeth.triangles.numpy() + model.mean.shape[0]
    names = ("tongue", "right-eye", "left-eye")
    others = [model.triangles[model.parts[name].triangles].numpy() for name in names]
    return SkinTopology(
        triangles=corner_vertices[corner_triangles],
        corner_triangles=corner_triangles,
        corner_vertices=corner_vertices,
        mirror=np.asarray(cKDTree(mean).query(mean * (-1.0, 1.0, 1.0))[1]),
        hidden=inner,
        mouth=mouth_bag(model)[part.vertices].numpy() & inner,
        features=features,
        others=np.concatenate([teeth, *others]),
        teeth_count=len(teeth),
        first_tooth=model.mean.shape[0],
    )


@dataclass(frozen=True, eq=False)
class Projected:
    """The skin's vertices through one camera.

    Args:
        places: [V, 2] parts of the view's side.
        depth: [V] along the optical axis, world units.
        cosine: [V] between the normals and the directions to the camera.
    """

    places: FloatArray
    depth: FloatArray
    cosine: FloatArray


@dataclass(frozen=True, eq=False)
class Sighting(Projected):
    """The head's surface as one camera sees it.

    Args:
        shown: [S, S] triangle that each pixel shows: the skin's, then the others', -1 beside the head.
        nearest: [S, S] depth of what each pixel shows, infinite beside the head.
    """

    shown: NDArray[np.int32]
    nearest: NDArray[np.float32]

    def read(self, picture: NDArray[Scalar], places: NDArray[np.floating]) -> NDArray[Scalar]:
        """Values of a picture [side, side] at places [N, 2]; the edge's beyond the edge."""
        height, width = picture.shape[:2]
        columns = np.clip((places[:, 0] * width).astype(np.int64), 0, width - 1)
        rows = np.clip((places[:, 1] * height).astype(np.int64), 0, height - 1)
        found: NDArray[Scalar] = picture[rows, columns]
        return found


@dataclass(frozen=True, eq=False)
class HeadSurface:
    """One head to bake on.

    Args:
        topology: Its topology.
        vertices: [A, 3] all vertices with those of the fine teeth, as in the photo.
        normals: [V, 3] of the skin.
        fields: Distances and smoothing on its skin.
    """

    topology: SkinTopology
    vertices: FloatArray
    normals: FloatArray
    fields: SurfaceFields

    @classmethod
    def of(cls, model: HeadModel, vertices: torch.Tensor) -> HeadSurface:
        """Surface of a head's vertices [A, 3] in the order of :func:`geoinv.avatar.template.all_vertices`."""
        topology = skin_topology(model)
        with torch.no_grad():
            normals = model.normals(vertices[None, : model.mean.shape[0]])[0, : topology.count].double().numpy()
        places = vertices.detach().double().numpy()
        return cls(topology, places, normals, SurfaceFields(places[: topology.count], topology.triangles))

    def through(self, camera: Camera) -> Projected:
        """The skin's vertices through a camera."""
        count = self.topology.count
        places, depth = self.projected(camera, self.vertices[:count])
        away = camera.cam2world[0, :3, 3].double().cpu().numpy() - self.vertices[:count]
        return Projected(places, depth, (self.normals * away).sum(1) / np.linalg.norm(away, axis=1))

    def seen_by(self, camera: Camera, side: int) -> Sighting:
        """What a camera sees of it, in a picture of ``side`` pixels."""
        at = self.through(camera)
        places, depth = self.projected(camera, self.vertices)
        triangles = np.concatenate([self.topology.triangles, self.topology.others])
        shown, nearest = draw_surface(places * side, depth, triangles, (side, side))
        return Sighting(at.places, at.depth, at.cosine, shown, nearest)

    @staticmethod
    def projected(camera: Camera, points: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Places [N, 2] of points [N, 3] in a camera's view, and their depth [N]."""
        places, depth = camera.project(torch.from_numpy(points).to(camera.cam2world)[None])
        return places[0].double().cpu().numpy(), depth[0].double().cpu().numpy()
