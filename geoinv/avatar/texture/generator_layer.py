"""What the generator shows of the sides that the photo does not: its views from around, brought back to the skin."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from ...camera import Camera, CameraPose
from .layers import Layer
from .person_colours import ExpectedSkin
from .picture_source import PictureSource
from .rasterise import Coverage
from .regions import SkinRegions
from .seen import seen_weights
from .surface import HeadSurface
from .surface_fields import smoothstep

if TYPE_CHECKING:
    from ...heads import Head

_YAWS_DEG = (-55.0, 55.0)
"""Cameras: generators learn from views of the front and the sides, and show faces on the back of heads."""
_BEHIND = (-0.35, 0.1)
"""Cosines between the skin and the photo's rays, from nothing to all of the trust in the generator."""
_EDGE = 0.08  # parts of the crop's side over which trust grows from its edge
_FEATHER = 0.03  # world units from what is left out over which trust grows
_UNLIKE = 8.0  # distance in CIELAB from the skin that is expected: a generator is no witness, so it gets less room
_SIDE = 512  # pixels of the test of what hides what
_SOLID = 0.8  # alpha from which a view shows the head
_ZOOM = 0.8  # cameras see the ears and the neck as well


@dataclass(frozen=True, eq=False)
class _ViewOfSkin:
    source: PictureSource
    places: NDArray[np.float64]
    weight: NDArray[np.float64]


def generator_layer(
    surface: HeadSurface,
    head: Head,
    pose: CameraPose,
    regions: SkinRegions,
    skin: ExpectedSkin,
    yaws_deg: Sequence[float] = _YAWS_DEG,
) -> Layer:
    """Colours of a head from views around the camera of its photo.

    Args:
        surface: The fitted surface, in the head's world.
        head: The head.
        pose: Camera of the photo, batch size 1.
        regions: Regions of the skin.
        skin: What bare skin should look like; hair that generators put before it is left out.
        yaws_deg: Turns from the photo's camera.
    """
    views = [_view(surface, head, _turned(pose, yaw), regions) for yaw in yaws_deg]
    total = np.sum([view.weight for view in views], axis=0)
    trust = _trust(surface, pose.camera(head.orbit), regions)
    mixed = np.sum([view.weight[:, None] * view.source.colours(view.places) for view in views], axis=0)
    colours = mixed / np.maximum(total, 1e-6)[:, None]

    def texels(coverage: Coverage) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        mixed = np.zeros((len(coverage.pixels), 3), np.float32)
        summed = np.full(len(coverage.pixels), 1e-6, np.float32)
        for view in views:
            brought = coverage.bring(np.column_stack([view.weight, view.places]))
            used = np.flatnonzero(brought[:, 0] > 1e-3)
            mixed[used] += brought[used, :1] * view.source.colours(brought[used, 1:])
            summed[used] += brought[used, 0]
        return mixed / summed[:, None], (summed > 1e-3).astype(np.float32)

    trust *= smoothstep(surface.fields.distance(skin.unlike(colours, _UNLIKE), _FEATHER), 0.0, _FEATHER)

    return Layer(np.minimum(total, 1.0) * trust, colours, texels)


def _trust(surface: HeadSurface, camera: Camera, regions: SkinRegions) -> NDArray[np.float64]:
    """[V] how far a generator is believed: not behind the ears, on the scalp, or beyond the crop that it learned from.

    Args:
        surface: The fitted surface.
        camera: Camera of the aligned photo.
        regions: Regions of the skin.
    """
    at = surface.through(camera)
    from_edge = np.minimum(at.places, 1.0 - at.places).min(axis=1)
    trust = smoothstep(at.cosine, *_BEHIND) * smoothstep(from_edge, 0.0, _EDGE) * (1.0 - regions.scalp)
    return np.asarray(trust)


def _turned(pose: CameraPose, yaw_deg: float) -> CameraPose:
    level = CameraPose.from_vector(torch.zeros(1, 6))
    return replace(level, yaw_rad=pose.yaw_rad + math.radians(yaw_deg))


def _view(surface: HeadSurface, head: Head, pose: CameraPose, regions: SkinRegions) -> _ViewOfSkin:
    camera: Camera = pose.camera(head.orbit).zoomed(_ZOOM)
    with torch.no_grad():
        # details of the photo end in jags at its outline, and it comes first anyway
        view = head.plain.view(camera).cpu()
    alpha = view.alpha[0, 0].numpy()
    plain = (view.color[0] / view.alpha[0].clamp(min=0.1)).clamp(0.0, 1.0).permute(1, 2, 0).numpy() * 255.0
    source = PictureSource.of_square(np.ascontiguousarray(plain, dtype=np.float32))
    sighting = surface.seen_by(camera, _SIDE)
    return _ViewOfSkin(source, sighting.places, seen_weights(surface, sighting, alpha > _SOLID, regions))
