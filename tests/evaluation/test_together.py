"""Heads of one photo and of several, side by side."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest

from geoinv.errors import UsageError
from geoinv.evaluation import together
from geoinv.evaluation.table import compared_rows
from geoinv.inversion.group import joint_fit
from geoinv.session import Session
from tests.evaluation.test_refinement import held_out
from tests.tiny_models import write_tiny_anchored, write_tiny_weights

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Session:
    weights = write_tiny_weights(tmp_path_factory.mktemp("weights") / "weights")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GEOINV_WEIGHTS", str(weights))
        loaded = Session.load("mini", "cpu")
        _ = loaded.encoder, loaded.triplane_branch, loaded.directions
    return loaded


@pytest.fixture(autouse=True)
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joint_fit, "STEPS", 2)


def test_a_column_for_each_number_of_photos(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """The head has three views, of which the third is held back from the photos here."""
    monkeypatch.setattr(together, "VIEWS_DEG", {2: (0, -30)})
    done: list[int] = []
    columns = together.evaluate_heads_together(session, held_out(), on_head=done.append)
    assert list(columns) == ["1 photo", "2 photos"]
    assert done == [1]
    assert columns["1 photo"]["novel_psnr_db"] != columns["2 photos"]["novel_psnr_db"]
    assert dict(compared_rows(columns))["held-out heads"] == ["1", "1"]


def test_faces_are_detected_once_a_photo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though heads on the mesh are fitted to their landmarks."""
    session = Session.load(str(write_tiny_anchored(tmp_path)), "cpu")
    monkeypatch.setattr(together, "VIEWS_DEG", {2: (0, -30)})
    detect, seen = session.aligner.detect, []
    monkeypatch.setattr(session.aligner, "detect", lambda image: seen.append(image) or detect(image))
    together.evaluate_heads_together(session, held_out())
    assert len(seen) == 3  # the photo alone, and two together


def test_views_must_be_there(session: Session) -> None:
    with pytest.raises(UsageError, match="too few views"):
        together.evaluate_heads_together(session, dataclasses.replace(held_out(), yaws_deg=(0,)))


def test_persons(session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "kept-back").mkdir()
    for name in ("a.jpg", "b.jpg", "kept-back/c.jpg"):
        shutil.copy(EXAMPLES / "woman.jpg", tmp_path / name)
    photos = together.PersonPhotos.in_folder(tmp_path)
    assert [path.name for path in (*photos.given, *photos.kept_back)] == ["a.jpg", "b.jpg", "c.jpg"]
    columns = together.evaluate_persons(session, [photos])
    assert columns["all photos"]["left_out"] == 0
    for column in columns.values():
        assert column["persons"] == 1
        assert column["identity_novel"] == pytest.approx(column["identity_kept_back"], abs=1e-5)  # of the same photo
        assert column["identity_input"] is not None
    alone = columns["1 photo"]
    assert alone["identity_kept_side"] is None and alone["identity_real"] is None  # no face is from the side
    assert alone["identity_kept_view"] == pytest.approx(alone["identity_input"], abs=1e-4)  # E0 gives both cameras
    monkeypatch.setattr(together, "_ASIDE_RAD", 0.0)  # now the photo itself counts as one from the side
    alone = together.evaluate_persons(session, [photos])["1 photo"]
    assert alone["identity_real"] == pytest.approx(0.0, abs=1e-4)
    assert alone["identity_kept_side"] is not None
    (tmp_path / "b.jpg").unlink()
    with pytest.raises(UsageError, match="not two photos"):
        together.PersonPhotos.in_folder(tmp_path)
