"""The loss of inversion by optimisation: the photo where it counts, likeness, and a shape that stays credible.

One view fits any shape, so what the photo does not show is held by the start: the outline in the photo's view, and
the density about the start's surface as it is seen from the front and both sides.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from ...camera import Camera, CameraPose, pixel_centres
from ...faces.square import FACE_SIDE, crop_about, face_positions, face_square
from ...images.tensors import GREY
from .perceptual import perceptual_distance
from .photo_target import PhotoTarget

if TYPE_CHECKING:
    from ...heads import OfPlanesHead


@dataclass(frozen=True)
class LossWeights:
    """Weight of each term; squared errors of colours in [0, 1] on the face weigh 1."""

    hair: float = 0.5  # the rest of the start's head: its outline may be wrong, so less, and by a robust error
    outline: float = 0.1
    shape: float = 0.1
    likeness: float = 0.01  # squared identity distances are about 0.5


_RAYS = {"face": 500, "hair": 300, "elsewhere": 200}  # of a step
_ROBUST = 0.1  # colour differences above this count in proportion
_ANCHORS = 1200  # points of a step at which density is compared
_ANCHOR_SPREAD = 0.02  # world units about the surface
_ANCHOR_VIEWS_RAD = (0.0, -math.radians(35.0), math.radians(35.0))
_ANCHOR_SIDE = 32


class HeadObjective:
    """Loss terms of a head against a photo and against the head that inversion starts from.

    Args:
        start: The head that inversion starts from.
        camera: [6] its camera.
        target: The photo.
        weights: Weights of the terms.
        seed: Seed of the rays.
    """

    def __init__(
        self,
        start: OfPlanesHead,
        camera: Tensor,
        target: PhotoTarget,
        weights: LossWeights,
        *,
        seed: int = 0,
    ) -> None:
        self.target = target
        self.weights = weights
        self._random = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            pose = CameraPose.from_vector(camera[None])
            rays = pose.camera(start.orbit).rays(target.pixels)
            self.start_alpha = start.trace(*rays).alpha[0]  # [S * S]
            self._anchors = _points_about_surface(start, pose, self._random)
            self._anchor_opacity = _opacity(start, self._anchors)
            self._likeness_photo = self._likeness_target()
        is_hair = (self.start_alpha > 0.5) & ~target.is_face & target.is_inside
        kinds = {"face": target.is_face, "hair": is_hair, "elsewhere": ~target.is_face & ~is_hair}
        self._pixels = {kind: mask.nonzero()[:, 0].cpu() for kind, mask in kinds.items()}
        fixed = torch.Generator().manual_seed(seed + 1)
        self._checked = {kind: self._draw(kind, 2 * count, fixed) for kind, count in _RAYS.items()}

    def loss(
        self,
        head: OfPlanesHead,
        camera: Tensor,  # [6]
        *,
        is_check: bool = False,
        with_likeness: bool = True,
    ) -> Tensor:
        """The weighted sum of the terms, on fresh rays or on those of every check."""
        pixels = self._checked if is_check else {kind: self._draw(kind, n, self._random) for kind, n in _RAYS.items()}
        seen_by = CameraPose.from_vector(camera[None]).camera(head.orbit)
        total = self._photo_terms(head, seen_by, pixels)
        anchors = slice(None) if is_check else self._draw_anchors()
        opacity = _opacity(head, self._anchors[anchors])
        total = total + self.weights.shape * (opacity - self._anchor_opacity[anchors]).square().mean()
        if with_likeness and self.weights.likeness > 0.0:
            seen = self._likeness_picture(head, seen_by)
            total = total + self.weights.likeness * perceptual_distance(seen, self._likeness_photo)
        return total

    def _photo_terms(self, head: OfPlanesHead, camera: Camera, pixels: dict[str, Tensor]) -> Tensor:
        chosen = torch.cat([pixels[kind] for kind in _RAYS]).to(camera.cam2world.device)
        output = head.trace(*camera.rays(self.target.pixels[chosen]))
        alpha = output.alpha[0]
        color = output.features[0, :, :3] + (1.0 - alpha[:, None]) * GREY
        error = color - self.target.color[chosen]
        face, hair = len(pixels["face"]), len(pixels["hair"])
        wanted = self.start_alpha[chosen].clone()
        wanted[:face] = 1.0
        total = self.weights.outline * (alpha - wanted).square().mean()
        if face:
            total = total + error[:face].square().mean()
        if hair:
            total = total + self.weights.hair * _robust(error[face : face + hair])
        return total

    def _draw(self, kind: str, count: int, random: torch.Generator) -> Tensor:
        """Random pixels of a kind, none where there are none."""
        known = self._pixels[kind]
        return (
            known[torch.randint(len(known), (count if len(known) else 0,), generator=random)] if len(known) else known
        )

    def _draw_anchors(self) -> Tensor:
        return torch.randint(len(self._anchors), (_ANCHORS,), generator=self._random).to(self._anchors.device)

    def _likeness_target(self) -> Tensor:
        """The photo at the very positions that :meth:`_likeness_picture` looks at."""
        side = self.target.side
        square = face_square(self.target.color.T.reshape(1, 3, side, side))
        return crop_about(self._grey_outside(square))

    def _grey_outside(self, square: Tensor) -> Tensor:
        """The face's square [1, 3, H, H], grey beyond the photo's edges, so that nothing is compared there."""
        side = self.target.side
        inside = (face_square(self.target.is_inside.float().reshape(1, 1, side, side)) > 0.999).float()
        return square * inside + GREY * (1.0 - inside)

    def _likeness_picture(self, head: OfPlanesHead, camera: Camera) -> Tensor:
        """The head; only the square that the networks cut out is rendered."""
        output = head.trace(*camera.rays(face_positions(camera.cam2world.device)))
        color = output.features[0, :, :3] + (1.0 - output.alpha[0, :, None]) * GREY
        return crop_about(self._grey_outside(color.T.reshape(1, 3, FACE_SIDE, FACE_SIDE).clamp(0.0, 1.0)))


def _robust(error: Tensor) -> Tensor:
    """Mean of squares, of absolute values beyond ``_ROBUST``."""
    return 2.0 * _ROBUST * functional.smooth_l1_loss(error, torch.zeros_like(error), beta=_ROBUST)


def _points_about_surface(head: OfPlanesHead, pose: CameraPose, random: torch.Generator) -> Tensor:
    """[M, 3] points about the surface seen from the photo's side and both others, and a fifth as many anywhere."""
    vector = pose.as_vector().repeat(len(_ANCHOR_VIEWS_RAD), 1)
    vector[:, 0] += torch.tensor(_ANCHOR_VIEWS_RAD, device=vector.device)
    points = []
    for camera in CameraPose.from_vector(vector).camera(head.orbit):
        origins, directions = camera.rays(pixel_centres(_ANCHOR_SIDE, vector.device))
        seen = head.trace(origins, directions)
        surface = (origins + directions * seen.distance[..., None])[seen.alpha > 0.5]
        points.append(surface)
    about = torch.cat(points)
    about = about + _ANCHOR_SPREAD * torch.randn(about.shape, generator=random).to(about.device)
    anywhere = torch.rand((len(about) // 5 + 1, 3), generator=random).to(about.device) - 0.5
    return torch.cat([about, anywhere * head.volume.box_side])


def _opacity(head: OfPlanesHead, points: Tensor) -> Tensor:
    """[M] how opaque matter of the points' density is, ``_ANCHOR_SPREAD`` thick: bounded, unlike density."""
    density, _ = head.query(points[None])
    return 1.0 - torch.exp(-density[0] * _ANCHOR_SPREAD)
