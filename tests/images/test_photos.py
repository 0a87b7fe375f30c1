"""Reading every kind of picture, and refusing every kind of rubbish in one line."""

from __future__ import annotations

import io
import struct
import sys
import tracemalloc
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms

from geoinv.errors import PhotoError
from geoinv.images import list_images, photo_from_bytes, read_image, read_photo

from .gradient import gradient

DATA = Path(__file__).parent.parent / "data"


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds almost no data."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(b"\0" * 1000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


class TestForms:
    def test_rgb_is_exact(self, tmp_path: Path) -> None:
        Image.fromarray(gradient()).save(tmp_path / "a.png")
        np.testing.assert_array_equal(read_image(tmp_path / "a.png"), gradient())

    def test_content_counts_not_the_suffix(self, tmp_path: Path) -> None:
        Image.fromarray(gradient()).save(tmp_path / "a.jpg", format="PNG")
        np.testing.assert_array_equal(read_image(str(tmp_path / "a.jpg")), gradient())

    def test_grey(self, tmp_path: Path) -> None:
        grey = gradient()[..., 0]
        Image.fromarray(grey).save(tmp_path / "a.png")
        np.testing.assert_array_equal(read_image(tmp_path / "a.png"), np.stack([grey] * 3, axis=-1))

    def test_black_and_white(self, tmp_path: Path) -> None:
        bits = gradient()[..., 0] > 127
        Image.fromarray(bits).save(tmp_path / "a.png")
        np.testing.assert_array_equal(read_image(tmp_path / "a.png")[..., 1], bits * np.uint8(255))

    @pytest.mark.parametrize("suffix", ["png", "tif"])
    def test_16_bit(self, tmp_path: Path, suffix: str) -> None:
        grey = gradient()[..., 0]
        Image.fromarray(grey.astype(np.uint16) * 257).save(tmp_path / f"a.{suffix}")
        np.testing.assert_array_equal(read_image(tmp_path / f"a.{suffix}")[..., 2], grey)

    @pytest.mark.parametrize("bits", [8, 10, 12, 14])
    @pytest.mark.parametrize("suffix", ["png", "tif"])
    @pytest.mark.parametrize("is_colour", [False, True])
    def test_16_bits_of_which_fewer_are_used(self, tmp_path: Path, bits: int, suffix: str, is_colour: bool) -> None:
        picture = gradient() if is_colour else gradient()[..., 0]
        deep = np.rint(picture / 255.0 * (2**bits - 1)).astype(np.uint16)
        cv2.imwrite(str(tmp_path / f"a.{suffix}"), deep[..., ::-1] if is_colour else deep)  # OpenCV writes BGR
        photo = read_photo(tmp_path / f"a.{suffix}")
        np.testing.assert_array_equal(photo.pixels[..., 0], gradient()[..., 0])
        if is_colour:
            np.testing.assert_array_equal(photo.pixels, picture)
        assert [f"uses {bits} bits" in warning for warning in photo.warnings] == [True]

    def test_16_bit_colour_that_uses_all_bits(self, tmp_path: Path) -> None:
        cv2.imwrite(str(tmp_path / "a.png"), gradient()[..., ::-1].astype(np.uint16) * 257)
        photo = read_photo(tmp_path / "a.png")
        np.testing.assert_array_equal(photo.pixels, gradient())
        assert photo.warnings == ()

    def test_deep_pictures_are_turned_upright(self, tmp_path: Path) -> None:
        exif = Image.Exif()
        exif[0x0112] = 6
        Image.fromarray(gradient()[..., 0].astype(np.uint16) * 257).save(tmp_path / "a.png", exif=exif)
        np.testing.assert_array_equal(read_image(tmp_path / "a.png")[..., 0], np.rot90(gradient()[..., 0], -1))

    def test_float_tiff(self, tmp_path: Path) -> None:
        grey = gradient()[..., 0]
        Image.fromarray(grey.astype(np.float32) / 255).save(tmp_path / "a.tif")
        np.testing.assert_array_equal(read_image(tmp_path / "a.tif")[..., 0], grey)

    def test_cmyk(self, tmp_path: Path) -> None:
        Image.new("CMYK", (96, 80), (0, 255, 255, 0)).save(tmp_path / "a.jpg")
        red = read_image(tmp_path / "a.jpg").reshape(-1, 3).mean(0)
        assert red[0] > 225 and red[1] < 40 and red[2] < 50

    def test_transparency_is_over_white(self, tmp_path: Path) -> None:
        rgba = np.concatenate([gradient(), np.zeros((80, 96, 1), np.uint8)], axis=-1)
        rgba[:, 48:, 3] = 255
        Image.fromarray(rgba).save(tmp_path / "a.png")
        read = read_image(tmp_path / "a.png")
        assert (read[:, :48] == 255).all()
        np.testing.assert_array_equal(read[:, 48:], gradient()[:, 48:])

    def test_palette_with_transparency(self, tmp_path: Path) -> None:
        image = Image.new("P", (96, 80), 0)
        image.putpalette([0, 0, 0, 200, 10, 10])
        image.paste(1, (0, 0, 48, 80))
        image.save(tmp_path / "a.png", transparency=0)
        read = read_image(tmp_path / "a.png")
        assert tuple(read[10, 10]) == (200, 10, 10) and tuple(read[10, 90]) == (255, 255, 255)

    def test_animated_gif_gives_its_first_frame(self, tmp_path: Path) -> None:
        first, second = (Image.new("RGB", (96, 80), colour) for colour in ((255, 0, 0), (0, 0, 255)))
        first.save(tmp_path / "a.gif", save_all=True, append_images=[second], duration=50)
        assert tuple(read_image(tmp_path / "a.gif")[40, 40]) == (255, 0, 0)

    def test_embedded_profile_becomes_srgb(self, tmp_path: Path) -> None:
        srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
        swapped = srgb.replace(b"rXYZ", b"tXYZ", 1).replace(b"gXYZ", b"rXYZ", 1).replace(b"tXYZ", b"gXYZ", 1)
        swapped = swapped.replace("sRGB".encode("utf-16-be"), "swap".encode("utf-16-be"))  # red is green and vice versa
        lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()  # not of the pixels' kind
        expected = {srgb: [120, 160, 90], swapped: [160, 120, 90], lab: [120, 160, 90], b"rubbish": [120, 160, 90]}
        for profile, color in expected.items():
            Image.new("RGB", (80, 80), (120, 160, 90)).save(tmp_path / "a.png", icc_profile=profile)
            read = read_image(tmp_path / "a.png")[0, 0].astype(int)
            assert np.abs(read - color).max() <= 1

    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_exif_orientation(self, tmp_path: Path, orientation: int) -> None:
        undo: dict[int, Callable[[np.ndarray], np.ndarray]] = {
            1: lambda a: a,
            2: lambda a: a[:, ::-1],
            3: lambda a: a[::-1, ::-1],
            4: lambda a: a[::-1],
            5: lambda a: a.transpose(1, 0, 2),
            6: lambda a: np.rot90(a, -1),
            7: lambda a: a.transpose(1, 0, 2)[::-1, ::-1],
            8: lambda a: np.rot90(a, 1),
        }
        exif = Image.Exif()
        exif[0x0112] = orientation
        Image.fromarray(gradient()).save(tmp_path / "a.png", exif=exif)
        np.testing.assert_array_equal(read_image(tmp_path / "a.png"), undo[orientation](gradient()))


