"""Reading photos from files and bytes.

Whatever a camera, a scanner or a web page makes comes out as upright 8-bit RGB; what was odd about it is kept as
warnings; whatever cannot be used ends in one :class:`~geoinv.errors.PhotoError` that says why.
"""

from __future__ import annotations

import io
import os
import threading
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..errors import PhotoError, unreadable
from .file_kinds import CONVERT, HEAD_BYTES, HEIC_WITHOUT_READER, RAW, FileKind, is_heic, kind_of
from .pixels import DECODING_ERRORS, in_8_bits, in_srgb, is_deep, to_rgb, upright

MAX_PIXELS = 250_000_000
"""Larger photos are refused from their header, before any pixel is decoded: Pillow needs 4 bytes for each, 1 GB."""

KEPT_PIXELS = 100_000_000
"""Larger photos, of 108 or 200 megapixels, are reduced by a power of two while they are read."""

MIN_SIDE = 64
"""Smaller pictures cannot hold a face worth reconstructing."""

IMAGE_SUFFIXES = frozenset(
    (*(".jpg", ".jpeg", ".jfif", ".jpe", ".mpo", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".ppm"),)
    + (".avif", ".jp2", ".heic", ".heif", ".hif")
)
"""Suffixes that :func:`list_images` takes for pictures; :func:`read_photo` looks at the content instead."""

# Photo formats only: Pillow would also open EPS and PDF-like files, which start other programs.
_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "PPM", "JPEG2000", "AVIF")
_MIN_BYTES_PER_PIXEL = 0.01  # of photos above KEPT_PIXELS; even a blank sky needs more, so less is a decompression bomb
_DARK_UPPER_BYTE = 64  # of 16-bit colours: all below it use 14 bits or fewer
_JPEG_END = b"\xff\xd9"
_JPEG_FILLER = bytes([0x5A, 0xC3]) * 512  # any bits that are no marker
_NEW_SUBFILE_TYPE, _DNG_VERSION = 254, 50706  # TIFF tags

# Pillow warns of odd metadata on stderr. Silencing it changes the whole process, so one thread does so at a time.
_silenced = threading.Lock()


@dataclass(frozen=True, eq=False)
class Photo:
    """A photo that was read.

    Args:
        pixels: [H, W, 3] uint8 RGB, upright.
        warnings: Oddities of the file, a line for the user each.
    """

    pixels: NDArray[np.uint8]
    warnings: tuple[str, ...] = ()


def read_photo(path: str | os.PathLike[str]) -> Photo:
    """Read a photo as upright 8-bit RGB.

    EXIF orientation is applied, an embedded colour profile is converted to sRGB, grey becomes RGB, 16-bit is scaled to
    8, CMYK is converted, transparency is laid over white, and of an animation the first frame is taken. Photos above
    ``KEPT_PIXELS`` are reduced, and a JPEG that lacks only its end marker is taken; both are warnings.

    Args:
        path: The picture; its format is recognised by content, not by name.

    Raises:
        PhotoError: No such file, a folder, empty, not a picture, damaged, too small, or too large.
    """
    source = Path(path)
    _require_readable_file(source)
    with source.open("rb") as stream:
        return _read(stream, str(source))


def photo_from_bytes(data: bytes, name: str) -> Photo:
    """The photo in the bytes of a picture file, as :func:`read_photo` reads it.

    Args:
        data: The contents of a picture file.
        name: Name of the file in errors.

    Raises:
        PhotoError: Empty, not a picture, damaged, too small, or too large.
    """
    if not data:
        raise PhotoError(f"{name} is empty (0 bytes)", hint="check what writes it")
    return _read(io.BytesIO(data), name)


def read_image(path: str | os.PathLike[str]) -> NDArray[np.uint8]:
    """The pixels [H, W, 3] of :func:`read_photo`, for callers who do not ask what was odd about the file.

    Raises:
        PhotoError: No such file, a folder, empty, not a picture, damaged, too small, or too large.
    """
    return read_photo(path).pixels


