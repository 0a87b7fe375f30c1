"""EG3D's super-resolution: several views in one call, and either backend."""

from __future__ import annotations

import torch

from geoinv.models.superresolution import HYBRIDS, HybridSuperresolution
from geoinv.ops._build import use_backend


@torch.no_grad()
def test_views_in_one_call_equal_single_ones_and_the_reference() -> None:
    torch.manual_seed(0)
    module = HybridSuperresolution(HYBRIDS["hybrid8xdc"], 32, 16).eval()
    image, features, w = torch.randn(2, 3, 128, 128), torch.randn(2, 32, 128, 128), torch.randn(1, 16).expand(2, -1)
    together = module(image, features, w)
    assert together.shape == (2, 3, 512, 512)
    assert torch.equal(together[1:], module(image[1:], features[1:], w[1:]))
    with use_backend("reference"):
        expected = module(image[:1], features[:1], w[:1])
    assert ((together[:1] - expected).norm() / expected.norm()).item() < 3e-6
