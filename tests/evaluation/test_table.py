import torch

from geoinv.evaluation.means import Means
from geoinv.evaluation.table import rounded, table_rows


def test_means_leave_out_nan():
    means = Means()
    means.add("a", torch.tensor([1.0, float("nan")]))
    means.add("a", torch.tensor(3.0))
    means.add("b", torch.tensor([float("nan")]))
    assert means.mean("a") == 2.0 and means.mean("b") is None and means.mean("c") is None


def test_table_rows():
    rows = table_rows({"input_psnr_db": 17.504, "heads": 48, "camera_deg": None, "unknown": 1.0})
    assert rows == [("held-out heads", "48"), ("input view, PSNR (dB)", "17.50"), ("camera error (degrees)", "-")]


def test_rounded():
    assert rounded({"a": 1.23456, "b": 3, "c": None}) == {"a": 1.2346, "b": 3, "c": None}