class TestHeic:
    def test_is_read_upright(self) -> None:
        """Its EXIF asks for a quarter turn."""
        pytest.importorskip("pi_heif")
        expected = np.rot90(gradient(), -1).astype(int)
        read = read_image(DATA / "gradient.heic").astype(int)
        assert read.shape == (96, 80, 3)
        assert np.abs(read - expected)[..., :2].mean() < 4

    def test_cut_off(self, tmp_path: Path) -> None:
        pytest.importorskip("pi_heif")
        (tmp_path / "a.heic").write_bytes((DATA / "gradient.heic").read_bytes()[:-200])
        with pytest.raises(PhotoError, match="damaged or cut off"):
            read_image(tmp_path / "a.heic")

    def test_without_its_reader(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "pi_heif", None)
        with pytest.raises(PhotoError, match="is a HEIC photo, which needs the pi-heif package") as caught:
            read_image(DATA / "gradient.heic")
        assert "pip install pi-heif" in str(caught.value.hint)


def jpeg(**options: object) -> bytes:
    stream = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 255, (200, 200, 3), dtype=np.uint8)
    Image.fromarray(noise).save(stream, format="JPEG", **options)
    return stream.getvalue()


class TestJpegWithoutItsEnd:
    @pytest.mark.parametrize("is_progressive", [False, True])
    @pytest.mark.parametrize("missing", [1, 2])
    def test_whole_pictures_are_taken(self, is_progressive: bool, missing: int) -> None:
        data = jpeg(progressive=is_progressive)
        whole, cut = photo_from_bytes(data, "a"), photo_from_bytes(data[:-missing], "a")
        np.testing.assert_array_equal(cut.pixels, whole.pixels)
        assert whole.warnings == () and cut.warnings == ("the file lacks its last bytes, but its picture is whole",)

    @pytest.mark.parametrize("missing", [5, 50, 2000])
    def test_pictures_that_lack_more_are_refused(self, missing: int) -> None:
        with pytest.raises(PhotoError, match="a is damaged or cut off"):
            photo_from_bytes(jpeg()[:-missing], "a")


