"""The photo as a camera's view: its pixels, and where they show the person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from ...align.crop import crop_with_soft_border, in_wider_picture, inside_photo
from ...align.person import person_mask
from ...camera import Camera
from ...conventions import CROP_SIZE
from .picture_source import PictureSource

if TYPE_CHECKING:
    from ...inversion import Inversion
    from ..template import FittedTemplate

_WIDER = 0.65  # zoom of the view of a whole photo: neck and shoulders lie below the crop
_OUTLINE = 4  # pixels of 512 that the person's outline is moved inwards: the mask is coarse and hair is fine


@dataclass(frozen=True, eq=False)
class PhotoView:
    """A picture that a camera took of the head.

    Args:
        camera: The camera, of one view.
        source: The picture's pixels in its view.
        shows_person: [S, S] where the view surely shows the person, and nothing beside.
    """

    camera: Camera
    source: PictureSource
    shows_person: NDArray[np.bool_]


def view_of_photo(inversion: Inversion, template: FittedTemplate, photo: NDArray[np.uint8] | None) -> PhotoView:
    """The view of an inversion's photo: of the whole photo where it is given, else of the crop that is kept.

    For an edited head, which no photo shows, its own picture is taken.

    Args:
        inversion: Result of inverting a photo.
        template: Mesh fitted to it.
        photo: [H, W, 3] the photo as it was read, or None.

    Raises:
        ShapeError: The photo is no RGB uint8.
        UsageError: The photo is not of the size of the one that was inverted.
    """
    camera, edited = template.camera, template.edited
    if edited is not None:
        return PhotoView(camera, PictureSource.of_square(edited.picture), _moved_inwards(edited.is_solid))
    if photo is None:
        return PhotoView(camera, PictureSource.of_square(inversion.photo), _person_in_crop(inversion))
    placed = in_wider_picture(inversion.crop, _WIDER, CROP_SIZE)
    source = PictureSource.of_photo(photo, placed, CROP_SIZE, inversion.source_size)
    person = person_mask(crop_with_soft_border(photo, placed, CROP_SIZE))
    shown = person & inside_photo(placed, inversion.source_size, CROP_SIZE)
    return PhotoView(camera.zoomed(_WIDER), source, _moved_inwards(shown))


def _person_in_crop(inversion: Inversion) -> NDArray[np.bool_]:
    """[S, S] where the aligned photo surely shows the person."""
    return _moved_inwards(person_mask(inversion.photo) & inversion.inside)


def _moved_inwards(shown: NDArray[np.bool_]) -> NDArray[np.bool_]:
    radius = max(1, round(_OUTLINE * shown.shape[0] / CROP_SIZE))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    return np.asarray(cv2.erode(shown.astype(np.uint8), kernel, borderValue=1) > 0)
