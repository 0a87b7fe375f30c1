"""A picture that is EG3D's crop already, as its camera label says: taken as it is, not cut again."""

from __future__ import annotations

import numpy as np

from ..conventions import CROP_SIZE
from ..errors import PhotoError
from ..images import Photo
from .aligner import FaceAligner
from .crop import apply_affine
from .crops import CropName
from .face import AlignedFace, ImageArray, five_points


def given_crop(photo: ImageArray | Photo, aligner: FaceAligner, *, crop: CropName = "face") -> AlignedFace:
    """The face of a square crop, resized to 512 pixels; alignment would move it away from its label.

    Args:
        photo: [H, H, 3] uint8 RGB, or a photo that was read.
        aligner: Finds the face in it.
        crop: Name of the crop that it is.

    Raises:
        PhotoError: Not square, or no face in it.
    """
    import cv2

    image, odd = (photo.pixels, photo.warnings) if isinstance(photo, Photo) else (photo, ())
    height, width = image.shape[:2]
    if height != width:
        raise PhotoError(
            f"the picture is {width}x{height}, a crop with a camera label is square", "give EG3D's crop, not the photo"
        )
    faces = aligner.detect(image)
    if not faces:
        raise PhotoError("no face found", "use EG3D's crop of one clear face")
    scale = CROP_SIZE / width
    matrix = np.array([[scale, 0.0, 0.0], [0.0, scale, 0.0]])
    interpolation = cv2.INTER_AREA if scale < 1.0 else cv2.INTER_CUBIC
    resized = np.asarray(cv2.resize(image, (CROP_SIZE, CROP_SIZE), interpolation=interpolation), dtype=np.uint8)
    landmarks = apply_affine(matrix, faces[0].landmarks)
    return AlignedFace(
        image=resized,
        landmarks5=five_points(landmarks),
        landmarks=landmarks,
        matrix=matrix,
        source_size=(width, height),
        roll_deg=0.0,
        yaw_deg=0.0,
        pitch_deg=0.0,
        face_index=0,
        face_count=len(faces),
        warnings=odd,
        crop=crop,
    )
