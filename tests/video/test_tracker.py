"""Following a face: searched once, followed, lost, found again, and not mistaken for another."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from geoinv.align.face import Face
from geoinv.align.mediapipe import MediaPipeBackend
from geoinv.video.tracker import FaceTracker

FRAME = np.zeros((100, 200, 3), np.uint8)


def _face(x: float, side: float = 40.0) -> Face:
    landmarks = np.full((468, 3), x)
    return Face(np.array([x, 20.0, x + side, 20.0 + side]), 1.0, landmarks)


class _Backend:
    """Gives what a test says, and counts."""

    def __init__(self) -> None:
        self.faces: list[Face] = []
        self.followed: Face | None = None
        self.searches = 0

    def detect(self, image: Any) -> list[Face]:
        self.searches += 1
        return self.faces

    def follow(self, image: Any, before: Any) -> Face | None:
        return self.followed


def _made(face: int = 0) -> tuple[_Backend, FaceTracker]:
    backend = _Backend()
    return backend, FaceTracker(cast(MediaPipeBackend, backend), face)


def test_a_face_is_searched_once_and_followed() -> None:
    backend, tracker = _made()
    backend.faces, backend.followed = [_face(50)], _face(52)
    xs = [float(found[0, 0]) for _ in range(5) if (found := tracker.find(FRAME)) is not None]
    assert xs == [50, 52, 52, 52, 52] and backend.searches == 1


def test_a_lost_face_is_searched_at_once_and_then_now_and_then() -> None:
    backend, tracker = _made()
    backend.faces = [_face(50)]
    tracker.find(FRAME)
    backend.faces = []
    assert [tracker.find(FRAME) for _ in range(12)] == [None] * 12
    assert backend.searches == 1 + 2
    backend.faces = [_face(60)]
    assert any(tracker.find(FRAME) is not None for _ in range(6))


def test_another_face_is_not_taken_for_it() -> None:
    backend, tracker = _made()
    backend.faces = [_face(20)]
    tracker.find(FRAME)
    backend.faces = [_face(150), _face(25, side=200.0)]  # elsewhere, and of another size
    assert all(tracker.find(FRAME) is None for _ in range(12))


def test_the_chosen_face_is_followed() -> None:
    backend, tracker = _made(face=1)
    backend.faces = [_face(20)]
    assert tracker.find(FRAME) is None
    backend.faces = [_face(20), _face(120)]
    found = [tracker.find(FRAME) for _ in range(6)]
    assert any(landmarks is not None and landmarks[0, 0] == 120 for landmarks in found)
