"""Each photo's results have a name of their own."""

from __future__ import annotations

import os
from pathlib import Path

from geoinv.cli.result_names import result_stems


def stems(*paths: str, face: int | None = None) -> list[str]:
    return result_stems([(Path(path), Path(path).stem) for path in paths], face)


def test_a_name_without_equals_stays() -> None:
    assert stems("a/one.jpg", "b/two.jpg", "three.png") == ["one", "two", "three"]


def test_equal_names_get_their_folders() -> None:
    assert stems("in/one/photo.jpg", "in/two/photo.jpg", "other.jpg") == ["one_photo", "two_photo", "other"]
    assert stems("x/a/p.jpg", "y/a/p.jpg") == ["x_a_p", "y_a_p"]


def test_equal_names_in_one_folder_get_their_suffix() -> None:
    assert stems("in/w.jpg", "in/w.png") == ["w_jpg", "w_png"]
    assert stems("a/w.jpg", "a/w.png", "b/w.jpg") == ["a_w_jpg", "a_w_png", "b_w_jpg"]


def test_a_longer_name_is_not_that_of_another_photo() -> None:
    names = stems("in/one/photo.jpg", "in/two/photo.jpg", "in/two_photo.jpg")
    assert names == ["in_one_photo", "in_two_photo", "two_photo"]
    names = stems("/a_b/p.jpg", "/a/b/p.jpg")
    assert len(set(names)) == 2


def test_disks_that_see_neither_case_nor_composition() -> None:
    assert stems("a/P.jpg", "b/p.jpg") == ["a_P", "b_p"]
    assert stems("a/\u00e9.jpg", "b/e\u0301.jpg") == ["a_\u00e9", "b_e\u0301"]


def test_the_face_is_in_the_name() -> None:
    assert stems("photo.jpg", face=2) == ["photo_face2"]
    assert stems("a/photo.jpg", "b/photo.jpg", face=1) == ["a_photo_face1", "b_photo_face1"]


def test_undecodable_bytes_are_written_out() -> None:
    path = os.fsdecode(b"not_utf8_\xff\xe9.jpg")
    assert stems(path) == ["not_utf8_%FF%E9"]


def test_long_names_are_shortened_and_stay_apart() -> None:
    first, second = stems("x" * 246 + ".jpg", "x" * 245 + "y.jpg")
    assert first != second
    for stem in (first, second):
        assert len(os.fsencode(f"{stem}_yaw-12.5_pitch+12.5_normals.png")) <= 240
