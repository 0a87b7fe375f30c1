"""Bringing a fitted head within the outline of the person: landmarks tell the face, and hardly ears, jaws and necks.

Whatever the photo shows of the person, the mesh should not stick out of it. Hair and clothes only widen the outline, so
this can be asked of everybody; how far within the mesh lies is left to the landmarks.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..camera import Camera
from ..shape import HeadCodes, HeadModel

_DEVIATION = 0.08  # parts of the view's side (41 px of 512) that places beside the outline count as one deviation
_OUTLIER = 0.05  # parts of the view's side from which a place counts little: the mask is wrong there
_COLLAR = -0.33  # y on the mean head, below which clothes hide how wide it is
_STEPS = 6


@torch.no_grad()
def within_outline(
    model: HeadModel, codes: HeadCodes, camera: Camera, yaw_rad: float, person: NDArray[np.bool_]
) -> HeadCodes:
    """The codes with an identity whose head sticks out of the person as little as its landmarks let it.

    Args:
        model: Head model.
        codes: Codes fitted to the landmarks, batch size 1.
        camera: Camera of the photo, of one view.
        yaw_rad: Its yaw, by which landmarks are more or less sure.
        person: [S, S] where the camera's view shows the person, or does not show the photo.
    """
    skin = model.parts["skin"].vertices
    places = model.vertices(codes)
    above = torch.nonzero(model.mean[skin, 1] > _COLLAR)[:, 0]
    basis = model.identity_basis
    landmarks = model.landmarks468
    deviation = model.detector_habits.at(yaw_rad)[2]
    held = _moves(camera, landmarks.on(places)[0], landmarks.on(basis)) / deviation[:, None, None]
    held = held.flatten(0, 1).double()
    # the landmarks' fit is a minimum, about which its cost is this square
    cost_of_leaving = held.T @ held + torch.eye(len(basis), dtype=torch.float64)
    way_back = _way_back(person)
    found, moved = codes, torch.zeros(len(basis), dtype=torch.float64)
    for _ in range(_STEPS):
        points = model.vertices(found)[0, above]
        way = _read(way_back, camera.project(points[None])[0][0])  # [N, 2]
        beyond = way.norm(dim=1)
        out = beyond > 0.0
        if not out.any():
            break
        towards = way[out] / beyond[out, None]
        rows = torch.einsum("nck,nc->nk", _moves(camera, points[out], basis[:, above[out]]), towards).double()
        weight = (1.0 + (beyond[out] / _OUTLIER).square()).pow(-2).double() / _DEVIATION**2
        wanted = beyond[out].double() + rows @ moved
        hessian = rows.T @ (weight[:, None] * rows) + cost_of_leaving
        moved = torch.linalg.solve(hessian, rows.T @ (weight * wanted))
        found = replace(codes, identity=codes.identity + moved[None].to(codes.identity))
    return found


def _way_back(person: NDArray[np.bool_]) -> Tensor:
    """[S, S, 2] from each place beside the person to its nearest (x, y), in parts of the side; 0 on the person."""
    side = len(person)
    beside = (~person).astype(np.uint8)
    if not person.any():
        return torch.zeros(side, side, 2)
    _, labels = cv2.distanceTransformWithLabels(beside, cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL)
    at = np.zeros((int(labels.max()) + 1, 2))
    rows, columns = np.nonzero(person)
    at[labels[rows, columns]] = np.stack([columns, rows], axis=1)
    here = np.stack(np.meshgrid(np.arange(side), np.arange(side)), axis=-1)
    return torch.from_numpy((at[labels] - here) / side).float()


def _read(picture: Tensor, places: Tensor) -> Tensor:
    """Values [N, C] of a picture [S, S, C] at places [N, 2]; 0 beside it."""
    side = len(picture)
    at = (places * side).long()
    is_inside = ((at >= 0) & (at < side)).all(dim=1)
    columns, rows = at.clamp(0, side - 1).unbind(1)
    return picture[rows, columns] * is_inside[:, None]


def _moves(camera: Camera, points: Tensor, basis: Tensor) -> Tensor:
    """[N, 2, K] how places in the view of points [N, 3] move with K numbers that move them by ``basis`` [K, N, 3]."""
    to_camera = camera.cam2world[0, :3, :3].T.to(points)
    x, y, depth = ((points - camera.cam2world[0, :3, 3].to(points)) @ to_camera.T).unbind(-1)
    moved = basis @ to_camera.T  # [K, N, 3]
    across = torch.stack([moved[..., 0] - x / depth * moved[..., 2], moved[..., 1] - y / depth * moved[..., 2]], dim=-1)
    return (camera.focal / depth[:, None] * across).permute(1, 2, 0)
