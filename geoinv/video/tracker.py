"""Following one face from frame to frame: found by the detector once, then where it was in the frame before."""

from __future__ import annotations

import numpy as np

from ..align.face import Face, FloatArray, ImageArray
from ..align.mediapipe import MediaPipeBackend

_SEARCH_EVERY = 5
"""Frames without a face after which it is searched again: the search takes several times as long as following."""

_FAR = 1.5
"""Widths of the face, and a factor of its size, within which another face of the frame may be the one that was lost."""


class FaceTracker:
    """One face of a clip, frame by frame.

    Args:
        backend: Finds faces with MediaPipe's 468 points.
        face: Index of the face in the first frame that has it, by size from 0.
    """

    def __init__(self, backend: MediaPipeBackend, face: int = 0) -> None:
        self._backend, self._face = backend, face
        self._last: Face | None = None
        self._is_lost = True
        self._waited = _SEARCH_EVERY

    def find(self, frame: ImageArray) -> FloatArray | None:
        """[468, 3] landmarks in pixels of the frame [H, W, 3], or None where the face is not seen."""
        now = None
        if self._last is not None and not self._is_lost:
            now = self._backend.follow(frame, self._last.landmarks)
            if now is None:
                self._waited = _SEARCH_EVERY  # at once: it may have jumped
        if now is None:
            now = self._searched(frame)
        self._is_lost = now is None
        if now is None:
            return None
        self._last, self._waited = now, 0
        return now.landmarks

    def _searched(self, frame: ImageArray) -> Face | None:
        self._waited += 1
        if self._waited <= _SEARCH_EVERY:
            return None
        self._waited = 0
        found = self._backend.detect(frame)
        if self._last is None:
            return found[self._face] if len(found) > self._face else None
        last = self._last
        near = [face for face in found if _is_near(face, last)]
        return min(near, key=lambda face: float(np.abs(face.box - last.box).sum()), default=None)


def _is_near(face: Face, last: Face) -> bool:
    apart = float(np.linalg.norm(face.box.reshape(2, 2).mean(axis=0) - last.box.reshape(2, 2).mean(axis=0)))
    return apart < _FAR * last.size and last.size / _FAR < face.size < last.size * _FAR
