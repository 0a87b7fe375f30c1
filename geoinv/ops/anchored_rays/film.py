"""Points under films, fused where no gradient is asked for."""

from __future__ import annotations

import torch
from torch import Tensor

from ...errors import ShapeError
from .._gradients import needs_gradient
from ..render_rays import DecoderWeights
from .march import kernel_head, kernel_settings
from .points import is_native, read_points
from .reference import AnchoredHeads, CanonicalSpace, film_change


def change_by_film(
    heads: AnchoredHeads, points: Tensor, decoder: DecoderWeights, space: CanonicalSpace, film: Tensor
) -> Tensor:
    """By how much a film [B, N, 2 H] changes the features [B, N, 7] at world points [B, N, 3]; what is read of the
    points, and their hidden units, serve both sides of the difference.

    Raises:
        ShapeError: Points or film of another shape or number of heads.

    Differentiability: native without gradients; any order through the reference.
    """
    count, hidden = points.shape[1] if points.ndim == 3 else -1, heads.hidden_bias.shape[1]
    if points.shape != (len(heads.planes), count, 3) or film.shape != (len(heads.planes), count, 2 * hidden):
        shapes = f"[{len(heads.planes)}, N, 3] and film of {2 * hidden} numbers each"
        raise ShapeError(f"points must be {shapes}, got {list(points.shape)} and {list(film.shape)}")
    head = kernel_head(heads, decoder)
    if needs_gradient(*head, points, film) or not is_native(*head, points, film):
        return film_change(*read_points(heads, points, space), heads.hidden_bias, decoder, space, film)
    settings = kernel_settings(heads.volumes.face_box, space)
    change: Tensor = torch.ops.geoinv.anchored_film_change(*head, settings, points.contiguous(), film)
    return change
