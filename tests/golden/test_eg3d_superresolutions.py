"""The super-resolutions that the first golden file lacks, and white backgrounds, against EG3D's official code."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from geoinv.models.superresolution import HYBRIDS, HybridSuperresolution

GOLDEN = np.load(Path(__file__).parent / "eg3d_superresolutions.npz")


def wave(shape: tuple[int, ...], number: int) -> Tensor:
    """The same numbers on every machine, for weights and inputs."""
    count = int(np.prod(shape)) if shape else 1
    values = np.sin(np.arange(count, dtype=np.float64) * (1.0 + 0.37 * number) + number)
    return torch.from_numpy(values.astype(np.float32).reshape(shape))


@pytest.mark.parametrize(
    ("name", "rays"), [("hybrid2x", 32), ("hybrid4x", 64), pytest.param("hybrid8x", 32, marks=pytest.mark.slow)]
)
def test_superresolution(name: str, rays: int) -> None:
    module = HybridSuperresolution(HYBRIDS[name], 32, 512).eval()
    state = module.state_dict()
    module.load_state_dict({key: wave(tuple(state[key].shape), i) for i, key in enumerate(sorted(state))})
    features, codes = wave((1, 32, rays, rays), 3), wave((1, 14, 512), 5)
    with torch.no_grad():
        image = module(features[:, :3], features, codes[:, -1])
    theirs = torch.from_numpy(GOLDEN[name])
    step = HYBRIDS[name].output_side // 32
    ours = image[..., ::step, ::step]
    assert ((ours - theirs).norm() / theirs.norm()).item() < 1e-5
    assert torch.allclose(image.mean(dim=(2, 3)), torch.from_numpy(GOLDEN[f"{name}_mean"]), atol=1e-5)


def composited(colors: Tensor, raw: Tensor, depths: Tensor) -> tuple[Tensor, Tensor]:
    """[..., S, F], [..., S], [..., S] -> features [..., F] and alpha [...], by our generator's own compositing."""
    from geoinv.ops.render_rays import volume

    features, alpha, _ = volume.composite(volume.sample_weights(raw, depths), colors, depths)
    return features, alpha


def test_white_background_is_added_to_every_feature() -> None:
    colors, raw = wave((1, 5, 6, 32), 1) * 0.5 + 0.5, wave((1, 5, 6, 1), 2).squeeze(-1) * 3.0
    depths = (wave((1, 5, 6, 1), 4) + 1.5).squeeze(-1).sort(dim=-1).values
    features, alpha = composited(colors, raw, depths)
    assert torch.allclose(alpha[..., None], torch.from_numpy(GOLDEN["white_weights"]), atol=1e-6)
    white = (features + (1.0 - alpha[..., None])) * 2.0 - 1.0
    assert torch.allclose(white, torch.from_numpy(GOLDEN["white_features"]), atol=1e-5)
