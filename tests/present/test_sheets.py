import numpy as np
import pytest

from geoinv.errors import UsageError
from geoinv.present.sheets import LABEL_HEIGHT, grid, labelled, row, stack


def flat(value: int, side: int = 10) -> np.ndarray:
    return np.full((side, side, 3), value, dtype=np.uint8)


class TestGrid:
    def test_hand_computed(self):
        sheet = grid([flat(10), flat(20), flat(30)], columns=2, gap=2)
        assert sheet.shape == (22, 22, 3)
        assert sheet[0, 0, 0] == 10 and sheet[0, 12, 0] == 20 and sheet[12, 0, 0] == 30
        assert sheet[0, 10, 0] == 255 and sheet[12, 12, 0] == 255

    def test_sizes_follow_the_first(self):
        assert row([flat(10), flat(20, side=7), flat(20, side=40)], gap=0).shape == (10, 30, 3)

    def test_labels(self):
        sheet = row([flat(10, side=60), flat(20, side=60)], labels=["photo", "depth"])
        assert sheet.shape == (60 + LABEL_HEIGHT, 124, 3)
        assert sheet[62:, :60].min() < 128  # there is ink

    @pytest.mark.parametrize(
        ("pictures", "columns", "labels"), [([], 1, None), ([flat(1)], 0, None), ([flat(1)], 1, ["a", "b"])]
    )
    def test_rejects(self, pictures, columns, labels):
        with pytest.raises(UsageError):
            grid(pictures, columns=columns, labels=labels)


def test_stack_fills_narrow_rows():
    sheet = stack([flat(10), grid([flat(20), flat(30)], columns=2, gap=0)], gap=3)
    assert sheet.shape == (23, 20, 3)
    assert sheet[0, 15, 0] == 255 and sheet[13, 15, 0] == 30


def test_labelled_keeps_the_picture():
    assert (labelled(flat(10), "x")[:10] == 10).all()
