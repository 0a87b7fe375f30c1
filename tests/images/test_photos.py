"""Reading every kind of picture, and refusing every kind of rubbish in one line."""

from __future__ import annotations

import struct
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms

from geoinv.errors import PhotoError, ShapeError, UsageError
from geoinv.images import list_images, read_image, to_array, to_tensor, write_image


def gradient(width: int = 96, height: int = 80) -> np.ndarray:
    """A picture whose corners all differ."""
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([x * 255 // (width - 1), y * 255 // (height - 1), (x + y) % 256], axis=-1).astype(np.uint8)


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

    def test_dark_16_bit_stays_dark(self, tmp_path: Path) -> None:
        Image.fromarray(np.full((80, 96), 200, dtype=np.uint16)).save(tmp_path / "a.png")
        assert read_image(tmp_path / "a.png").max() <= 1

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


def truncated_jpeg(path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (200, 200, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path, format="JPEG")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def eps(path: Path) -> None:
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 100 100\n%%EndComments\n")


BAD_INPUT: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda p: None, "no such file"),
    "folder": (lambda p: p.mkdir(), "is a folder"),
    "empty": (lambda p: p.touch(), "0 bytes"),
    "text": (lambda p: p.write_text("hello"), "not a picture"),
    "postscript": (eps, "not a picture"),
    "truncated jpeg": (truncated_jpeg, "damaged or cut off"),
    "jpeg of a header": (lambda p: p.write_bytes(b"\xff\xd8\xff\xe0\x00\x10JFIF"), "picture|damaged"),
    "truncated png": (lambda p: p.write_bytes(png_header(500, 500)), "damaged or cut off"),
    "1x1": (lambda p: Image.new("RGB", (1, 1)).save(p, format="PNG"), "only 1x1 pixels"),
    "narrow": (lambda p: Image.new("RGB", (400, 63)).save(p, format="PNG"), "only 400x63 pixels"),
    "bomb": (lambda p: p.write_bytes(png_header(20000, 20000)), "megapixels"),
    "smaller bomb": (lambda p: p.write_bytes(png_header(10001, 10000)), "10001x10000, above 100 megapixels"),
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


class TestWrite:
    def test_png_round_trip(self, tmp_path: Path) -> None:
        write_image(tmp_path / "new" / "a.png", gradient())
        np.testing.assert_array_equal(read_image(tmp_path / "new" / "a.png"), gradient())
        assert [p.name for p in (tmp_path / "new").iterdir()] == ["a.png"]

    @pytest.mark.parametrize("suffix", ["jpg", "JPEG", "webp"])
    def test_lossy_is_close(self, tmp_path: Path, suffix: str) -> None:
        smooth = gradient()
        smooth[..., 2] = 128
        write_image(tmp_path / f"a.{suffix}", smooth)
        assert np.abs(read_image(tmp_path / f"a.{suffix}").astype(int) - smooth).mean() < 3

    def test_same_input_same_bytes(self, tmp_path: Path) -> None:
        for name in ("a.jpg", "b.jpg"):
            write_image(tmp_path / name, gradient())
        assert (tmp_path / "a.jpg").read_bytes() == (tmp_path / "b.jpg").read_bytes()

    def test_unknown_suffix(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="unknown picture type '.bmpp'"):
            write_image(tmp_path / "a.bmpp", gradient())
        assert not list(tmp_path.iterdir())

    def test_unwritable_place(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(UsageError, match="cannot write"):
            write_image(tmp_path / "file" / "a.png", gradient())

    def test_rejects_floats(self, tmp_path: Path) -> None:
        with pytest.raises(ShapeError):
            write_image(tmp_path / "a.png", gradient().astype(np.float32))  # type: ignore[arg-type]


class TestListImages:
    def test_sorted_and_filtered(self, tmp_path: Path) -> None:
        for name in ("b.JPG", "a.png", "notes.txt", ".hidden.png"):
            (tmp_path / name).touch()
        (tmp_path / "folder.png").mkdir()
        assert [p.name for p in list_images(tmp_path)] == ["a.png", "b.JPG"]

    def test_no_images(self, tmp_path: Path) -> None:
        with pytest.raises(PhotoError, match="no photos in"):
            list_images(tmp_path)

    def test_no_folder(self, tmp_path: Path) -> None:
        with pytest.raises(PhotoError, match="no such folder"):
            list_images(tmp_path / "nowhere")


class TestTensors:
    def test_round_trip(self) -> None:
        tensor = to_tensor(gradient())
        assert tensor.shape == (1, 3, 80, 96) and tensor.dtype == torch.float32
        assert tensor.min() >= -1 and tensor.max() <= 1
        np.testing.assert_array_equal(to_array(tensor), gradient())
        np.testing.assert_array_equal(to_array(tensor[0]), gradient())

    def test_clips(self) -> None:
        assert to_array(torch.full((3, 2, 2), 7.0)).min() == 255

    def test_rejects_batches(self) -> None:
        with pytest.raises(ShapeError):
            to_array(torch.zeros(2, 3, 4, 4))
