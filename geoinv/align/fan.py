"""The optional ``face-alignment`` package (Bulat & Tzimiropoulos, ICCV 2017) as a landmark backend: 68 iBUG marks.

The package is BSD-3-Clause. Its weights (s3fd and 2DFAN4, 190 MB) are downloaded by it on first use.
"""

from __future__ import annotations

import inspect
import threading
from typing import Any

import numpy as np

from ..errors import MissingDependencyError
from .face import Face, ImageArray


class FaceAlignmentBackend:
    """Finds faces and their 68 landmarks with the ``face-alignment`` package, on the CPU.

    Raises:
        MissingDependencyError: The package is not installed, or its weights cannot be fetched.
    """

    def __init__(self) -> None:
        try:
            import face_alignment
        except ImportError as error:
            raise MissingDependencyError(
                f"--landmarks face-alignment needs the face-alignment package ({error})",
                hint="pip install face-alignment, or use --landmarks mediapipe",
            ) from error
        self._lock = threading.Lock()  # the package does not say that threads may share it
        options: dict[str, Any] = {"device": "cpu", "flip_input": False}
        if "compile" in inspect.signature(face_alignment.FaceAlignment.__init__).parameters:
            options["compile"] = False  # minutes of compilation for one photo
        try:
            self._model = face_alignment.FaceAlignment(face_alignment.LandmarksType.TWO_D, **options)
        except (OSError, RuntimeError) as error:  # urllib's errors are OSErrors; a cut file is a RuntimeError
            reason = " ".join(str(error).split())[:120]
            raise MissingDependencyError(
                f"face-alignment cannot load its weights ({reason})",
                hint="put s3fd and 2DFAN4 into $TORCH_HOME/hub/checkpoints, or use --landmarks mediapipe",
            ) from error

    def detect(self, image: ImageArray) -> list[Face]:
        """All faces in a photo [H, W, 3], the largest first; landmarks are [68, 3] with z zero."""
        with self._lock:
            result = self._model.get_landmarks_from_image(image, return_bboxes=True)
        if result is None or result[0] is None:
            return []
        marks, _, boxes = result
        faces = []
        for points, box in zip(marks, boxes, strict=True):
            flat = np.asarray(points, dtype=np.float64)[:, :2] + 0.5  # to pixel centres at half integers
            landmarks = np.concatenate([flat, np.zeros((len(flat), 1))], axis=1)
            corners = np.asarray(box[:4], dtype=np.float64)
            faces.append(Face(box=corners, score=float(box[4]) if len(box) > 4 else 1.0, landmarks=landmarks))
        return sorted(faces, key=lambda face: face.size, reverse=True)
