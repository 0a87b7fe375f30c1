"""Kind of a file, from its first bytes, where it is no picture that geoinv reads: so that the error can name it."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from dataclasses import dataclass

HEAD_BYTES = 1024
"""Bytes at the start of a file that :func:`kind_of` looks at."""

CONVERT = "convert it to JPEG or PNG first"
_ANOTHER_FILE = "give a photo: a JPEG, PNG, WebP, HEIC, TIFF, BMP or GIF file"
_DOWNLOAD_AGAIN = "open the address in a browser and save the picture itself"


@dataclass(frozen=True)
class FileKind:
    """A kind of file.

    Args:
        description: Its name with an article, such as "a web page".
        hint: What to do to get a photo.
    """

    description: str
    hint: str


def kind_of(head: bytes) -> FileKind | None:
    """The kind of a file that is no readable picture; None where it is not known.

    Args:
        head: The first ``HEAD_BYTES`` bytes of the file, or all of them if there are fewer.
    """
    return next((kind for test, kind in _KINDS if test(head)), None)


def is_heic(head: bytes) -> bool:
    """Whether a file is HEIC or HEIF, by the brands in its first box (ISO 14496-12)."""
    if head[4:8] != b"ftyp":
        return False
    compatible = head[16 : int.from_bytes(head[:4], "big")]
    return head[8:12] in _HEIC_BRANDS or (head[8:12] in _ANY_HEIF_BRANDS and b"avif" not in compatible)


_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx")
_ANY_HEIF_BRANDS = (b"mif1", b"msf1", b"mif2")
_RAW_STARTS = (b"FUJIFILMCCD-RAW", b"IIU\0", b"IIRO", b"IIRS", b"MMOR", b"FOVb", b"\0MRM")
_VIDEO_STARTS = (b"\x1a\x45\xdf\xa3", b"FLV\x01", b"\0\0\x01\xba", b"\0\0\x01\xb3", b"OggS")
_ARCHIVE_STARTS = (b"PK\x03\x04", b"PK\x05\x06", b"Rar!", b"7z\xbc\xaf\x27\x1c", b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0")


def _starts(*starts: bytes) -> Callable[[bytes], bool]:
    return lambda head: head.startswith(starts)


def _is_markup_with(tag: bytes) -> Callable[[bytes], bool]:
    pattern = re.compile(rb"\s*(<\?xml[^>]*>\s*|<!--.*?-->\s*|<!doctype[^>]*>\s*)*<" + tag, re.DOTALL | re.IGNORECASE)
    return lambda head: pattern.match(head.removeprefix(codecs.BOM_UTF8)) is not None


def _is_web_page(head: bytes) -> bool:
    text = head.removeprefix(codecs.BOM_UTF8).lstrip().lower()
    return text.startswith(b"<!doctype html") or _is_markup_with(rb"(html|head|body|script|title)\b")(head)


def _is_video(head: bytes) -> bool:
    is_avi = head[:4] == b"RIFF" and head[8:12] == b"AVI "
    is_mp4 = head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free")
    return is_avi or is_mp4 or head.startswith(_VIDEO_STARTS)


def _is_raw(head: bytes) -> bool:
    is_cr2 = head[:4] == b"II*\0" and head[8:10] == b"CR"
    is_cr3 = head[4:12] == b"ftypcrx "
    return is_cr2 or is_cr3 or head.startswith(_RAW_STARTS)


def _is_text(head: bytes) -> bool:
    """Whether these are letters: UTF-8 without control characters, perhaps cut within a letter."""
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return bool(text) and not any(ord(letter) < 32 and letter not in "\t\n\r\f" for letter in text)


RAW = FileKind("a camera's raw file", "develop it in a photo program and save it as JPEG")
HEIC_WITHOUT_READER = FileKind(
    "a HEIC photo, which needs the pi-heif package", "pip install pi-heif, or convert it to JPEG first"
)

# The first test that holds names the kind, so the narrow ones stand before the wide ones.
_KINDS: tuple[tuple[Callable[[bytes], bool], FileKind], ...] = (
    (_is_web_page, FileKind("a web page, not a photo", _DOWNLOAD_AGAIN)),
    (
        _starts(b"version https://git-lfs.github.com/spec"),
        FileKind("a Git LFS pointer: the photo itself was not downloaded", "run `git lfs pull` in its repository"),
    ),
    (
        lambda head: b"/annex/objects/" in head[:200],
        FileKind("a git-annex pointer: the photo itself was not downloaded", "run `git annex get` on it"),
    ),
    (_is_raw, RAW),
    (is_heic, HEIC_WITHOUT_READER),
    (
        lambda head: head[4:12] in (b"ftypavif", b"ftypavis"),
        FileKind("an AVIF picture, which this Pillow cannot read", "pip install --upgrade pillow, or convert it"),
    ),
    (_starts(b"\xff\x0a", b"\0\0\0\x0cJXL "), FileKind("a JPEG XL picture, which geoinv cannot read", CONVERT)),
    (_is_markup_with(rb"(\w+:)?svg\b"), FileKind("an SVG drawing, not a photo", _ANOTHER_FILE)),
    (_starts(b"%PDF"), FileKind("a PDF document, not a photo", "export its page or picture as JPEG or PNG")),
    (_starts(b"%!PS", b"\xc5\xd0\xd3\xc6"), FileKind("a PostScript document, not a photo", CONVERT)),
    (_starts(b"8BPS", b"8BPB"), FileKind("a Photoshop document", "save a copy as JPEG or PNG")),
    (_starts(b"\x76\x2f\x31\x01"), FileKind("an OpenEXR picture, which geoinv cannot read", CONVERT)),
    (_starts(b"#?RADIANCE", b"#?RGBE"), FileKind("a Radiance HDR picture, which geoinv cannot read", CONVERT)),
    (
        lambda head: head[:4] == b"\0\0\x01\0" and 0 < head[4] < 64,
        FileKind("an icon, not a photo", _ANOTHER_FILE),
    ),
    (_is_video, FileKind("a video, not a photo", "save one of its frames as JPEG or PNG")),
    (_starts(*_ARCHIVE_STARTS), FileKind("an archive or office document, not a photo", "take the photo out of it")),
    (
        _starts(b"\0\x05\x16\x07", b"\0\x05\x16\0"),
        FileKind("a helper file of macOS, not a photo", "give the file of the same name without the leading ._"),
    ),
    (_is_text, FileKind("a text file, not a photo", _ANOTHER_FILE)),
)
