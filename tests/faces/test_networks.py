"""Numbers under "golden" were computed with face-api's layers as published, from its unconverted files."""

import json

import pytest
import torch
from safetensors.torch import save_file

from geoinv.errors import CheckpointError
from geoinv.faces.expression import apparent_age_and_gender, expression_probabilities, happiness
from geoinv.faces.identity import identity_descriptor, identity_distance
from geoinv.faces.networks import FACE_BOX, face_crops, read_face_weights


def pattern() -> torch.Tensor:
    y, x = torch.meshgrid(torch.arange(512.0), torch.arange(512.0), indexing="ij")
    return torch.stack([0.5 + 0.4 * torch.sin(x / 40.0) * torch.cos(y / 60.0), x / 511.0, y / 511.0])[None]


class TestFaceCrops:
    def test_hand_computed(self):
        left, top, side = FACE_BOX
        crops = face_crops(pattern(), 64)
        assert crops.shape == (1, 3, 64, 64)
        expected = torch.tensor([left + side / 2.0, top + side / 2.0]) - torch.tensor([117.001, 104.298]) / 255.0
        assert crops[0, 1:].mean(dim=(1, 2)) == pytest.approx(expected, abs=0.003)

    def test_size_of_the_image_does_not_matter(self):
        small = torch.nn.functional.interpolate(pattern(), (256, 256), mode="area")
        assert torch.allclose(face_crops(small, 112), face_crops(pattern(), 112), atol=0.02)


class TestGolden:
    def test_identity(self):
        expected = [-0.030235, 0.097527, 0.069707, -0.016977, -0.078695, -0.025324]
        descriptor = identity_descriptor(pattern())
        assert descriptor.shape == (1, 128)
        assert descriptor[0, :6] == pytest.approx(expected, abs=1e-4)

    def test_expression(self):
        expected = [0.696809, 0.016298, 0.025650, 0.207026, 0.000555, 0.007119, 0.046543]
        assert expression_probabilities(pattern())[0] == pytest.approx(expected, abs=1e-4)
        assert happiness(pattern()).item() == pytest.approx(expected[1], abs=1e-4)

    def test_age_and_gender(self):
        age, male = apparent_age_and_gender(pattern())
        assert age.item() == pytest.approx(7.4194, abs=1e-2)
        assert male.item() == pytest.approx(0.86865, abs=1e-4)


class TestIdentityDistance:
    def test_zero_for_the_same(self):
        assert identity_distance(pattern(), pattern()).item() == 0.0

    def test_differentiable(self):
        image = pattern().requires_grad_()
        identity_distance(image, 1.0 - pattern()).sum().backward()
        assert image.grad is not None and float(image.grad.abs().sum()) > 0.0

    def test_photo_against_others(self):
        """One photo, blurred, darkened and moved, stays nearer than other people's."""
        from geoinv.align import FaceAligner
        from geoinv.images import read_image
        from tests.examples_folder import EXAMPLES

        aligner = FaceAligner()
        crops = [aligner.align(read_image(path)).image for path in EXAMPLES[:3]]
        images = torch.stack([torch.from_numpy(crop).permute(2, 0, 1).float() / 255.0 for crop in crops])
        small = torch.nn.functional.interpolate(images, (128, 128), mode="area")
        changed = torch.roll(torch.nn.functional.interpolate(small, (512, 512), mode="bilinear") * 0.9, (8, -6), (2, 3))
        distances = torch.cdist(identity_descriptor(images), identity_descriptor(changed))
        assert distances.diagonal().max() < 0.4
        assert distances[~torch.eye(3, dtype=torch.bool)].min() > 0.6


def test_rejects_damaged_weights(tmp_path):
    path = tmp_path / "identity.safetensors"
    path.write_bytes(b"no weights")
    with pytest.raises(CheckpointError, match="cannot read the face network"):
        read_face_weights(path)


def test_a_file_without_a_layer_is_named(tmp_path):
    path = tmp_path / "expression.safetensors"
    name = "dense0/conv0/bias"
    save_file({name: torch.zeros(4, dtype=torch.uint8)}, path, metadata={"ranges": json.dumps({name: [1.0, 0.0]})})
    with pytest.raises(CheckpointError, match=r"the face network .*expression.safetensors lacks dense0"):
        happiness(pattern(), read_face_weights(path))