class TestVeryLargePhotos:
    def test_jpeg_of_108_megapixels_is_halved_on_reading(self) -> None:
        stream = io.BytesIO()
        halves = np.full((9000, 12000), 40, np.uint8)
        halves[:, 6000:] = 200
        Image.fromarray(halves).save(stream, format="JPEG", quality=95)
        photo = photo_from_bytes(stream.getvalue(), "a")
        assert photo.pixels.shape == (4500, 6000, 3)
        assert abs(int(photo.pixels[100, 100, 0]) - 40) <= 2 and abs(int(photo.pixels[100, 5900, 1]) - 200) <= 2
        assert photo.warnings == ("108 megapixels: read at 1/2 of its width and height",)

    @pytest.mark.parametrize("image_format", ["JPEG", "PNG"])
    def test_reduced_photos_are_upright(self, monkeypatch: pytest.MonkeyPatch, image_format: str) -> None:
        monkeypatch.setattr("geoinv.images.photos.KEPT_PIXELS", 96 * 2 * 80 * 2 // 4)
        exif, stream = Image.Exif(), io.BytesIO()
        exif[0x0112] = 6
        large = Image.fromarray(gradient()).resize((192, 160), Image.Resampling.NEAREST)
        large.save(stream, format=image_format, exif=exif)
        photo = photo_from_bytes(stream.getvalue(), "a")
        assert photo.pixels.shape == (96, 80, 3)
        assert np.abs(photo.pixels.astype(int) - np.rot90(gradient(), -1))[..., :2].mean() < 4


class TestBytes:
    def test_same_as_the_file(self, tmp_path: Path) -> None:
        Image.fromarray(gradient()).save(tmp_path / "a.png")
        np.testing.assert_array_equal(photo_from_bytes((tmp_path / "a.png").read_bytes(), "-").pixels, gradient())

    @pytest.mark.parametrize(("data", "message"), [(b"", "^- is empty"), (b"hello", "^- is a text file")])
    def test_errors_have_the_given_name(self, data: bytes, message: str) -> None:
        with pytest.raises(PhotoError, match=message):
            photo_from_bytes(data, "-")

    def test_threads(self) -> None:
        data = jpeg()
        expected = photo_from_bytes(data, "a").pixels
        with ThreadPoolExecutor(4) as pool:
            read = list(pool.map(lambda _: photo_from_bytes(data, "a").pixels, range(16)))
        assert all(np.array_equal(pixels, expected) for pixels in read)


def raw_photo(path: Path) -> None:
    """A TIFF whose first picture is a thumbnail, as the raw files of most cameras begin."""
    Image.new("RGB", (160, 120)).save(path, format="TIFF", tiffinfo={254: 1})


def eps(path: Path) -> None:
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 100 100\n%%EndComments\n")


BAD_INPUT: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda p: None, "no such file"),
    "folder": (lambda p: p.mkdir(), "is a folder"),
    "empty": (lambda p: p.touch(), "0 bytes"),
    "rubbish": (lambda p: p.write_bytes(b"\x80\x81\x82" * 100), "not a picture"),
    "text": (lambda p: p.write_text("hello"), "is a text file"),
    "text that begins like a bitmap": (lambda p: p.write_text("BMW is a maker of cars\n" * 10), "is a text file"),
    "postscript": (eps, "is a PostScript document"),
    "raw": (raw_photo, "is a camera's raw file"),
    "truncated jpeg": (lambda p: p.write_bytes(jpeg()[:5000]), "damaged or cut off"),
    "jpeg of a header": (lambda p: p.write_bytes(b"\xff\xd8\xff\xe0\x00\x10JFIF"), "picture|damaged"),
    "truncated png": (lambda p: p.write_bytes(png_header(500, 500)), "damaged or cut off"),
    "1x1": (lambda p: Image.new("RGB", (1, 1)).save(p, format="PNG"), "only 1x1 pixels"),
    "narrow": (lambda p: Image.new("RGB", (400, 63)).save(p, format="PNG"), "only 400x63 pixels"),
    "bomb": (lambda p: p.write_bytes(png_header(20000, 20000)), "megapixels"),
    "smaller bomb": (lambda p: p.write_bytes(png_header(10001, 10000)), "claims 10001x10000 pixels in"),
}


