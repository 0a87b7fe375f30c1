"""Likeness as networks see it: the identity descriptor that ships, and LPIPS where that package is installed.

LPIPS (Zhang et al., CVPR 2018) brings its own weights of AlexNet; without the package, or without those weights and a
network to fetch them, the identity descriptor alone is used.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from torch import Tensor
from torch.nn import functional

from ...faces.identity import identity_descriptor
from ...faces.networks import FACE_BOX
from ...notices import notify

Distance = Callable[[Tensor, Tensor], Tensor]
"""Two pictures [1, 3, H, W] in [0, 1] of aligned crops -> a scalar."""

_LPIPS_WEIGHT = 0.5


def perceptual_distance(image: Tensor, photo: Tensor) -> Tensor:
    """Squared distance of identity descriptors, plus half the LPIPS distance of the faces where there is LPIPS."""
    device_weights = _weights_on(str(image.device))
    own, others = (identity_descriptor(picture, device_weights) for picture in (image, photo))
    distance = (own - others).square().sum()
    lpips = load_lpips(str(image.device))
    _say_what_compares(str(image.device), has_lpips=lpips is not None)
    return distance if lpips is None else distance + _LPIPS_WEIGHT * lpips(_face(image), _face(photo))


@cache
def _weights_on(device: str) -> dict[str, Tensor]:
    from ...faces.networks import load_face_weights

    return {name: weight.to(device) for name, weight in load_face_weights("identity").items()}


@cache
def load_lpips(device: str) -> Distance | None:
    """The LPIPS distance, or None where the package is not installed or does not work."""
    try:
        import lpips  # optional

        network = lpips.LPIPS(net="alex", verbose=False).to(device).eval().requires_grad_(False)
    except ModuleNotFoundError as error:
        if error.name != "lpips":
            _failures[device] = str(error)
        return None
    except (ImportError, OSError, RuntimeError) as error:  # no network for AlexNet; a torchvision of another torch
        _failures[device] = str(error)
        return None
    return lambda image, photo: network(image * 2.0 - 1.0, photo * 2.0 - 1.0).mean()


_failures: dict[str, str] = {}  # device -> why the LPIPS that is installed does not work on it


def _say_what_compares(device: str, *, has_lpips: bool) -> None:
    """Give a notice where faces are compared otherwise than by the identity descriptor that ships, or should be."""
    if has_lpips:
        notify("optimisation compares faces by LPIPS too, because it is installed: other results than without it")
    elif reason := _failures.get(device):
        cause = reason.strip().splitlines()[0] if reason.strip() else "no reason given"
        notify(f"optimisation compares faces by identity alone: lpips is installed and does not work: {cause}")


def _face(image: Tensor) -> Tensor:
    """The square of the face at a size that AlexNet's strides leave something of."""
    left, top, side = FACE_BOX
    height, width = image.shape[-2:]
    rows = slice(round(top * height), round((top + side) * height))
    columns = slice(round(left * width), round((left + side) * width))
    return functional.interpolate(image[:, :, rows, columns], (150, 150), mode="bilinear")
