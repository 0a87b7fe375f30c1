"""Pairs of views for the local branch: a photo, and the view of the same head that is compared with the truth."""

from __future__ import annotations

from dataclasses import dataclass
from math import radians
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from ...camera import pose_vectors
from .face_photos import FacePhotos
from .head_source import HeadSource
from .paint import Paint, surface_points
from .photo_augment import photo_like, random_background

_LARGEST_TURN = radians(30.0)
_VISIBLE_CHANGE = 24.0  # levels of 255


@dataclass(frozen=True)
class ViewPairs:
    """Photos and the query views of the same heads.

    Args:
        photos: [B, 3, H, H] in [0, 1], as E0 and E1 see them.
        persons: [B, 1, H, H] in [0, 1], where they show the person.
        moves: [B, 6] the pose of the query's camera minus that of the photo's.
        color: [B, 3, H, H] in [0, 1], the query view's truth, premultiplied.
        mask: [B, 1, H, H] where that is known.
        focus: [B, 1, H, H] the part of it to look at most.
        outside: [B, 1, H, H] where the query view shows no head.
        z: [B, 2, z_dim] of the head in the photo and of the one in the query view; None where they are the same.
        knows_w: Whether ``z`` is w already, see :class:`.HeadSource`.
    """

    photos: Tensor
    persons: Tensor
    moves: Tensor
    color: Tensor
    mask: Tensor
    focus: Tensor
    outside: Tensor
    z: Tensor | None = None
    knows_w: bool = False


def head_pairs(
    data: HeadSource, rng: np.random.Generator, count: int, *, same_view: bool, twins: bool = False
) -> ViewPairs:
    """Random heads, painted, from two sides; with ``twins``, the query view is of each head's twin."""
    photos, persons, colors, masks, focuses, outside, poses, codes = [], [], [], [], [], [], [], []
    for head in rng.choice(len(data), size=count, replace=False):
        views = [int(view) for view in rng.choice(data.face_views, size=2, replace=False)]
        views = views[:1] * 2 if same_view else views
        paint = Paint.random(rng)
        shown = (int(head), int(head) ^ 1 if twins else int(head))
        painted = [painted_view(data, which, view, paint) for which, view in zip(shown, views, strict=True)]
        codes.append(np.stack([data.view(which, 0)[3] for which in shown]))
        rgb, alpha, _ = painted[0]
        photo = rgb * alpha + random_background(rng, rgb.shape[0]) * (1.0 - alpha)
        photos.append(photo_like(rng, photo) if rng.random() < 0.3 else photo)
        persons.append(_rough_outline(rng, alpha))
        rgb, alpha, _ = painted[1]
        colors.append(rgb * alpha)
        masks.append(alpha > 0.5)
        focuses.append(_changed(data, *shown, views[1]) if twins else masks[-1])
        outside.append(alpha < 0.02)
        poses.append(np.stack([cam2world for _, _, cam2world in painted]))
    vectors = [pose_vectors(torch.from_numpy(pair), data.orbit) for pair in poses]
    moves = torch.stack([vector[1] - vector[0] for vector in vectors])
    z = torch.from_numpy(np.stack(codes)) if twins else None
    return ViewPairs(
        photos=maps_of(photos),
        persons=maps_of(persons),
        moves=moves,
        color=maps_of(colors),
        mask=maps_of(masks),
        focus=maps_of(focuses),
        outside=maps_of(outside),
        z=z,
        knows_w=data.knows_w,
    )


def _rough_outline(rng: np.random.Generator, alpha: NDArray[Any]) -> NDArray[Any]:
    """Alpha [R, R, 1] as an outline that was found by colour: a little too wide or narrow, and soft."""
    side = alpha.shape[0]
    solid = (alpha[..., 0] > 0.5).astype(np.uint8)
    size = int(rng.integers(0, side // 32 + 1))
    if size:
        kernel = np.ones((size, size), np.uint8)
        solid = np.asarray(cv2.erode(solid, kernel) if rng.random() < 0.6 else cv2.dilate(solid, kernel), np.uint8)
    return np.asarray(cv2.blur(solid.astype(np.float32), (3, 3)))[..., None]


def _changed(data: HeadSource, head: int, twin: int, view: int) -> NDArray[Any]:
    """[R, R, 1] where twins differ in a view, with what is close to it."""
    first, second = (np.asarray(data.view(which, view)[0], np.float32) for which in (head, twin))
    changed = (np.abs(first - second).max(axis=-1) > _VISIBLE_CHANGE).astype(np.uint8)
    size = max(changed.shape[0] // 32, 1)
    return cv2.dilate(cv2.erode(changed, np.ones((2, 2))), np.ones((size, size)))[..., None]


def painted_view(
    data: HeadSource, head: int, view: int, paint: Paint
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Colour [R, R, 3] and alpha [R, R, 1] in [0, 1], cam2world."""
    rgba, depth, cam2world, _ = data.view(head, view)
    straight = (np.asarray(rgba, np.float32) / 255.0).astype(np.float32, copy=False)
    points = surface_points(np.asarray(depth, np.float32), np.asarray(cam2world), data.orbit.focal)
    return paint.on(straight[..., :3], points), straight[..., 3:], np.array(cam2world)


def maps_of(pictures: list[NDArray[Any]]) -> Tensor:
    """Pictures [H, W, C] -> [B, C, H, W] float32."""
    return torch.from_numpy(np.stack(pictures).astype(np.float32)).permute(0, 3, 1, 2).contiguous()


def portrait_pairs(portraits: FacePhotos, rng: np.random.Generator, count: int, *, same_view: bool) -> ViewPairs:
    """Photos with known faces in their own view; in another, turned at random, no truth is known."""
    batch = portraits.batch(rng, photos=count, rays_per_photo=1)
    moves = torch.zeros(len(batch.photos), 6)
    if not same_view:
        moves[:, 0] = torch.from_numpy(rng.uniform(-_LARGEST_TURN, _LARGEST_TURN, len(moves)).astype(np.float32))
    nothing = torch.zeros_like(batch.persons)
    if not same_view:
        return ViewPairs(batch.photos, batch.persons, moves, batch.photos, nothing, nothing, nothing)
    # close to the outline neither is certain
    inside = -F.max_pool2d(-batch.persons, 7, stride=1, padding=3)
    outside = 1.0 - F.max_pool2d(batch.persons, 7, stride=1, padding=3)
    return ViewPairs(batch.photos, batch.persons, moves, batch.photos, inside, batch.faces, outside)
