"""The noun of this program: a head that can be looked at. Whatever family of generators made it, and whether it shows a
photo's details, is its own affair: everything above this package asks for views and for density and colour at points.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from ..camera import Camera
from ..conventions import Orbit
from ..models.render_output import RenderOutput
from .volume import Volume


class ViewPair(NamedTuple):
    """Views of a head without and with details.

    Args:
        plain: Views without details.
        shown: Views as the head is shown: with its photo's details where it has them, else ``plain`` itself.
    """

    plain: RenderOutput
    shown: RenderOutput


class Head(Protocol):
    """One head or a batch of B heads; what belongs to the head and not to a view was computed when it was made."""

    @property
    def orbit(self) -> Orbit:
        """The orbit of its cameras; ``pose.camera(head.orbit)`` makes a camera."""

    @property
    def volume(self) -> Volume:
        """Its box in space, and the density of its surface."""

    @property
    def plain(self) -> Head:
        """The head without its photo's details; itself where it has none."""

    def view(self, camera: Camera) -> RenderOutput:
        """Views through V cameras: V = B, or any V of one head."""

    def view_pair(self, camera: Camera) -> ViewPair:
        """Views without and with details, at the price of :meth:`view` alone."""

    def query(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Density per world unit [B, N] and RGB in [0, 1] [B, N, 3] at world points [B, N, 3]."""


def each_view(head: Head, camera: Camera) -> Iterator[RenderOutput]:
    """One view after another, without gradients, so that memory holds one picture."""
    for single in camera:
        with torch.no_grad():
            view = head.view(single)
        yield view


def view_pairs(head: Head, camera: Camera) -> Iterator[ViewPair]:
    """One view after another without and with details, without gradients."""
    for single in camera:
        with torch.no_grad():
            pair = head.view_pair(single)
        yield pair
