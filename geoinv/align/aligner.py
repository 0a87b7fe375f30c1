"""Photo to :class:`AlignedFace`: find the faces, choose one, fit its pose, cut the crop, say what is wrong with it."""

from __future__ import annotations

from typing import Literal, Protocol

import numpy as np

from ..conventions import CROP_SIZE
from ..errors import PhotoError, ShapeError, UsageError
from ..images import Photo
from .around import cut_around
from .crop import apply_affine, crop_with_soft_border
from .crops import CropName, roll_of, to_crop
from .face import AlignedFace, Face, ImageArray, five_points
from .pose import pose_of
from .quality import quality_warnings

Backend = Literal["mediapipe", "face-alignment"]


class LandmarkBackend(Protocol):
    """Whatever finds faces with landmarks."""

    def detect(self, image: ImageArray) -> list[Face]:
        """All faces in a photo [H, W, 3], the largest first."""
        ...


class FaceAligner:
    """Aligns faces; the models are loaded once, here.

    Args:
        backend: ``mediapipe`` is embedded; ``face-alignment`` is an optional package with weights of its own.

    Raises:
        MissingDependencyError: ``face-alignment`` or its weights are not there.
        CheckpointError: A model file of the embedded backend is missing or damaged.
    """

    def __init__(self, backend: Backend = "mediapipe") -> None:
        self._backend = _make_backend(backend)

    def detect(self, image: ImageArray) -> list[Face]:
        """All faces in a photo [H, W, 3], the largest first."""
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise ShapeError(f"image must be uint8 [H, W, 3], got {image.dtype} {list(image.shape)}")
        return self._backend.detect(image)

    def align(self, photo: ImageArray | Photo, *, face: int | None = None, crop: CropName = "face") -> AlignedFace:
        """Cut the crop about one face.

        Args:
            photo: [H, W, 3] uint8 RGB, upright; or a photo that was read, whose warnings come first.
            face: Index of the face, by size from 0; None takes the largest.
            crop: Name of the crop that the generator was trained on.

        Raises:
            PhotoError: No face was found.
            UsageError: There are fewer faces than ``face`` asks for.
        """
        image, odd = (photo.pixels, photo.warnings) if isinstance(photo, Photo) else (photo, ())
        faces = self.detect(image)
        index = _choose(len(faces), face)
        several = (_several_faces(len(faces)),) if len(faces) > 1 and face is None else ()
        pose = pose_of(faces[index].landmarks)
        matrix = to_crop(crop, pose, faces[index].landmarks5) * CROP_SIZE
        cut = crop_with_soft_border(image, matrix, CROP_SIZE)
        landmarks = apply_affine(matrix, faces[index].landmarks)
        yaw_deg, pitch_deg = float(np.degrees(pose.yaw_rad)), float(np.degrees(pose.pitch_rad))
        warnings = quality_warnings(
            image,
            faces[index].landmarks,
            matrix,
            crop=cut,
            yaw_deg=yaw_deg,
            pitch_deg=pitch_deg,
            residual=pose.residual,
        )
        return AlignedFace(
            image=cut,
            landmarks5=five_points(landmarks),
            landmarks=landmarks,
            matrix=matrix,
            source_size=(image.shape[1], image.shape[0]),
            roll_deg=float(np.degrees(roll_of(matrix))),
            yaw_deg=yaw_deg,
            pitch_deg=pitch_deg,
            face_index=index,
            face_count=len(faces),
            warnings=(*odd, *several, *warnings),
            crop=crop,
            around=cut_around(image, matrix),
        )


def _make_backend(name: Backend) -> LandmarkBackend:
    if name == "mediapipe":
        from .mediapipe import MediaPipeBackend

        return MediaPipeBackend()
    if name == "face-alignment":
        from .fan import FaceAlignmentBackend

        return FaceAlignmentBackend()
    raise UsageError(f"unknown landmark backend {name!r}", hint="use mediapipe or face-alignment")


def _choose(count: int, face: int | None) -> int:
    if count == 0:
        raise PhotoError(
            "no face found", hint="use a photo with one clear face, seen from the front to three-quarter view"
        )
    index = 0 if face is None else face
    if not 0 <= index < count:
        holds = "1 face" if count == 1 else f"{count} faces"
        raise UsageError(
            f"there is no face {index + 1}: the photo holds {holds}",
            hint="leave --face out" if count == 1 else f"use --face 1 to {count}",
        )
    return index


def _several_faces(count: int) -> str:
    return f"{count} faces in the photo: the largest is taken, --face N takes another"
