"""Files that are no pictures are named by their first bytes."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from geoinv.errors import PhotoError
from geoinv.images import read_image

SVG = b'<?xml version="1.0"?>\n<!-- drawn -->\n<svg xmlns="http://www.w3.org/2000/svg"/>'
BEGINNINGS = {
    "a web page": b"<!doctype html><title>404</title>",
    "a web page, ": b"\xef\xbb\xbf\n<HTML lang='en'><body>",
    "a Git LFS pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
    "a git-annex pointer": b"/annex/objects/SHA256E-s31390--f50d7ac4.jpg\n",
    "a JPEG XL picture": b"\xff\x0a\xfa\x7f\x01\x90",
    "a JPEG XL picture, ": b"\0\0\0\x0cJXL \x0d\x0a\x87\x0a",
    "an SVG drawing": SVG,
    "a PDF document": b"%PDF-1.7\n",
    "a Photoshop document": b"8BPS\0\x01" + bytes(20),
    "a camera's raw file": b"II*\0\x10\0\0\0CR\x02\0" + bytes(100),
    "a camera's raw file, ": b"\0\0\0\x18ftypcrx \0\0\0\x01crx isom",
    "a video": b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2",
    "a video, ": b"\0\0\0\x14ftypqt  \0\0\0\0qt  ",
    "a video,": b"RIFF\x10\0\0\0AVI LIST",
    "an archive": b"Rar!\x1a\x07\0",
    "a helper file of macOS": b"\0\x05\x16\x07\0\x02\0\0Mac OS X        ",
    "a text file": "caf\u00e9".encode() * 400,
}


@pytest.mark.parametrize("name", BEGINNINGS)
def test_kind_is_named_with_a_hint(tmp_path: Path, name: str) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(BEGINNINGS[name])
    with pytest.raises(PhotoError) as caught:
        read_image(path)
    assert caught.value.message.startswith(f"{path} is {name.rstrip(', ')}")
    assert "\n" not in caught.value.message and caught.value.hint


def test_zip(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.jpg", "w") as archive:
        archive.writestr("a.txt", "a")
    with pytest.raises(PhotoError, match="is an archive or office document"):
        read_image(tmp_path / "a.jpg")
