"""Kinds of files that geoinv reads: whole examples of each, and the function that reads them."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image


@dataclass(frozen=True)
class Kind:
    """A kind of files.

    Args:
        suffix: Suffix of the damaged file.
        originals: Function that gives whole files, some in other ways than the first.
        read: Function that reads a file as geoinv's commands do.
        is_forgiving: Whether what cannot be read of it is left out, so that no file need be refused.
    """

    suffix: str
    originals: Callable[[Path], list[bytes]]
    read: Callable[[Path], object]
    is_forgiving: bool = False


def _picture(mode: str = "RGB") -> Image.Image:
    rows, columns = np.mgrid[0:96, 0:128]
    colors = np.stack([rows * 2, columns, (rows ^ columns) * 2, 255 - rows], axis=-1).astype(np.uint8)
    return Image.fromarray(colors, "RGBA").convert(mode)


def _saved(image: Image.Image, format_name: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, format_name, **options)
    return stream.getvalue()


def _exif() -> Image.Exif:
    exif = Image.Exif()
    exif[274] = 6
    return exif


def _deep_png() -> bytes:
    import cv2

    return bytes(cv2.imencode(".png", (np.asarray(_picture(), np.uint16) * 257)[..., ::-1])[1])


def _animated(format_name: str) -> bytes:
    frames = [_picture("P"), _picture("P").rotate(90)]
    return _saved(frames[0], format_name, save_all=True, append_images=frames[1:])


def _images(make: Callable[[], list[bytes]], suffix: str) -> Kind:
    from geoinv.images import read_photo

    return Kind(suffix, lambda folder: make(), read_photo)


def _image_kinds() -> dict[str, Kind]:
    picture, grey, clear, cmyk = _picture(), _picture("L"), _picture("RGBA"), _picture("CMYK")
    return {
        "jpeg": _images(
            lambda: [
                _saved(picture, "JPEG", exif=_exif()),
                _saved(picture, "JPEG", progressive=True),
                _saved(cmyk, "JPEG"),
            ],
            ".jpg",
        ),
        "mpo": _images(lambda: [_saved(picture, "MPO", save_all=True, append_images=[grey.convert("RGB")])], ".mpo"),
        "png": _images(lambda: [_saved(clear, "PNG"), _saved(_picture("P"), "PNG"), _deep_png()], ".png"),
        "apng": _images(lambda: [_animated("PNG")], ".png"),
        "webp": _images(lambda: [_saved(picture, "WEBP"), _saved(clear, "WEBP", lossless=True)], ".webp"),
        "bmp": _images(lambda: [_saved(picture, "BMP"), _saved(_picture("P"), "BMP")], ".bmp"),
        "tiff": _images(
            lambda: [
                _saved(picture, "TIFF"),
                _saved(picture, "TIFF", compression="tiff_lzw"),
                _saved(cmyk, "TIFF", compression="tiff_deflate"),
                _saved(picture, "TIFF", compression="jpeg"),
            ],
            ".tif",
        ),
        "gif": _images(lambda: [_saved(_picture("P"), "GIF"), _animated("GIF")], ".gif"),
        "ppm": _images(lambda: [_saved(picture, "PPM"), _saved(grey, "PPM")], ".ppm"),
        "jp2": _images(lambda: [_saved(picture, "JPEG2000"), _saved(clear, "JPEG2000")], ".jp2"),
        "avif": _images(lambda: [_saved(picture, "AVIF"), _saved(clear, "AVIF")], ".avif"),
        "deep-tiff": _images(lambda: [_saved(Image.fromarray(np.asarray(grey, np.uint16) * 257), "TIFF")], ".tif"),
    }


def _inversion_files(folder: Path) -> list[bytes]:
    import torch

    from geoinv.inversion import Inversion
    from geoinv.inversion.saved import PhotoDetails

    made = []
    for details in (None, PhotoDetails(torch.zeros(3, 16, 16).half(), torch.zeros(8, 8), torch.zeros(3, 8, 8).half())):
        inversion = Inversion(
            w_plus=torch.zeros(1, 4, 16),
            camera=torch.zeros(6),
            photo=np.zeros((512, 512, 3), np.uint8),
            crop=np.eye(2, 3),
            source="a.jpg",
            source_size=(10, 10),
            generator="mini",
            generator_sha256="0" * 64,
            metrics={"psnr": 20.0},
            details=details,
            seed=0,
        )
        made.append(inversion.save(folder / "original.geoinv").read_bytes())
    return made


def _read_inversion(path: Path) -> object:
    from geoinv.inversion import Inversion

    return Inversion.load(path)


def _generator_files(folder: Path) -> list[bytes]:
    from geoinv.checkpoints.store import save_model
    from geoinv.models.generator import TriPlaneGenerator
    from tests.tiny_models import tiny_config

    generator = TriPlaneGenerator(tiny_config())
    save_model(folder / "original.safetensors", generator, generator.config, {})
    return [(folder / "original.safetensors").read_bytes()]


def _read_generator(path: Path) -> object:
    from geoinv.checkpoints.store import load_generator

    return load_generator(str(path))


def _anchored_files(folder: Path) -> list[bytes]:
    import torch

    from geoinv.checkpoints.store import save_model
    from geoinv.models.anchored_generator import AnchoredGenerator
    from tests.tiny_models import tiny_anchored_config

    torch.manual_seed(0)
    generator = AnchoredGenerator(tiny_anchored_config())
    save_model(folder / "original.safetensors", generator, generator.config, {})
    return [(folder / "original.safetensors").read_bytes()]


def _read_generator_header(path: Path) -> object:
    from geoinv.checkpoints.model_facts import generator_facts

    return generator_facts(str(path))


def _encoder_files(folder: Path) -> list[bytes]:
    from tests.tiny_models import write_tiny_weights

    return [(write_tiny_weights(folder / "weights") / "mini-encoder.safetensors").read_bytes()]


def _read_encoder(path: Path) -> object:
    from geoinv.checkpoints.store import load_encoder_file

    return load_encoder_file(path)


def _details_files(folder: Path) -> list[bytes]:
    from tests.tiny_models import write_tiny_weights

    return [(write_tiny_weights(folder / "weights") / "mini-details.safetensors").read_bytes()]


def _read_details(path: Path) -> object:
    from geoinv.checkpoints.store import load_details_file

    return load_details_file(path)


def _csv_files(folder: Path) -> list[bytes]:
    for name in ("a.csv", "b.csv"):  # any file: whether it is a picture is asked later
        (folder / name).touch()
    return [("picture,smile\n" + f"{folder}/a.csv,0.5\n{folder}/b.csv,-1\n" * 3).encode()]


def _read_csv(path: Path) -> object:
    from geoinv.editing.labels import read_labels

    return read_labels(path)


def _official_files(folder: Path) -> list[bytes]:
    from geoinv.models.eg3d_releases import release
    from geoinv.models.generator import TriPlaneGenerator
    from tests.checkpoints.official_pickles import small_release, write_official_pickle, write_state_dict

    generator = TriPlaneGenerator(small_release(release("shapenetcars128-64")))
    return [
        write_official_pickle(folder / "original.pkl", generator).read_bytes(),
        write_state_dict(folder / "zip.pt", generator, as_zip=True).read_bytes(),
        write_state_dict(folder / "legacy.pt", generator, as_zip=False).read_bytes(),
    ]


def _convert(path: Path) -> object:
    from geoinv.checkpoints.eg3d_convert import convert_eg3d

    return convert_eg3d(path, path.with_name("converted.safetensors"))


def _e3dge_files(folder: Path) -> list[bytes]:
    import pickle

    from tests.checkpoints.official_e3dge import small_entries, write_files

    generator = {"g_ema": small_entries()["g_ema"]}
    files = [write_files(folder, generator, as_zip=as_zip)[0].read_bytes() for as_zip in (True, False)]
    return [*files, pickle.dumps(generator)]


def _triplanenet_files(folder: Path) -> list[bytes]:
    import os

    from geoinv.checkpoints.store import save_model
    from tests.checkpoints.official_triplanenet import (
        face_generator,
        official_state,
        small_networks,
        write_triplanenet,
    )

    os.environ["GEOINV_CACHE"] = str(folder)  # this process is the kind's own; what converts is registered there
    generator = face_generator()
    save_model(folder / "weights" / "faces-generator.safetensors", generator, generator.config)
    state = official_state(*small_networks())
    return [write_triplanenet(folder / "t.pt", state, as_zip=as_zip).read_bytes() for as_zip in (True, False)]


def _convert_triplanenet(path: Path) -> object:
    import os

    from geoinv.checkpoints.triplanenet_convert import convert_triplanenet

    return convert_triplanenet(path, Path(os.environ["GEOINV_CACHE"]) / "converted.safetensors", "faces")


def _convert_any(path: Path) -> object:
    from geoinv.checkpoints.convert import convert

    return convert([path], path.with_name("converted.safetensors"))


def _boundary_files(folder: Path) -> list[bytes]:
    np.save(folder / "boundary.npy", np.ones((1, 512), np.float32) / 512**0.5)
    return [(folder / "boundary.npy").read_bytes()]


def _read_boundary(path: Path) -> object:
    from geoinv.checkpoints.e3dge_boundaries import read_boundary

    return read_boundary(path, 512)


def _index_files(folder: Path) -> list[bytes]:
    import os

    from geoinv.checkpoints.registry import register
    from geoinv.folders import weights_dir

    os.environ["GEOINV_CACHE"] = str(folder)  # this process is the kind's own
    for part in ("encoder", "details"):
        register(weights_dir() / f"mini-{part}.safetensors", part, f"mine-{part}", source="me", licence="mine")
    return [(folder / "weights" / "index.toml").read_bytes()]


def _read_index(path: Path) -> object:
    import os
    import shutil

    from geoinv.checkpoints.registry import files_elsewhere

    shutil.copy(path, Path(os.environ["GEOINV_CACHE"]) / "weights" / "index.toml")
    return files_elsewhere("mini", "mine")


def _glb_files(folder: Path) -> list[bytes]:
    from tests.viewer.toy_head import triangle

    return [triangle(["jawOpen"])]


def _check_glb(path: Path) -> object:
    from geoinv.viewer.glb_check import check_glb

    return check_glb(path.read_bytes(), path.name)


_LABEL = [1.0, 0, 0, 0, 0, -1, 0, 0, 0, 0, -1, 2.7, 0, 0, 0, 1, 4.2647, 0, 0.5, 0, 4.2647, 0.5, 0, 0, 1]


def _npy_files(folder: Path) -> list[bytes]:
    np.save(folder / "original.npy", np.array(_LABEL, np.float32))
    np.save(folder / "wide.npy", np.array(_LABEL, np.float64)[None])
    return [(folder / name).read_bytes() for name in ("original.npy", "wide.npy")]


def _json_files(folder: Path) -> list[bytes]:
    return [json.dumps({"labels": [["a.png", _LABEL], ["b.png", _LABEL]]}).encode()]


def _tsv_files(folder: Path) -> list[bytes]:
    return ["".join(f"{name}\t" + "\t".join(map(str, _LABEL)) + "\n" for name in ("a.png", "b.png")).encode()]


def _read_label(path: Path) -> object:
    from geoinv.camera.label_files import pose_from_label, read_label

    return pose_from_label(read_label(path, "a.png"), path.name)


def _shipped(name: str, read: Callable[[Path], object]) -> Kind:
    from geoinv.folders import weights_dir

    return Kind(".safetensors", lambda folder: [(weights_dir() / name).read_bytes()], read)


def _shipped_kinds() -> dict[str, Kind]:
    from geoinv.editing.directions import read_directions
    from geoinv.evaluation.held_out import load_held_out
    from geoinv.faces.networks import read_face_weights
    from geoinv.shape import load_head_model

    return {
        "directions": _shipped("mini-directions.safetensors", read_directions),
        "head-model": _shipped("head-model.safetensors", load_head_model),
        "held-out": _shipped("heldout-heads.safetensors", load_held_out),
        "face-network": _shipped("face/expression.safetensors", read_face_weights),
    }


def kinds() -> dict[str, Kind]:
    """Every kind by name."""
    from .kept_kinds import kept_kinds
    from .video_kinds import video_kinds

    return {
        **_image_kinds(),
        **_shipped_kinds(),
        "geoinv": Kind(".geoinv", _inversion_files, _read_inversion),
        "safetensors": Kind(".safetensors", _generator_files, _read_generator),
        "pickle": Kind(".pkl", _official_files, _convert),
        "pickle-e3dge": Kind(".pt", _e3dge_files, _convert_any),
        "pickle-triplanenet": Kind(".pt", _triplanenet_files, _convert_triplanenet),
        "npy-boundary": Kind(".npy", _boundary_files, _read_boundary),
        "toml-index": Kind(".toml", _index_files, _read_index),
        "glb": Kind(".glb", _glb_files, _check_glb),
        "npy-label": Kind(".npy", _npy_files, _read_label),
        "json-label": Kind(".json", _json_files, _read_label),
        "tsv-label": Kind(".tsv", _tsv_files, _read_label),
        "csv-label": Kind(".csv", _csv_files, _read_csv),
        "anchored": Kind(".safetensors", _anchored_files, _read_generator_header),
        "encoder": Kind(".safetensors", _encoder_files, _read_encoder),
        "details": Kind(".safetensors", _details_files, _read_details),
        **kept_kinds(),
        **video_kinds(),
    }


IMAGE_KINDS = tuple(_image_kinds())
SHIPPED_KINDS = tuple(_shipped_kinds())
OTHER_KINDS = (
    "geoinv",
    "safetensors",
    "pickle",
    "pickle-e3dge",
    "pickle-triplanenet",
    "npy-boundary",
    "toml-index",
    "glb",
    "npy-label",
    "json-label",
    "tsv-label",
    "csv-label",
    "anchored",
    "encoder",
    "details",
)
