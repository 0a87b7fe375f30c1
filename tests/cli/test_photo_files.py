"""Which photos a command finds: in folders, behind patterns, once each, and what it says of the rest."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from geoinv.cli.photo_files import Found, find_photos
from geoinv.errors import PhotoError


def make(*names: str) -> None:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(name.encode())


def paths(found: Found) -> list[str]:
    return [str(photo.path) for photo in found.photos]


def find(*names: str, recursive: bool = False) -> Found:
    return find_photos([Path(name) for name in names], recursive=recursive)


def test_folders_in_order_of_names() -> None:
    make("in/b.jpg", "in/a.PNG", "in/c.jfif", "in/d.mpo", "in/e.heic", "in/.hidden.jpg", "z.jpg")
    found = find("z.jpg", "in")
    assert paths(found) == ["z.jpg", "in/a.PNG", "in/b.jpg", "in/c.jfif", "in/d.mpo", "in/e.heic"]
    assert not found.is_single and find("z.jpg").is_single
    assert found.photos[0].sha256() == hashlib.sha256(b"z.jpg").hexdigest()


def test_other_files_are_counted() -> None:
    make("in/a.jpg", "in/b.CR2", "in/c.cr2", "in/notes.txt", "in/README")
    assert find("in").left_out_line == "1 (no suffix), 2 (.cr2), 1 (.txt)"


def test_results_beside_photos_are_neither_photos_nor_left_out() -> None:
    make("in/w.jpg", "in/w.geoinv", "in/w_aligned.png", "in/w_seen.png", "in/w_report.json", "in/w_toon_views.png")
    make("in/w_yaw-30_pitch+5_depth.png", "in/w_video_depth.gif", "in/w_turntable.mp4", "in/w_smile_strip.png")
    found = find("in")
    assert (paths(found), dict(found.left_out)) == (["in/w.jpg"], {})


def test_photos_that_only_look_like_results_are_photos() -> None:
    make("in/me_aligned.png", "in/she_seen.png", "in/w.geoinv", "in/w_2.jpg", "in/won_views.png")
    assert paths(find("in")) == ["in/me_aligned.png", "in/she_seen.png", "in/w_2.jpg", "in/won_views.png"]


def test_folders_in_folders() -> None:
    make("in/one/p.jpg", "in/two/deep/q.jpg", "in/none/x.txt")
    with pytest.raises(PhotoError, match="no photos in in, only folders") as caught:
        find("in")
    assert "--recursive" in str(caught.value.hint)
    found = find("in", recursive=True)
    assert paths(found) == ["in/one/p.jpg", "in/two/deep/q.jpg"]
    assert found.failed == []


def test_links_that_lead_back_up_end() -> None:
    make("in/one/p.jpg")
    Path("in/one/up").symlink_to(Path("in").absolute())
    assert paths(find("in", recursive=True)) == ["in/one/p.jpg"]


def test_empty_folders_say_why() -> None:
    make("text/a.txt", "text/b.txt", "results/w.geoinv")
    Path("empty").mkdir()
    for folder, reason in (("text", "only other files"), ("results", "only results"), ("empty", "no photos in empty")):
        with pytest.raises(PhotoError, match=reason) as caught:
            find(folder)
        assert folder != "text" or caught.value.hint == "left out: 2 (.txt)"


def test_one_photo_under_two_spellings() -> None:
    make("in/p.jpg", "in/q.jpg")
    Path("in/link.jpg").symlink_to("p.jpg")
    Path("copy").mkdir()
    os.link("in/p.jpg", "copy/p.jpg")
    found = find("in/p.jpg", "./in/../in/p.jpg", str(Path("in/p.jpg").absolute()), "copy", "in/link.jpg")
    assert paths(found) == ["in/p.jpg", "in/link.jpg"]  # the link has a name of its own
    assert [str(kept) for _, kept in found.same] == ["in/p.jpg"] * 3


def test_patterns_that_the_shell_left() -> None:
    make("in/a.jpg", "in/b.jpg", "in/c.txt", "in/[1].jpg")
    assert paths(find("in/*.jpg")) == ["in/[1].jpg", "in/a.jpg", "in/b.jpg"]
    assert paths(find("in/[1].jpg")) == ["in/[1].jpg"]  # a file of that very name
    assert not find("in/?.jpg").is_single
    with pytest.raises(PhotoError, match=r"nothing matches the pattern \*\.png"):
        find("*.png")


def test_addresses() -> None:
    with pytest.raises(PhotoError, match="https://example.com/p.jpg is an address") as caught:
        find("https://example.com/p.jpg")
    assert "download it first" in str(caught.value.hint)


def test_devices() -> None:
    with pytest.raises(PhotoError, match="/dev/null is a device"):
        find("/dev/null")


def test_of_several_paths_bad_ones_do_not_stop_the_rest() -> None:
    make("a.jpg")
    Path("empty").mkdir()
    found = find("empty", "a.jpg", "https://example.com/p.jpg", "*.png")
    assert paths(found) == ["a.jpg"]
    assert [str(path) for path, _ in found.failed] == ["empty", "https:/example.com/p.jpg", "*.png"]


def test_names_longer_than_any_file() -> None:
    make("a.jpg")
    long = "y" * 300 + ".jpg"
    assert paths(find("a.jpg", long)) == ["a.jpg", long]  # reading it says what is wrong
