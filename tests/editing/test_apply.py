import pytest
import torch

from geoinv.editing import Directions, apply_edits
from geoinv.errors import ShapeError, UsageError

DIRECTIONS = Directions(
    {"smile": torch.full((2, 3), 2.0), "mouth-open": torch.full((2, 3), -1.0)}, {}, generator_sha256=""
)


class TestApplyEdits:
    def test_hand_computed(self):
        w_plus = torch.ones(1, 2, 3)
        edited = apply_edits(w_plus, DIRECTIONS, {"smile": 1.5, "mouth-open": -0.5})
        assert torch.equal(edited, torch.full((1, 2, 3), 1.0 + 3.0 + 0.5))
        assert torch.equal(w_plus, torch.ones(1, 2, 3))

    def test_there_and_back(self):
        w_plus = torch.randn(2, 2, 3, generator=torch.Generator().manual_seed(0))
        there = apply_edits(w_plus, DIRECTIONS, {"smile": 1.0})
        assert torch.allclose(apply_edits(there, DIRECTIONS, {"smile": -1.0}), w_plus, atol=1e-6)

    @pytest.mark.parametrize("name", ["Mouth-Open", "mouth open", " mouth_open"])
    def test_lenient_spelling(self, name):
        assert apply_edits(torch.zeros(1, 2, 3), DIRECTIONS, {name: 1.0})[0, 0, 0] == -1.0

    def test_unknown_names_near_ones(self):
        with pytest.raises(UsageError, match="unknown attribute 'smlie'") as caught:
            apply_edits(torch.zeros(1, 2, 3), DIRECTIONS, {"smlie": 1.0})
        assert "did you mean smile?" in caught.value.hint

    def test_unknown_without_near_ones_lists_all(self):
        with pytest.raises(UsageError) as caught:
            apply_edits(torch.zeros(1, 2, 3), DIRECTIONS, {"zzz": 1.0})
        assert "mouth-open, smile" in caught.value.hint

    def test_rejects_nan(self):
        with pytest.raises(UsageError, match="finite"):
            apply_edits(torch.zeros(1, 2, 3), DIRECTIONS, {"smile": float("nan")})

    def test_rejects_shape(self):
        with pytest.raises(ShapeError, match=r"\[B, 2, 3\]"):
            apply_edits(torch.zeros(1, 5, 3), DIRECTIONS, {"smile": 1.0})
