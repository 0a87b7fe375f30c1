"""Unlabelled photos for the encoder's self-reconstruction: what it makes of a photo should look like the photo.

Photos have no latent code or shape; the face (the hull of its landmarks) is compared in the picture only, seen by the
camera that the encoder predicts. Alignment's estimate of the camera keeps that honest.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...align import AlignedFace, FaceAligner
from ...align.person import person_mask
from ...errors import PhotoError, UsageError
from ...folders import sha256_of
from ...images import list_images, read_image
from .photo_augment import Picture, photo_like


@dataclass(frozen=True)
class FacePhotoBatch:
    """Photos with random positions on their faces.

    Args:
        images: [P, 3, S, S] in [-1, 1], made worse at random.
        camera: [P, 5] yaw, pitch, roll (radians) and shift to the right and down: what alignment estimates.
        landmarks5: [P, 5, 2] normalised: eye centres, nose tip and mouth corners, image left first.
        pixels: [P, N, 2] normalised positions on the face.
        color: [P, N, 3] in [0, 1] of the photo as it is.
        photos: [P, 3, S, S] in [0, 1], as they are.
        faces: [P, 1, S, S] 1 on the face, else 0.
        persons: [P, 1, S, S] 1 on the person with hair and clothes, else 0.
        around: [P, N, 2] normalised positions anywhere in the photo above the chin, but not beyond its edges.
        around_color: [P, N, 3] in [0, 1] of the photo there, as it is.
        around_person: [P, N] in [0, 1], ``persons`` there.
    """

    images: Tensor
    camera: Tensor
    landmarks5: Tensor
    pixels: Tensor
    color: Tensor
    photos: Tensor
    faces: Tensor
    persons: Tensor
    around: Tensor
    around_color: Tensor
    around_person: Tensor


class FacePhotos:
    """The aligned photos of a folder; ``held_out`` names those that are left for testing.

    Args:
        folder: Folder of portraits; photos without a face are left out.
        size: Side in pixels of the photos here.
        keep_out_every: One photo of so many, the first among them, is left for testing.

    Raises:
        UsageError: No photo with a face.
    """

    def __init__(self, folder: Path, size: int, *, keep_out_every: int = 4) -> None:
        aligner = FaceAligner()
        self.held_out: list[str] = []
        self._folder = folder
        self._pictures: list[Picture] = []
        self._faces: list[NDArray[Any]] = []  # indices of the pixels of the face
        self._persons: list[NDArray[np.float32]] = []
        # Indices of pixels within the photo and above the chin: learned from whole persons, clothes beside the neck
        # were haze, as heads have no collars there.
        self._around: list[NDArray[Any]] = []
        self._cameras: list[tuple[float, float]] = []
        self._landmarks: list[NDArray[np.float32]] = []
        for i, path in enumerate(list_images(folder)):
            if i % keep_out_every == 0:
                self.held_out.append(path.name)
                continue
            try:
                face = aligner.align(read_image(path))
            except PhotoError:
                continue
            picture = cv2.resize(face.image, (size, size), interpolation=cv2.INTER_AREA).astype(np.float32) / 255.0
            points = (face.landmarks[:, :2] * (size / face.image.shape[0])).astype(np.float32)
            hull = cv2.convexHull(np.round(points).astype(np.int32))
            mask = cv2.fillConvexPoly(np.zeros((size, size), np.uint8), hull, 1)
            inside = cv2.resize(face.inside.astype(np.uint8), (size, size), interpolation=cv2.INTER_NEAREST)
            mask[inside == 0] = 0
            self._around.append(np.flatnonzero(inside[: round(float(points[:, 1].max()))]))
            self._pictures.append(picture)
            self._persons.append(_person(face, size))
            self._faces.append(np.flatnonzero(mask))
            self._landmarks.append((face.landmarks5 / face.image.shape[0]).astype(np.float32))
            self._cameras.append((np.radians(face.yaw_deg), np.radians(face.pitch_deg)))
        if not self._pictures:
            raise UsageError(f"no photo with a face in {folder}", "give a folder of portraits")
        self.size = size

    def __len__(self) -> int:
        return len(self._pictures)

    def describe(self) -> dict[str, Any]:
        """Plain values that say which photos these are, for the record of a run."""
        return described_photos(self._folder)

    def batch(self, rng: np.random.Generator, *, photos: int, rays_per_photo: int) -> FacePhotoBatch:
        """Random photos, every second one mirrored."""
        size = self.size
        images, cameras, marks, pixels, colors, photos_as_are, masks, persons = [], [], [], [], [], [], [], []
        around, around_colors, around_persons = [], [], []
        for index in rng.choice(len(self), size=photos, replace=photos > len(self)):
            picture, face, person = self._pictures[index], self._faces[index], self._persons[index]
            (yaw, pitch), landmarks = self._cameras[index], self._landmarks[index]
            chosen = face[rng.integers(0, len(face), rays_per_photo)]
            places = self._around[index]
            anywhere = places[rng.integers(0, len(places), rays_per_photo)]
            mask: NDArray[np.float32] = np.zeros((size, size), np.float32)
            mask.flat[face] = 1.0
            if rng.random() < 0.5:
                picture, mask, person = picture[:, ::-1], mask[:, ::-1], person[:, ::-1]
                chosen, anywhere = (place + size - 1 - 2 * (place % size) for place in (chosen, anywhere))
                yaw = -yaw
                landmarks = (landmarks * [-1.0, 1.0] + [1.0, 0.0])[[1, 0, 2, 4, 3]]
            picture = np.ascontiguousarray(picture)
            images.append(photo_like(rng, picture))
            photos_as_are.append(picture)
            masks.append(mask)
            persons.append(person)
            pixels.append(_positions(chosen, size))
            colors.append(picture.reshape(-1, 3)[chosen])
            around.append(_positions(anywhere, size))
            around_colors.append(picture.reshape(-1, 3)[anywhere])
            around_persons.append(person.reshape(-1)[anywhere])
            cameras.append((yaw, pitch, 0.0, 0.0, 0.0))
            marks.append(landmarks)
        return FacePhotoBatch(
            images=torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2) * 2.0 - 1.0,
            camera=torch.tensor(cameras, dtype=torch.float32),
            landmarks5=torch.from_numpy(np.stack(marks).astype(np.float32)),
            pixels=torch.from_numpy(np.stack(pixels).astype(np.float32)),
            color=torch.from_numpy(np.stack(colors)),
            photos=torch.from_numpy(np.stack(photos_as_are)).permute(0, 3, 1, 2).contiguous(),
            faces=torch.from_numpy(np.stack(masks))[:, None],
            persons=torch.from_numpy(np.stack(persons))[:, None],
            around=torch.from_numpy(np.stack(around).astype(np.float32)),
            around_color=torch.from_numpy(np.stack(around_colors)),
            around_person=torch.from_numpy(np.stack(around_persons)),
        )


def _positions(indices: NDArray[Any], size: int) -> NDArray[Any]:
    """Normalised positions [N, 2] of pixels' centres, given their places row by row."""
    return (np.stack([indices % size, indices // size], axis=-1) + 0.5) / size


def described_photos(folder: Path) -> dict[str, Any]:
    """Number of the pictures in a folder and a hash of them all, ``files`` and ``files_sha256``."""
    hashes = [sha256_of(path) for path in list_images(folder)]
    return {"files": len(hashes), "files_sha256": hashlib.sha256("".join(hashes).encode()).hexdigest()}


def _person(face: AlignedFace, size: int) -> NDArray[np.float32]:
    """[size, size] in [0, 1]: the person in an aligned photo, without its padding."""
    mask = (person_mask(face.image) & face.inside).astype(np.float32)
    return np.asarray(cv2.resize(mask, (size, size), interpolation=cv2.INTER_AREA), np.float32)
