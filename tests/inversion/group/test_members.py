"""Who is in a person's photos."""

from __future__ import annotations

import torch

from geoinv.inversion.group import Members, same_person


def at(*places: float) -> torch.Tensor:
    """Descriptors on a line."""
    descriptors = torch.zeros(len(places), 128)
    descriptors[:, 0] = torch.tensor(places)
    return descriptors


def from_front(*places: float) -> Members:
    return same_person(at(*places), torch.zeros(len(places)))


def test_someone_else_is_left_out() -> None:
    members = from_front(0.0, 0.3, 1.2, 0.4)
    assert members.kept == (0, 1, 3)
    assert members.left_out == (2,)


def test_the_middle_of_the_most_decides_not_the_first() -> None:
    members = from_front(5.0, 0.0, 0.5, 1.0)
    assert members.kept == (1, 2, 3)
    assert members.left_out == (0,)
    assert [round(distance, 3) for distance in members.distances] == [4.5, 0.5, 0.0, 0.5]


def test_of_two_persons_the_first_named_stays() -> None:
    assert from_front(0.0, 0.7).kept == (0,)
    assert from_front(0.0, 0.1, 2.0, 2.1).kept == (0, 1)


def test_one_photo_is_its_own_person() -> None:
    assert from_front(0.0).kept == (0,)


def test_front_and_profile_may_lie_farther_apart() -> None:
    """A face network knows a person less surely from another side, so only photos from one side are held to 0.6."""
    assert same_person(at(0.0, 0.65, 0.67), torch.tensor([0.0, -62.0, 60.0])).kept == (0, 1, 2)
    assert same_person(at(0.0, 0.65), torch.tensor([0.0, 20.0])).kept == (0,), "20 degrees are no other side"
    assert same_person(at(0.0, 0.8), torch.tensor([0.0, 62.0])).kept == (0,), "someone else's profile"
