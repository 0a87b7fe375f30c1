"""Ways from a photo to a head that are measured against each other: what the tables of ``geoinv eval`` compare.

A way is a name and one function. What it returns is seen through any camera, so that a variant with details of its own
beside ``w_plus`` is measured exactly as the plain encoder is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor

from ..camera import CameraPose
from ..images.tensors import at_side

if TYPE_CHECKING:
    from torch import nn

    from ..models.details import Alignment, LocalBranch
    from ..models.generator import RenderOutput, TriPlaneGenerator


@dataclass(frozen=True)
class Reconstruction:
    """A head made of one photo.

    Args:
        camera: The camera that the photo was told to have, batch size 1.
        view: cam2world [1, 4, 4] -> the head through that camera.
    """

    camera: CameraPose
    view: Callable[[Tensor], RenderOutput]


Invert = Callable[[Tensor, "TriPlaneGenerator"], Reconstruction]
"""Photo [1, 3, 256, 256] in [-1, 1] on the generator's device, and the generator -> the head, ready to be seen."""


@dataclass(frozen=True)
class Variant:
    """A row of a comparison.

    Args:
        name: As the row is headed.
        invert: From photo to head; its time is what a row tells as the time of an inversion.
    """

    name: str
    invert: Invert


def plain_head(
    generator: TriPlaneGenerator,
    w_plus: Tensor,  # [1, num_ws, w_dim]
    camera: CameraPose,
) -> Reconstruction:
    """A head that its code alone describes; planes are made once for all views."""
    planes = generator.planes(w_plus)
    return Reconstruction(camera, lambda cam2world: generator.render(planes, cam2world, w_plus=w_plus))


def encoded_by(encoder: nn.Module) -> Invert:
    """E0 alone: one pass of an encoder whose result has ``w_plus`` and ``camera``."""

    def invert(photo: Tensor, generator: TriPlaneGenerator) -> Reconstruction:
        estimate = encoder(photo)
        return plain_head(generator, estimate.w_plus, estimate.camera)

    return invert


def detailed_by(encoder: nn.Module, branch: LocalBranch, alignment: Alignment = "hybrid") -> Invert:
    """E0, and details of the photo by a local branch; ``alignment`` is how they are brought to other views."""
    from ..inversion.encode import person_in
    from ..models.details import SourceView, render_with_details

    def invert(photo: Tensor, generator: TriPlaneGenerator) -> Reconstruction:
        estimate = encoder(photo)
        planes = generator.planes(estimate.w_plus)
        cam2world = estimate.camera.cam2world(generator.config.orbit)
        plain = generator.render(planes, cam2world, w_plus=estimate.w_plus)
        picture = at_side((photo + 1.0) / 2.0, plain.color.shape[-1])
        source = SourceView.of(picture, person_in(picture, plain), plain, cam2world)
        features = None if alignment == "2d" else branch.source_features(source)

        def view(query: Tensor) -> RenderOutput:
            return render_with_details(
                generator, branch, planes, source, query, source_features=features, alignment=alignment
            )

        return Reconstruction(estimate.camera, view)

    return invert
