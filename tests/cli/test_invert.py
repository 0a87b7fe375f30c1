"""geoinv invert, align: what they write, say and refuse."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from geoinv.inversion import Inversion

from .conftest import EXAMPLES, Done


def listing(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*")) if folder.exists() else []


def test_invert_writes_and_tells(geoinv: Callable[..., Done], woman: Path) -> None:
    done = geoinv("invert", woman, "--out", "out", "--frames", "4", "--json", "--device", "cpu")
    assert done.code == 0
    values = done.json
    assert {"inversion", "psnr_db", "yaw_deg", "pitch_deg", "roll_deg", "model", "seconds"} <= set(values)
    assert values["inversion"] == "out/woman.geoinv"
    names = ["woman.geoinv", "woman_aligned.png", "woman_inversion.png", "woman_report.json", "woman_seen.png"]
    names.append("woman_turntable.mp4")
    assert listing(Path("out")) == names
    assert sorted(Path(name).name for name in values["files"]) == names
    assert np.array_equal(Image.open("out/woman_aligned.png"), Inversion.load("out/woman.geoinv").photo)
    written = json.loads(Path("out/woman_report.json").read_text())
    assert written["psnr_db"] == values["psnr_db"]
    assert 0.0 < written["seen_share"] == values["seen_share"] < 1.0


@pytest.mark.parametrize("turntable", ["mp4", "gif"])
def test_same_seed_same_bytes(geoinv: Callable[..., Done], woman: Path, turntable: str) -> None:
    for out in ("a", "b"):
        assert geoinv("invert", woman, "--out", out, "--frames", "3", "--turntable", turntable).code == 0
    assert listing(Path("a")) == listing(Path("b"))
    for name in listing(Path("a")):
        assert (Path("a") / name).read_bytes() == (Path("b") / name).read_bytes(), name


def test_results_are_there_before_the_turntable_and_a_run_that_was_cut_short_goes_on(
    geoinv: Callable[..., Done], woman: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ("invert", woman, "--out", "out", "--frames", "2", "--turntable", "gif", "--device", "cpu")

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("geoinv.cli.writing.write_turning", interrupt)
        assert geoinv(*command).code == 130
    names = ["woman.geoinv", "woman_aligned.png", "woman_inversion.png", "woman_report.json", "woman_seen.png"]
    assert listing(Path("out")) == names
    Inversion.load("out/woman.geoinv")
    geoinv(*command, "--seed", "1").assert_fails(2, "exists", "--overwrite")
    assert geoinv(*command).code == 0
    assert listing(Path("out")) == [*names, "woman_turntable.gif"]
    geoinv(*command).assert_fails(2, "exists", "--overwrite")


def test_invert_after_align(geoinv: Callable[..., Done], woman: Path) -> None:
    done = geoinv("align", woman, "--overlay", "--out", "out", "--json")
    assert done.code == 0
    assert listing(Path("out")) == ["woman_aligned.json", "woman_aligned.png", "woman_overlay.png"]
    assert (done.json["face"], done.json["faces"]) == (1, 1)
    assert np.shape(json.loads(Path("out/woman_aligned.json").read_text())["landmarks"]) == (468, 3)
    assert geoinv("invert", woman, "--out", "out", "--no-turntable").code == 0


def test_existing_results_need_overwrite(geoinv: Callable[..., Done], woman: Path) -> None:
    Path("woman.geoinv").write_bytes(b"mine")
    geoinv("invert", woman, "--out", ".").assert_fails(2, "woman.geoinv exists", "--overwrite")
    Path("woman.geoinv").unlink()
    Image.new("RGB", (512, 512)).save("woman_aligned.png")
    geoinv("invert", woman, "--out", ".").assert_fails(2, "woman_aligned.png exists", "--overwrite")
    assert listing(Path(".")) == ["woman_aligned.png"]
    assert geoinv("invert", woman, "--out", ".", "--no-turntable", "--overwrite").code == 0


def test_a_folder_with_a_bad_photo(geoinv: Callable[..., Done]) -> None:
    Path("in").mkdir()
    for name in ("man", "woman"):
        shutil.copy(EXAMPLES / f"{name}.jpg", "in")
    Path("in/broken.jpg").write_bytes(b"\xff\xd8 not a picture")
    Image.new("RGB", (200, 200), "white").save("in/blank.png")
    done = geoinv("invert", "in", "--out", "out", "--no-turntable", "--json")
    assert done.code == 1
    assert [Path(result["inversion"]).name for result in done.json["results"]] == ["man.geoinv", "woman.geoinv"]
    assert [Path(failure["photo"]).name for failure in done.json["failed"]] == ["blank.png", "broken.jpg"]
    assert "2 of 4 photos failed" in done.err
    again = geoinv("invert", "in", "--out", "out", "--no-turntable", "--json")
    assert (again.code, again.json["results"], len(again.json["skipped"])) == (1, [], 2)


def test_two_photos_of_one_name(geoinv: Callable[..., Done], woman: Path) -> None:
    Path("in").mkdir()
    shutil.copy(woman, "in/woman.jpg")
    Image.open(woman).save("in/woman.png")
    done = geoinv("align", "in", "--out", "out", "--json")
    assert (done.code, len(done.json["results"])) == (0, 2)
    assert [name for name in listing(Path("out")) if name.endswith("png")] == [
        "woman_jpg_aligned.png",
        "woman_png_aligned.png",
    ]


def test_results_in_the_photos_folder_are_no_photos(geoinv: Callable[..., Done], woman: Path) -> None:
    Path("in").mkdir()
    shutil.copy(woman, "in")
    assert geoinv("invert", "in", "--out", "in", "--no-turntable").code == 0
    done = geoinv("invert", "in", "--out", "in", "--no-turntable", "--json")
    assert (done.code, done.json["skipped"]) == (0, ["in/woman.jpg"])


def make_bad_photos(folder: Path, woman: Path) -> dict[str, Path]:
    folder.mkdir()
    (folder / "empty.jpg").touch()
    (folder / "text.jpg").write_text("not an image")
    (folder / "cut.jpg").write_bytes(woman.read_bytes()[:3000])
    Image.new("RGB", (1, 1)).save(folder / "dot.png")
    Image.new("1", (20000, 20000)).save(folder / "bomb.png")
    Image.effect_noise((300, 300), 50).save(folder / "noise.png")
    (folder / "no-photos").mkdir()
    return {path.stem: path for path in folder.iterdir()}


@pytest.mark.parametrize("command", ["invert", "align"])
def test_bad_photos_end_in_one_line(geoinv: Callable[..., Done], woman: Path, command: str) -> None:
    bad = make_bad_photos(Path("bad"), woman)
    bad["missing"] = Path("bad/missing.jpg")
    for path in bad.values():
        done = geoinv(command, path, "--out", "out")
        done.assert_fails(5, path.name)
        assert not Path("out").exists(), path


def test_odd_but_good_photos(geoinv: Callable[..., Done], woman: Path) -> None:
    photo = Image.open(woman)
    Path("in").mkdir()
    photo.convert("L").save("in/grey.png")
    photo.convert("CMYK").save("in/cmyk.jpg")
    photo.convert("RGBA").save("in/rgba.png")
    photo.save("in/animated.gif", save_all=True, append_images=[photo.rotate(90)])
    Image.fromarray(np.asarray(photo.convert("L")).astype(np.uint16) * 257).save("in/deep.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    photo.transpose(Image.Transpose.ROTATE_90).save("in/rotated.jpg", exif=exif, quality=95)
    done = geoinv("align", "in", "--out", "out", "--json")
    assert done.code == 0, done.err
    assert len(done.json["results"]) == 6
    assert max(abs(result["roll_deg"]) for result in done.json["results"]) < 15.0


def test_places_that_cannot_be_written(geoinv: Callable[..., Done], woman: Path) -> None:
    Path("file").write_text("in the way")
    geoinv("invert", woman, "--out", "file/deeper").assert_fails(2, "cannot write")
    if os.geteuid() != 0:
        Path("locked").mkdir(mode=0o500)
        geoinv("invert", woman, "--out", "locked").assert_fails(2, "cannot write")


def test_a_face_that_is_not_there(geoinv: Callable[..., Done], woman: Path) -> None:
    geoinv("align", woman, "--face", "3", "--out", "out").assert_fails(2, "woman.jpg", "no face 3")


def test_cuda_without_cuda(geoinv: Callable[..., Done], woman: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    geoinv("invert", woman, "--device", "cuda").assert_fails(2, "cuda", "--device cpu")
    geoinv("invert", woman, "--device", "tpu").assert_fails(2, "tpu")
    # a folder of photos fails once, not once a photo
    geoinv("invert", EXAMPLES, "--device", "cuda").assert_fails(2, "cuda")


def test_missing_and_damaged_weights(
    geoinv: Callable[..., Done], woman: Path, tiny_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    geoinv("invert", woman, "--model", "maxi").assert_fails(3, "maxi", "mini")
    shutil.copytree(tiny_weights, "damaged")
    path = Path("damaged/mini-generator.safetensors")
    path.write_bytes(path.read_bytes()[:-100])
    monkeypatch.setenv("GEOINV_WEIGHTS", "damaged")
    geoinv("invert", woman).assert_fails(3, "damaged")
    assert listing(Path("outputs")) == []
