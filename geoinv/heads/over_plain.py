"""What heads with details have in common: they stand on a plain head, and give its views more."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Generic, TypeVar

import torch

from ..camera import Camera
from ..conventions import Orbit
from ..models.render_output import RenderOutput
from .head import Head, ViewPair
from .volume import Volume

Plain = TypeVar("Plain", bound=Head)


class OverPlain(ABC, Generic[Plain]):
    """Heads with the details of their photos. Views have no gradients.

    Args:
        plain: The heads by their codes alone, edited or not.
    """

    def __init__(self, plain: Plain) -> None:
        self._plain = plain

    @property
    def plain(self) -> Plain:
        """The heads without details."""
        return self._plain

    @property
    def orbit(self) -> Orbit:
        """The orbit of its cameras."""
        return self.plain.orbit

    @property
    def volume(self) -> Volume:
        """Its box in space, and the density of its surface."""
        return self.plain.volume

    def view(self, camera: Camera) -> RenderOutput:
        """Views with details through V cameras."""
        return self.view_pair(camera).shown

    @torch.no_grad()
    def view_pair(self, camera: Camera) -> ViewPair:
        """Views without and with details."""
        plain = self.plain.view(camera)
        return ViewPair(plain, self.with_details(plain))

    @abstractmethod
    def with_details(self, plain: RenderOutput) -> RenderOutput:
        """The views of :attr:`plain` that are given, with details."""
