import pytest
import torch

from geoinv.editing import Directions, directions_path, load_directions, save_directions
from geoinv.errors import CheckpointError, MissingDirectionsError

DIRECTIONS = Directions({"smile": torch.ones(3, 4), "age": torch.zeros(3, 4)}, {"smile": "a smile"}, "ab" * 32)


class TestLoadDirections:
    def test_round_trip(self, tmp_path):
        save_directions(directions_path(tmp_path / "toy.safetensors"), DIRECTIONS)
        back = load_directions(tmp_path / "toy.safetensors", generator_sha256="ab" * 32)
        assert back.names == ("age", "smile")
        assert torch.equal(back.vectors["smile"], torch.ones(3, 4))
        assert back.descriptions == {"smile": "a smile"}

    def test_same_bytes(self, tmp_path):
        save_directions(tmp_path / "a", DIRECTIONS)
        save_directions(tmp_path / "b", DIRECTIONS)
        assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()

    def test_rejects_missing(self, tmp_path):
        with pytest.raises(MissingDirectionsError, match="is missing"):
            load_directions(tmp_path / "toy.safetensors")

    def test_rejects_another_generator(self, tmp_path):
        save_directions(directions_path(tmp_path / "toy.safetensors"), DIRECTIONS)
        with pytest.raises(MissingDirectionsError, match="another generator"):
            load_directions(tmp_path / "toy.safetensors", generator_sha256="cd" * 32)

    def test_rejects_cut_file(self, tmp_path):
        path = tmp_path / "toy-directions.safetensors"
        save_directions(path, DIRECTIONS)
        path.write_bytes(path.read_bytes()[:-20])
        with pytest.raises(CheckpointError, match="is damaged"):
            load_directions(tmp_path / "toy.safetensors")

    def test_rejects_another_kind_of_file(self, tmp_path):
        from safetensors.torch import save_file

        save_file({"a": torch.zeros(2)}, tmp_path / "toy-directions.safetensors")
        with pytest.raises(CheckpointError, match="not a file of edit directions"):
            load_directions(tmp_path / "toy.safetensors")


def test_path_beside_the_generator(tmp_path):
    assert directions_path(tmp_path / "mine-generator.safetensors") == tmp_path / "mine-directions.safetensors"


def test_rejects_mixed_shapes():
    with pytest.raises(ValueError, match="have one shape"):
        Directions({"a": torch.zeros(3, 4), "b": torch.zeros(2, 4)}, {}, "")
