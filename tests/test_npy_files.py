"""Arrays of strangers: what is read, and that every kind of damage is a ``ValueError``."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from geoinv.npy_files import load_npy
from tests.fuzz.mutations import mutated


def test_an_array_is_read(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.arange(6.0).reshape(2, 3))
    assert load_npy(tmp_path / "a.npy").tolist() == [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load_npy(tmp_path / "a.npy")


def test_objects_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([{}]), allow_pickle=True)
    with pytest.raises(ValueError, match="allow_pickle"):
        load_npy(tmp_path / "a.npy")


def test_damage_is_a_value_error(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.arange(25.0))
    whole, path = (tmp_path / "a.npy").read_bytes(), tmp_path / "damaged.npy"
    refused = 0
    for case in range(300):
        path.write_bytes(mutated(whole, random.Random(case)))
        try:
            load_npy(path)
        except ValueError:
            refused += 1
    assert refused > 100
