"""Metrics on photos, where no truth but the photo is known: fit, identity from the side, and whether edits show."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..align.hull import landmark_hull
from ..camera import Camera, CameraPose
from ..camera.orbits import turned
from ..conventions import Orbit
from ..errors import MissingDirectionsError, PhotoError
from ..faces.expression import happiness
from ..faces.identity import identity_descriptor
from ..heads import each_view
from ..images import list_images, read_image
from ..images.tensors import at_side, photo_tensor
from ..inversion.optimise.perceptual import load_lpips
from ..metrics.image import psnr_db, ssim
from ..notices import notify
from ..progress import OnCount
from .held_out import SIDE
from .means import Means, Metrics

if TYPE_CHECKING:
    from ..align import AlignedFace
    from ..inversion import Inversion
    from ..models.render_output import RenderOutput
    from ..session import Session

IDENTITY_YAW_RAD = math.radians(25.0)
SMILE = "smile"
SMILE_GAIN = 0.3
"""A smile edit shows where P(happy) rises by at least this."""
NEUTRAL = 0.5
"""Gains of a smile edit are measured on photos up to this P(happy): whoever laughs already has little to gain."""

_NAMES = (
    *("input_psnr_db", "ssim_input", "mae_whole", "lpips_whole", "identity_input", "identity_novel"),
    *("smile_gain", "smile_gain_share", "identity_smile"),
)


def evaluate_photos(
    session: Session,
    photos: Path | Sequence[Path],
    *,
    method: str | None = None,
    on_photo: OnCount | None = None,
    on_skip: Callable[[Path, PhotoError], None] | None = None,
) -> Metrics:
    """Metrics over a folder of photos, each inverted anew.

    Args:
        session: The models to measure.
        photos: Folder of photos, or paths of photos.
        method: Method of inversion, as in :meth:`geoinv.Session.invert`.
        on_photo: Function that is called with the number of photos done.
        on_skip: Function that is called with each photo that cannot be used, and why.

    Returns:
        ``photos`` and ``skipped``; ``input_psnr_db`` and ``ssim_input`` over the face (the hull of its landmarks);
        ``mae_whole`` and ``lpips_whole`` over the whole aligned picture at 256 px, as papers state them: see
        :func:`whole_picture_metrics`;
        ``identity_input`` and ``identity_novel``, distances of the photo to the reconstruction in its own view and in
        views turned by 25 degrees to each side; ``neutral``, the number of photos whose P(happy) is at most 0.5, and
        of these ``smile_gain`` and ``smile_gain_share``, what a smile edit adds to P(happy) and the fraction of photos
        where that is at least 0.3; ``identity_smile``, the distance of all heads before and after that edit in the
        photo's view (None without such a direction).

    Raises:
        PhotoError: No photo could be used.
    """
    paths = list_images(photos) if isinstance(photos, Path) else list(photos)
    means, skipped = Means(), 0
    has_smile = _has_smile(session)
    for index, path in enumerate(paths):
        try:
            _measure(means, session, session.align(read_image(path)), has_smile, method)
        except PhotoError as error:
            skipped += 1
            if on_skip is not None:
                on_skip(path, error)
        if on_photo is not None:
            on_photo(index + 1)
    if skipped == len(paths):
        raise PhotoError(f"none of the {len(paths)} photos could be used", "each needs a face that can be found")
    neutral = len(means.values.get("smile_gain", [])) if has_smile else None
    metrics = {name: means.mean(name) for name in _NAMES}
    return {"photos": len(paths) - skipped, "skipped": skipped, "neutral": neutral, **metrics}


@torch.no_grad()
def _measure(means: Means, session: Session, face: AlignedFace, has_smile: bool, method: str | None) -> None:
    made = session.inverted(face, method=method)
    inversion = made.inversion
    small_photo, image = at_side(photo_tensor(face.image), SIDE), _picture(made.views.shown)
    mask = at_side(torch.from_numpy(face_hull(face))[None, None].float(), SIDE) > 0.5
    means.add("input_psnr_db", psnr_db(image, small_photo, mask))
    means.add("ssim_input", ssim(image, small_photo, mask))
    for name, value in whole_picture_metrics(_before_photo(made.views.shown, small_photo), small_photo).items():
        means.add(name, value)
    descriptor, shown = identity_descriptor(small_photo), identity_descriptor(image)
    means.add("identity_input", (shown - descriptor).norm(dim=1))
    novel = torch.cat([_picture(view) for view in each_view(made.head, _side_cameras(inversion, made.head.orbit))])
    means.add("identity_novel", (identity_descriptor(novel) - descriptor).norm(dim=1))
    if has_smile:
        edited = session.edit(inversion, {SMILE: 1.0})
        smiling = _picture(session.render(edited))
        if happiness(small_photo) <= NEUTRAL:
            gain = happiness(smiling) - happiness(image)
            means.add("smile_gain", gain)
            means.add("smile_gain_share", (gain >= SMILE_GAIN).float())
        means.add("identity_smile", (identity_descriptor(smiling) - shown).norm(dim=1))


def whole_picture_metrics(image: Tensor, photo: Tensor) -> dict[str, Tensor]:
    """What papers on the inversion of GANs state of whole pictures, so that tables can be set beside theirs.

    Args:
        image: [1, 3, 256, 256] in [0, 1], the reconstruction.
        photo: [1, 3, 256, 256] in [0, 1].

    Returns:
        ``mae_whole``: mean absolute difference of colours in [-1, 1], twice that of colours in [0, 1]; ``lpips_whole``:
        LPIPS with AlexNet, where that package is installed and has its weights.
    """
    metrics = {"mae_whole": 2.0 * (image - photo).abs().mean()[None]}
    lpips = load_lpips("cpu")
    return metrics if lpips is None else {**metrics, "lpips_whole": lpips(image, photo)[None]}


def _before_photo(render: RenderOutput, photo: Tensor) -> Tensor:
    """[1, 3, 256, 256] in [0, 1]: a head without a background of its own stands before the photo's, which so counts as
    hit."""
    view = render.cpu()
    return at_side(view.over(at_side(photo, view.color.shape[-1])), SIDE)


def _has_smile(session: Session) -> bool:
    """Whether the model can make heads smile. If not, a notice says that smiles are not measured."""
    try:
        if SMILE in session.directions.vectors:
            return True
        reason = f"the model has no direction {SMILE!r}"
    except MissingDirectionsError as error:
        reason = error.message
    notify(f"smiles are not measured: {reason}")
    return False


def _side_cameras(inversion: Inversion, orbit: Orbit) -> Camera:
    """Two cameras: the photo's, turned by 25 degrees to each side."""
    vectors = [turned(inversion.pose, yaw).as_vector() for yaw in (-IDENTITY_YAW_RAD, IDENTITY_YAW_RAD)]
    return CameraPose.from_vector(torch.cat(vectors)).camera(orbit)


def _picture(render: RenderOutput) -> Tensor:
    """[B, 3, 256, 256] in [0, 1] over mid-grey."""
    return at_side(render.cpu().over_grey(), SIDE)


def face_hull(face: AlignedFace) -> NDArray[np.uint8]:
    """[512, 512], 1 inside the convex hull of the landmarks: the face without hair, ears and background, as far as the
    photo shows it."""
    return landmark_hull(face.landmarks, face.image.shape[:2]) * face.inside.astype(np.uint8)
