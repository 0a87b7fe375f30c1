"""The .geoinv file: what goes in comes out, and nothing else is taken for one."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load, save

from geoinv.errors import CheckpointError, ShapeError, UsageError
from geoinv.inversion import Inversion
from geoinv.inversion.kept_photos import OtherPhoto, PhotoDetails


def make_inversion(**changes: object) -> Inversion:
    generator = torch.Generator().manual_seed(1)
    values: dict[str, object] = {
        "w_plus": torch.randn(1, 3, 8, generator=generator),
        "camera": torch.tensor([0.1, -0.2, 0.05, 0.01, 0.02, 0.03]),
        "photo": np.random.default_rng(0).integers(0, 256, (512, 512, 3), dtype=np.uint8),
        "crop": np.array([[0.5, 0.1, 3.25], [-0.1, 0.5, 7.0]]),
        "source": "für [x].jpg",
        "source_size": (640, 480),
        "removed_roll_deg": 4.5,
        "generator": "mini",
        "generator_sha256": "ab" * 32,
        "metrics": {"psnr_db": 17.25, "head_share": 0.4},
        "edits": {"smile": 0.5},
        "seed": 3,
    }
    return Inversion(**{**values, **changes})  # type: ignore[arg-type]


def test_round_trip(tmp_path: Path) -> None:
    inversion = make_inversion()
    again = Inversion.load(inversion.save(tmp_path / "deep" / "a.geoinv"))
    assert torch.equal(again.w_plus, inversion.w_plus)
    assert torch.equal(again.camera, inversion.camera)
    assert np.array_equal(again.photo, inversion.photo)
    assert np.array_equal(again.crop, inversion.crop)
    for name in ("source", "source_size", "removed_roll_deg", "generator", "generator_sha256", "metrics", "edits"):
        assert getattr(again, name) == getattr(inversion, name)
    assert (again.seed, again.version) == (3, inversion.version)


def test_padding_is_known_from_the_crop() -> None:
    """A photo of 640 x 480 whose left edge lies at x = 128 of the aligned photo, and which is larger elsewhere."""
    inversion = make_inversion(crop=np.array([[2.0, 0.0, 128.0], [0.0, 2.0, -100.0]]))
    assert not inversion.inside[:, :128].any() and inversion.inside[:, 128:].all()
    assert inversion.outside_fraction == 0.25


def test_other_photos_of_the_person_travel_and_must_be_whole(tmp_path: Path) -> None:
    first = make_inversion()
    others = tuple(
        OtherPhoto(first.w_plus + n, first.camera + n, first.photo, first.crop, f"{n}.jpg", (64, 48)) for n in (1, 2)
    )
    again = Inversion.load(make_inversion(others=others, method="group").save(tmp_path / "a.geoinv"))
    for other, read in zip(others, again.others, strict=True):
        assert torch.equal(other.w_plus, read.w_plus) and torch.equal(other.camera, read.camera)
        assert np.array_equal(other.photo, read.photo) and np.array_equal(other.crop, read.crop)
        assert (other.source, other.source_size, read.details) == (read.source, read.source_size, None)
    assert again.to_bytes() == make_inversion(others=others, method="group").to_bytes()
    tensors, header = _parts(again)
    for name in ("others.crop", "others.w_plus"):
        cut = {**tensors, name: tensors[name][:1]}
        (tmp_path / "b.geoinv").write_bytes(save(cut, metadata={"geoinv": json.dumps(header)}))
        with pytest.raises(CheckpointError, match="damaged"):
            Inversion.load(tmp_path / "b.geoinv")
    (tmp_path / "b.geoinv").write_bytes(
        save({k: v for k, v in tensors.items() if k != "others.camera"}, metadata={"geoinv": json.dumps(header)})
    )
    with pytest.raises(CheckpointError, match="no others.camera"):
        Inversion.load(tmp_path / "b.geoinv")
    details = PhotoDetails(torch.randn(3, 8, 8).half(), torch.full((4, 4), 2.5).half(), torch.rand(3, 4, 4).half())
    with pytest.raises(ShapeError, match="details of one"):
        make_inversion(others=others, details=details)


def _parts(inversion: Inversion) -> tuple[dict[str, torch.Tensor], dict[str, object]]:
    contents = inversion.to_bytes()
    length = int.from_bytes(contents[:8], "little")
    return load(contents), json.loads(json.loads(contents[8 : 8 + length])["__metadata__"]["geoinv"])


def test_details_travel_and_stay_through_edits(tmp_path: Path) -> None:
    details = PhotoDetails(torch.randn(3, 8, 8).half(), torch.full((4, 4), 2.5).half(), torch.rand(3, 4, 4).half())
    again = Inversion.load(make_inversion(details=details).save(tmp_path / "a.geoinv"))
    edited = again.edited(again.w_plus + 1.0, {"smile": 0.25})
    for inversion in (again, edited):
        assert inversion.details is not None
        assert torch.equal(inversion.details.residual, details.residual)
        assert torch.equal(inversion.details.surface, details.surface)
        assert torch.equal(inversion.details.color, details.color)
    with pytest.raises(ShapeError, match="do not fit"):
        PhotoDetails(torch.zeros(3, 8, 8), torch.zeros(8, 8), torch.zeros(3, 4, 4))


def test_what_is_around_the_crop_travels(tmp_path: Path) -> None:
    details = PhotoDetails(torch.randn(3, 8, 8).half(), torch.full((4, 4), 2.5).half(), torch.rand(3, 4, 4).half())
    around = np.random.default_rng(0).integers(0, 256, (384, 384, 3), dtype=np.uint8)
    again = Inversion.load(make_inversion(details=details, around=around).save(tmp_path / "a.geoinv"))
    assert again.around is not None
    np.testing.assert_array_equal(again.around, around)
    assert Inversion.load(make_inversion(details=details).save(tmp_path / "b.geoinv")).around is None
    with pytest.raises(ShapeError, match="around"):
        make_inversion(details=details, around=around[:100])


def test_details_are_whole_or_the_file_is_damaged(tmp_path: Path) -> None:
    details = PhotoDetails(torch.randn(3, 8, 8).half(), torch.full((4, 4), 2.5).half(), torch.rand(3, 4, 4).half())
    data = make_inversion(details=details).to_bytes()
    (tmp_path / "a.geoinv").write_bytes(data.replace(b'"surface":', b'"sarface":'))
    with pytest.raises(CheckpointError, match="no surface"):
        Inversion.load(tmp_path / "a.geoinv")


def test_same_inversion_same_bytes() -> None:
    assert len({make_inversion().to_bytes() for _ in range(5)}) == 1


def test_angles_are_those_of_the_photo() -> None:
    yaw, pitch, roll = make_inversion().angles_deg
    assert yaw == pytest.approx(np.degrees(0.1))
    assert pitch == pytest.approx(np.degrees(-0.2))
    assert roll == pytest.approx(np.degrees(0.05) + 4.5)


def test_edits_add_up() -> None:
    inversion = make_inversion()
    edited = inversion.edited(inversion.w_plus + 1.0, {"smile": 0.25, "age": -1.0})
    assert edited.edits == {"smile": 0.75, "age": -1.0}
    assert inversion.edits == {"smile": 0.5}


def test_rejects_wrong_shapes() -> None:
    with pytest.raises(ShapeError, match="w_plus must be"):
        make_inversion(w_plus=torch.zeros(3, 8))
    with pytest.raises(ShapeError, match="photo must be"):
        make_inversion(photo=np.zeros((256, 256, 3), np.uint8))


@pytest.mark.parametrize("keep", [0.0, 0.001, 0.5, 0.9999])
def test_rejects_cut_files(tmp_path: Path, keep: float) -> None:
    data = make_inversion().to_bytes()
    path = tmp_path / "a.geoinv"
    path.write_bytes(data[: int(keep * len(data))])
    with pytest.raises(CheckpointError, match="cut or damaged"):
        Inversion.load(path)


def test_rejects_files_of_others(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file({"w_plus": torch.zeros(1, 3, 8)}, tmp_path / "other.geoinv")
    with pytest.raises(CheckpointError, match="not a geoinv inversion"):
        Inversion.load(tmp_path / "other.geoinv")
    (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8\xff\xe0 not an inversion at all")
    with pytest.raises(CheckpointError, match="not a geoinv inversion") as caught:
        Inversion.load(tmp_path / "photo.jpg")
    assert "geoinv invert" in str(caught.value.hint)


def test_rejects_numbers_that_are_none(tmp_path: Path) -> None:
    make_inversion(w_plus=torch.full((1, 3, 8), float("nan"))).save(tmp_path / "a.geoinv")
    with pytest.raises(CheckpointError, match="not finite"):
        Inversion.load(tmp_path / "a.geoinv")


def test_rejects_a_later_format(tmp_path: Path) -> None:
    data = make_inversion().to_bytes()
    assert b'\\"format_version\\": 1' in data
    (tmp_path / "a.geoinv").write_bytes(data.replace(b'\\"format_version\\": 1', b'\\"format_version\\": 7'))
    with pytest.raises(CheckpointError, match="format 7"):
        Inversion.load(tmp_path / "a.geoinv")


def test_rejects_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        Inversion.load(tmp_path / "a.geoinv")
    with pytest.raises(UsageError, match="is a folder"):
        Inversion.load(tmp_path)
