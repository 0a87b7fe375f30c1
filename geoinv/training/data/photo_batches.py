"""Heads as photos, for the encoder: renders of true heads and the generator's own samples, with their truth."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from ...camera import Camera, pose_vectors
from ...heads import plain_head
from ...images.tensors import GREY
from ...models.encoder import INPUT_SIZE
from ...models.families import OfPlanes
from ...models.latent_space import frontal_label
from ...synth.dataset import sample_cameras
from .head_shards import HeadShards, RayBatch
from .head_source import HeadSource
from .photo_augment import Picture, photo_like, random_background

LANDMARK_NOISE = 1.0 / INPUT_SIZE
"""Standard deviation of the noise on true landmarks, normalised: about the error of those that are found."""


@dataclass(frozen=True)
class PhotoCounts:
    """Numbers of photos, rays and the like in a step of the encoder.

    Args:
        photos: Photos of true heads.
        heads_rendered: Number of these photos, the first, that are also compared as pictures and shapes.
        faces: Number of the heads rendered that are also compared by what face networks see in them.
        rays_per_view: Rays in the input view, and as many in another view.
        landmark_sets: Random views of which landmarks are known and no picture is made, to learn cameras from.
    """

    photos: int = 23
    heads_rendered: int = 6
    faces: int = 2
    rays_per_view: int = 400
    landmark_sets: int = 256


@dataclass(frozen=True)
class PhotoBatch:
    """Photos of heads, with what is known of them.

    Args:
        images: [P, 3, S, S] in [-1, 1].
        z: [P, z_dim].
        camera: [P, 6] true pose vectors.
        landmarks: [H, 73, 2] landmarks of the first H photos, normalised.
        seen: [N, 73, 2] landmarks in many views of which no picture is made.
        seen_by: [N, 6] pose vectors of the cameras of these views.
        rays: Rays of the first heads of the batch, in the input view and another.
        faces: [F, 3, H, H] in [0, 1], the input views of the first heads over grey, as rays show them.
        pictures: [F, 3, R, R] in [0, 1], the same views as final pictures, over grey.
        knows_w: Whether ``z`` is w already, see :class:`.HeadSource`.
        codes: [H, I + 54] shape codes of the first H photos, where they are known.
        light: [H, 9, 3] light in them.
    """

    images: Tensor
    z: Tensor
    camera: Tensor
    landmarks: Tensor
    seen: Tensor
    seen_by: Tensor
    rays: RayBatch
    faces: Tensor
    pictures: Tensor
    knows_w: bool = False
    codes: Tensor | None = None
    light: Tensor | None = None

    def with_photos(self, images: Tensor, z: Tensor, camera: Tensor) -> PhotoBatch:
        """The batch with more photos at the end, of which no landmarks, rays, shapes and lights are known."""
        return replace(
            self,
            images=torch.cat([self.images, images]),
            z=torch.cat([self.z, z]),
            camera=torch.cat([self.camera, camera]),
        )


def photo_batch(
    data: HeadSource,
    rng: np.random.Generator,
    counts: PhotoCounts,
    *,
    with_other_view: bool = True,
    others: HeadSource | None = None,
    among: range | None = None,
) -> PhotoBatch:
    """Make photos of random heads.

    Args:
        data: The heads.
        rng: Source of everything random.
        counts: Numbers of photos, rays and the like.
        with_other_view: Whether half of the rays are of another view than the photo's, which need not see the face;
            else all are of the photo's own, as they are where heads have one view.
        others: Heads of the photos that are not rendered, where these are not ``data``'s: one view of each is enough.
        among: Numbers of the heads to choose from; None for all.
    """
    count = counts.photos if others is None else counts.heads_rendered
    heads = rng.choice(len(data) if among is None else np.array(among), size=count, replace=False)
    views = [_two_views(data, rng) for _ in heads]
    seen: list[tuple[HeadSource, int, int]] = [
        (data, int(head), int(view)) for head, (view, _) in zip(heads, views, strict=True)
    ]
    if others is not None:
        more = rng.choice(len(others), size=counts.photos - count, replace=False)
        seen += [(others, int(head), int(rng.integers(others.face_views))) for head in more]
    faces: list[Picture] = []
    pictures: list[Picture] = []
    images, zs, cameras, landmarks, codes, lights = [], [], [], [], [], []
    for source, head, view in seen:
        rgba, _, cam2world, z = source.view(head, view)
        straight = (np.asarray(rgba, np.float32) / 255.0).astype(np.float32, copy=False)
        images.append(_as_photo(rng, straight))
        if len(faces) < counts.faces:
            faces.append(source.over_grey(head, view))
            pictures.append(straight[..., :3] * straight[..., 3:] + GREY * (1.0 - straight[..., 3:]))
        zs.append(z)
        cameras.append(cam2world)
        landmarks.append(source.landmarks(head, view))
        if isinstance(source, HeadShards) and source.has_albedo:
            codes.append(source.codes(head))
            lights.append(source.light(head))
    shown = [pair if with_other_view else pair[[0, 0]] for pair in views]
    compared = [(int(head), [int(v) for v in pair]) for head, pair in zip(heads, shown, strict=True)]
    rays = data.rays_of(rng, compared[: counts.heads_rendered], rays_per_view=counts.rays_per_view)
    known = len(codes) == len(seen)
    marks, seen_by = (others or data).landmarks_and_cameras(rng, counts.landmark_sets)
    noise = torch.from_numpy(rng.normal(0.0, LANDMARK_NOISE, marks.shape).astype(np.float32))
    return PhotoBatch(
        images=_stacked(images) * 2.0 - 1.0,
        z=torch.from_numpy(np.stack(zs)),
        camera=pose_vectors(torch.from_numpy(np.stack(cameras)), data.orbit),
        landmarks=torch.from_numpy(np.stack(landmarks)),
        seen=marks + noise,
        seen_by=pose_vectors(seen_by, data.orbit),
        rays=rays,
        faces=_stacked(faces),
        pictures=_stacked(pictures),
        knows_w=data.knows_w,
        codes=torch.from_numpy(np.stack(codes)) if known else None,
        light=torch.from_numpy(np.stack(lights)) if known else None,
    )


def _two_views(data: HeadSource, rng: np.random.Generator) -> NDArray[np.int64]:
    """Numbers of a view of the face and of another view, where there is one."""
    photo = rng.integers(data.face_views)
    other = photo if data.num_views == 1 else (photo + 1 + rng.integers(data.num_views - 1)) % data.num_views
    return np.array([photo, other])


@torch.no_grad()
def generator_photos(
    generator: OfPlanes, rng: np.random.Generator, count: int, size: int
) -> tuple[Tensor, Tensor, Tensor]:
    """The generator's own samples as photos: images [count, 3, size, size], z, pose vectors; on its device."""
    device = generator.w_avg.device
    z = torch.from_numpy(rng.standard_normal((count, generator.config.z_dim)).astype(np.float32)).to(device)
    cam2world = torch.from_numpy(np.concatenate([sample_cameras(rng, 1) for _ in range(count)])).to(device)
    w_plus = generator.mapping(z, frontal_label(generator, count))
    camera = Camera(cam2world, generator.config.orbit.focal)
    output = plain_head(generator, w_plus).view(camera, resolution=size // 2)
    rgba = F.interpolate(torch.cat([output.color, output.alpha], dim=1), size=(size, size), mode="bilinear")
    photos = []
    for picture in rgba.permute(0, 2, 3, 1).cpu().numpy():
        background = random_background(rng, size)
        photos.append(photo_like(rng, picture[..., :3] + background * (1.0 - picture[..., 3:])))
    return (_stacked(photos) * 2.0 - 1.0).to(device), z, pose_vectors(cam2world)


def _as_photo(rng: np.random.Generator, rgba: NDArray[np.float32]) -> Picture:
    """A render [R, R, 4] in [0, 1], straight alpha, before a random background and made photo-like."""
    alpha = rgba[..., 3:]
    picture = rgba[..., :3] * alpha + random_background(rng, rgba.shape[0]) * (1.0 - alpha)
    return photo_like(rng, picture.astype(np.float32))


def _stacked(pictures: list[Picture]) -> Tensor:
    """Pictures [H, W, 3] -> [B, 3, H, W]."""
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)