class TestBadInput:
    @pytest.mark.parametrize("name", BAD_INPUT)
    def test_one_line_and_a_hint(self, tmp_path: Path, name: str, recwarn: pytest.WarningsRecorder) -> None:
        make, message = BAD_INPUT[name]
        path = tmp_path / "photo.jpg"
        make(path)
        with pytest.raises(PhotoError, match=message) as caught:
            read_image(path)
        assert str(path) in caught.value.message
        assert "\n" not in caught.value.message and caught.value.hint
        assert caught.value.exit_code == 5
        assert not recwarn.list

    def test_a_bomb_is_not_decoded(self, tmp_path: Path) -> None:
        path = tmp_path / "bomb.png"
        path.write_bytes(png_header(20000, 20000))
        tracemalloc.start()
        with pytest.raises(PhotoError):
            read_image(path)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
        tracemalloc.stop()

    def test_unreadable(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = tmp_path / "photo.png"
        Image.fromarray(gradient()).save(path)

        def refuse(*_: object, **__: object) -> None:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(Path, "open", refuse)  # root may read everything, so chmod would not do
        with pytest.raises(PhotoError, match="cannot read .*permission denied"):
            read_image(path)

    def test_path_through_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(PhotoError):
            read_image(tmp_path / "file" / "photo.jpg")


class TestListImages:
    def test_sorted_and_filtered(self, tmp_path: Path) -> None:
        for name in ("b.JPG", "a.png", "c.jfif", "d.mpo", "e.HEIC", "notes.txt", ".hidden.png"):
            (tmp_path / name).touch()
        (tmp_path / "folder.png").mkdir()
        assert [p.name for p in list_images(tmp_path)] == ["a.png", "b.JPG", "c.jfif", "d.mpo", "e.HEIC"]

    def test_no_images(self, tmp_path: Path) -> None:
        with pytest.raises(PhotoError, match="no photos in"):
            list_images(tmp_path)

    def test_no_folder(self, tmp_path: Path) -> None:
        with pytest.raises(PhotoError, match="no such folder"):
            list_images(tmp_path / "nowhere")