def list_images(folder: str | os.PathLike[str]) -> list[Path]:
    """The pictures directly inside a folder, by name; hidden files are left out.

    Raises:
        PhotoError: No such folder, or no picture in it.
    """
    place = Path(folder)
    if not place.is_dir():
        raise PhotoError(f"no such folder: {place}", hint="give a photo or a folder of photos")
    found = [p for p in place.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES and not p.name.startswith(".")]
    images = sorted(p for p in found if p.is_file())
    if not images:
        raise PhotoError(f"no photos in {place}", hint=f"looked for {', '.join(sorted(IMAGE_SUFFIXES))}")
    return images


def _require_readable_file(source: Path) -> None:
    try:
        if source.is_dir():
            raise PhotoError(f"{source} is a folder, not a photo", hint="give a photo, or a command that takes folders")
        if not source.exists():
            raise PhotoError(f"no such file: {source}", hint="check the spelling of the path")
        if source.stat().st_size == 0 and source.is_file():
            raise PhotoError(f"{source} is empty (0 bytes)", hint="copy or download it again")
        with source.open("rb"):
            pass
    except OSError as error:
        raise unreadable(source, error) from error


def _read(stream: BinaryIO, name: str) -> Photo:
    try:
        with _silenced, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _decode(stream, name)
    except DECODING_ERRORS as error:
        raise _damaged(name, error) from error


def _decode(stream: BinaryIO, name: str) -> Photo:
    file_bytes = stream.seek(0, os.SEEK_END)
    image = _open(stream, name)
    width, height = image.size
    factor = _reduction(name, image.size, file_bytes)
    has_16_bit_colour = _has_16_bit_colour(image)
    found = []
    try:
        decoded = _loaded(image, factor)
    except OSError:
        completed = _without_end_marker(stream, factor) if image.format in ("JPEG", "MPO") else None
        if completed is None:
            raise
        decoded = completed
        found.append("the file lacks its last bytes, but its picture is whole")
    if is_deep(decoded):
        decoded, bits = in_8_bits(decoded, np.asarray(decoded))
    elif has_16_bit_colour and factor == 1 and np.asarray(decoded)[..., :3].max() < _DARK_UPPER_BYTE:
        decoded, bits = in_8_bits(decoded, _colour_of_16_bits(stream))
    else:
        bits = None
    if bits is not None and bits < 16:
        found.append(f"a 16-bit picture that uses {bits} bits: scaled by these, so its brightness is a guess")
    if factor > 1:
        found.append(f"{width * height // 1_000_000} megapixels: read at 1/{factor} of its width and height")
    return Photo(np.array(to_rgb(in_srgb(upright(decoded))), dtype=np.uint8), tuple(found))


def _open(stream: BinaryIO, name: str) -> Image.Image:
    """A picture whose header is read; like ``Image.open`` but for its limit of pixels, which here is on memory."""
    stream.seek(0)
    head = stream.read(HEAD_BYTES)
    if is_heic(head):
        return _open_heic(stream, name)
    kind = kind_of(head)
    if kind is RAW:
        raise _not_a_photo(name, RAW)
    for load_plugins in (Image.preinit, Image.init):  # those of the commonest formats, then all, which takes longer
        load_plugins()
        image = _opened(stream, head, is_known=kind is not None)
        if image is None:
            continue
        if _is_raw(image):
            raise _not_a_photo(name, RAW)
        return image
    if kind is not None:
        raise _not_a_photo(name, kind)
    raise PhotoError(f"{name} is not a picture that geoinv can read", hint=CONVERT)


def _opened(stream: BinaryIO, head: bytes, *, is_known: bool) -> Image.Image | None:
    """A picture of which these are the first bytes, by the plugins that are loaded; None where they are not of any.

    Words may begin like a picture: "BM", "P5". ``is_known`` says that the bytes are known to be something else.
    """
    for image_format in _FORMATS:
        factory, accepts = Image.OPEN.get(image_format, (None, None))  # AVIF and JPEG 2000 are optional in Pillow
        if factory is None or accepts is None or accepts(head[:16]) is not True:
            continue
        stream.seek(0)
        try:
            image: Image.Image = factory(stream, "")
        except DECODING_ERRORS:
            if is_known:
                return None
            raise
        return image
    return None


def _not_a_photo(name: str, kind: FileKind) -> PhotoError:
    return PhotoError(f"{name} is {kind.description}", hint=kind.hint)


