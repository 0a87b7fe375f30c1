"""Values that weights start from."""

from __future__ import annotations

import torch
from torch import Tensor


def normal_values(*shape: int, std: float = 1.0) -> Tensor:
    """Normal values of mean 0; without values on the meta device, where the weights of a file take their place.

    PyTorch imports its compiler, which takes two seconds, when random numbers are drawn or divided on that device.
    """
    values = torch.empty(shape)
    return values if values.is_meta else values.normal_(std=std)
