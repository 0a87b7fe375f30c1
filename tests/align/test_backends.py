"""Backends that are missing, damaged, or (face-alignment) played by a stand-in with its interface."""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from geoinv.align import FaceAligner
from geoinv.align.mediapipe import MediaPipeBackend
from geoinv.align.pose import project_standard
from geoinv.align.standard_points import standard_points
from geoinv.errors import CheckpointError, MissingDependencyError, UsageError


def fake_package(**behaviour: Any) -> types.ModuleType:
    """A module with face-alignment's interface that sees one face, made from the standard points at yaw 20 degrees."""

    class FaceAlignment:
        def __init__(self, kind: str, device: str = "cuda", flip_input: bool = False, compile: bool = True) -> None:
            assert device == "cpu" and not compile
            if "raises" in behaviour:
                raise behaviour["raises"]

        def get_landmarks_from_image(self, image: np.ndarray, return_bboxes: bool = False) -> Any:
            if behaviour.get("nothing"):
                return None
            indices, points = standard_points(68)
            marks = np.zeros((68, 2), np.float32)
            marks[indices] = project_standard(points, np.radians(20), 0.0) * 400 + 50 - 0.5
            box = np.array([100, 100, 300, 300, 0.9], np.float32)
            return [marks], [np.ones(68)], [box]

    module = types.ModuleType("face_alignment")
    module.FaceAlignment = FaceAlignment  # type: ignore[attr-defined]
    module.LandmarksType = types.SimpleNamespace(TWO_D="2D")  # type: ignore[attr-defined]
    return module


IMAGE = np.random.default_rng(0).integers(0, 256, (500, 500, 3), dtype=np.uint8)


class TestFaceAlignment:
    def test_aligns(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "face_alignment", fake_package())
        aligned = FaceAligner("face-alignment").align(IMAGE)
        assert aligned.yaw_deg == pytest.approx(20, abs=0.01)
        assert aligned.landmarks.shape == (68, 3)
        np.testing.assert_allclose(aligned.matrix * 400 / 512, [[1, 0, -50], [0, 1, -50]], atol=1e-2)

    def test_no_face(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "face_alignment", fake_package(nothing=True))
        assert FaceAligner("face-alignment").detect(IMAGE) == []

    def test_not_installed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "face_alignment", None)
        with pytest.raises(MissingDependencyError, match="needs the face-alignment package") as caught:
            FaceAligner("face-alignment")
        assert "pip install face-alignment" in str(caught.value.hint)

    @pytest.mark.parametrize(
        "error", [OSError("<urlopen error no route>"), RuntimeError("PytorchStreamReader\nfailed")]
    )
    def test_weights_not_there(self, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
        monkeypatch.setitem(sys.modules, "face_alignment", fake_package(raises=error))
        with pytest.raises(MissingDependencyError, match="cannot load its weights") as caught:
            FaceAligner("face-alignment")
        assert "\n" not in caught.value.message and caught.value.hint


class TestMediaPipe:
    def test_missing_models(self, tmp_path: Path) -> None:
        with pytest.raises(CheckpointError, match="no face model at"):
            MediaPipeBackend(tmp_path)

    def test_damaged_model(self, tmp_path: Path) -> None:
        (tmp_path / "face_detection_full_range.tflite").write_bytes(b"rubbish" * 100)
        with pytest.raises(CheckpointError, match="cannot read"):
            MediaPipeBackend(tmp_path)


def test_unknown_backend() -> None:
    with pytest.raises(UsageError, match="unknown landmark backend 'dlib'"):
        FaceAligner("dlib")  # type: ignore[arg-type]