def _is_raw(image: Image.Image) -> bool:
    """Whether a TIFF is a camera's raw file, whose first picture is but a thumbnail."""
    tags = getattr(image, "tag_v2", {})
    return _DNG_VERSION in tags or tags.get(_NEW_SUBFILE_TYPE) == 1


def _open_heic(stream: BinaryIO, name: str) -> Image.Image:
    try:
        import pi_heif
    except ImportError:
        raise _not_a_photo(name, HEIC_WITHOUT_READER) from None
    stream.seek(0)
    try:
        opened = pi_heif.open_heif(stream)
        _reduction(name, opened.size, stream.seek(0, os.SEEK_END))
        image: Image.Image = opened.to_pillow()  # upright already, its EXIF says so
    except DECODING_ERRORS as error:
        raise _damaged(name, error) from error
    return image


def _reduction(name: str, size: tuple[int, int], file_bytes: int) -> int:
    """The factor by which a picture is to be reduced, 1, 2, 4 or 8; refuses sizes that cannot be used."""
    width, height = size
    pixels, hint = width * height, "scale it down first"
    if pixels > MAX_PIXELS:
        raise PhotoError(f"{name} is {width}x{height}, above {MAX_PIXELS // 1_000_000} megapixels", hint=hint)
    if pixels > KEPT_PIXELS and file_bytes < _MIN_BYTES_PER_PIXEL * pixels:
        raise PhotoError(f"{name} claims {width}x{height} pixels in {file_bytes} bytes, as no photo does", hint=hint)
    if min(width, height) < MIN_SIDE:
        raise PhotoError(
            f"{name} is only {width}x{height} pixels", hint=f"use a photo of at least {MIN_SIDE} pixels a side"
        )
    factor = 1
    while pixels > KEPT_PIXELS * factor**2:
        factor *= 2
    return factor


def _loaded(image: Image.Image, factor: int) -> Image.Image:
    """The decoded picture, reduced by a factor: in a JPEG's decoder, which saves memory, else afterwards."""
    is_jpeg = image.format in ("JPEG", "MPO")
    if is_jpeg:
        image.draft(image.mode, (image.width // factor, image.height // factor))
    image.load()
    if factor == 1 or is_jpeg:
        return image
    turned = upright(image)
    return (turned if turned.mode in ("L", "RGB", "RGBA") else to_rgb(turned)).reduce(factor)


def _without_end_marker(stream: BinaryIO, factor: int) -> Image.Image | None:
    """The picture of a JPEG that lacks its end marker and nothing else; None where more is missing.

    The decoder fills what is missing without a word. So the picture is decoded twice, with nothing and with filler
    before the end marker: only where its own data are complete does the filler change nothing.
    """
    stream.seek(0)
    data = stream.read().removesuffix(_JPEG_END[:1])
    endings = (_JPEG_END, _JPEG_FILLER + _JPEG_END)
    try:
        bare, filled = (_loaded(Image.OPEN["JPEG"][0](io.BytesIO(data + end), ""), factor) for end in endings)
    except DECODING_ERRORS:
        return None
    return bare if np.array_equal(np.asarray(bare), np.asarray(filled)) else None


def _has_16_bit_colour(image: Image.Image) -> bool:
    """Whether a picture has 16 bits a channel of colour; Pillow keeps only the upper 8 of them."""
    raw_modes = [str(tile[3]) for tile in getattr(image, "tile", [])]
    return image.mode in ("RGB", "RGBA") and any("16" in raw_mode for raw_mode in raw_modes)


def _colour_of_16_bits(stream: BinaryIO) -> NDArray[np.uint16]:
    """[H, W, 3] RGB of a 16-bit PNG or TIFF, by OpenCV, which keeps the lower bytes that Pillow drops."""
    import cv2

    stream.seek(0)
    flags = cv2.IMREAD_ANYDEPTH | cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    values = cv2.imdecode(np.frombuffer(stream.read(), np.uint8), flags)
    if values is None or values.dtype != np.uint16:
        raise ValueError("its 16-bit colours cannot be decoded")
    return np.ascontiguousarray(values[..., ::-1])


def _damaged(name: str, error: Exception) -> PhotoError:
    detail = " ".join(str(error).split()) or type(error).__name__
    return PhotoError(f"{name} is damaged or cut off ({detail})", hint="copy or download it again")
