"""Who is in a person's photos."""

from __future__ import annotations

import torch

from geoinv.inversion.group import same_person


def at(*places: float) -> torch.Tensor:
    """Descriptors on a line."""
    descriptors = torch.zeros(len(places), 128)
    descriptors[:, 0] = torch.tensor(places)
    return descriptors


def test_someone_else_is_left_out() -> None:
    members = same_person(at(0.0, 0.3, 1.2, 0.4))
    assert members.kept == (0, 1, 3)
    assert members.left_out == (2,)


def test_the_middle_of_the_most_decides_not_the_first() -> None:
    members = same_person(at(5.0, 0.0, 0.5, 1.0))
    assert members.kept == (1, 2, 3)
    assert members.left_out == (0,)
    assert [round(distance, 3) for distance in members.distances] == [4.5, 0.5, 0.0, 0.5]


def test_of_two_persons_the_first_named_stays() -> None:
    assert same_person(at(0.0, 0.7)).kept == (0,)
    assert same_person(at(0.0, 0.1, 2.0, 2.1)).kept == (0, 1)


def test_one_photo_is_its_own_person() -> None:
    assert same_person(at(0.0)).kept == (0,)
