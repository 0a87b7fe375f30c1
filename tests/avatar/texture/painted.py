"""Photos by hand: the mesh of a person with known colours before a green wall, and a generator of one colour."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from geoinv.avatar import FittedTemplate
from geoinv.avatar.texture.photo_view import PhotoView
from geoinv.avatar.texture.picture_source import PictureSource
from geoinv.avatar.texture.surface import HeadSurface
from geoinv.camera import Camera
from geoinv.conventions import FACE_ORBIT
from geoinv.heads import ViewPair
from geoinv.heads.volume import Volume
from geoinv.models.render_output import RenderOutput

GREEN = (0.0, 255.0, 0.0)
SIDE = 384

Paint = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def by_place(places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Smooth colours [N, 3] without green: red from left to right, blue from below."""
    return np.stack([127.0 + 400.0 * places[:, 0], np.zeros(len(places)), 127.0 + 250.0 * places[:, 1]], axis=1).clip(
        0, 255
    )


def painted_photo(template: FittedTemplate, paint: Paint = by_place) -> PhotoView:
    """The photo that shows a person in these colours."""
    surface = HeadSurface.of(template.model, template.in_photo())
    sighting = surface.seen_by(template.camera, SIDE)
    pixels = np.empty((SIDE, SIDE, 3))
    pixels[:] = GREEN
    person = sighting.shown >= 0
    triangles = np.concatenate([surface.topology.triangles, surface.topology.others])
    pixels[person] = paint(surface.vertices[triangles[sighting.shown[person]]].mean(axis=1))
    return PhotoView(template.camera, PictureSource.of_square(np.rint(pixels).astype(np.uint8)), person)


class GreyHead:
    """A generator that shows one grey everywhere."""

    orbit = FACE_ORBIT
    volume = Volume()
    grey = 100.0

    @property
    def plain(self) -> GreyHead:
        return self

    def view(self, camera: Camera) -> RenderOutput:
        solid = torch.ones(1, 1, 32, 32)
        return RenderOutput(solid.expand(1, 3, 32, 32) * (self.grey / 255.0), solid, 2.4 * solid, camera)

    def view_pair(self, camera: Camera) -> ViewPair:
        view = self.view(camera)
        return ViewPair(view, view)

    def query(self, points: Tensor) -> tuple[Tensor, Tensor]:
        raise NotImplementedError
