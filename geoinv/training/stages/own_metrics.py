"""Metrics of an encoder on samples of its generator that no training drew."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ...camera import Camera
from ...heads import PlainHead
from ...images.tensors import GREY, at_side
from ...inversion.reconstruct import reconstruct
from ...metrics.camera import rotation_angle_deg
from ...metrics.geometry import units_to_mm
from ...metrics.image import psnr_db
from ...models.encoder import GlobalEncoder
from ...models.generator import TriPlaneGenerator
from ..data.held_out_views import save_comparison
from ..data.own_samples import OwnSamples
from ..data.photo_augment import random_background

_SHEET_SIDE = 128


@torch.no_grad()
def validate_on_samples(
    encoder: GlobalEncoder, generator: TriPlaneGenerator, samples: OwnSamples, sheet: Path
) -> dict[str, float]:
    """Metrics on own samples, and a sheet of photos above results.

    Args:
        encoder: The network that is measured.
        generator: Generator of samples and codes.
        samples: Held-out samples.
        sheet: File of the sheet.

    Returns:
        ``heldout_psnr_db`` of the final picture in the photo's own view, by the predicted camera, and ``mean_psnr_db``
        of the mean code's by the true one; ``latent_ratio``: distance of codes from the true ones over that of the mean
        code, both as root mean squares; ``camera_deg``; ``depth_mm`` as the predicted camera sees it, where both are
        solid; ``score``, in which a centimetre of depth weighs like one dB.
    """
    rng, device = np.random.default_rng(0), generator.w_avg.device
    mean = PlainHead(generator, generator.w_avg[None, None].expand(1, generator.config.num_ws, -1))
    squares: list[tuple[float, float]] = []
    names = ("heldout_psnr_db", "mean_psnr_db", "camera_deg", "depth_mm")
    metrics: dict[str, list[float]] = {name: [] for name in names}
    truths: list[Tensor] = []
    results: list[Tensor] = []
    for head in range(len(samples)):
        rgba, depth, cam2world, code = samples.view(head, 0)
        straight = torch.from_numpy(rgba.astype(np.float32) / 255.0).permute(2, 0, 1)[None].to(device)
        color, alpha = straight[:, :3] * straight[:, 3:], straight[:, 3:]
        background = torch.from_numpy(random_background(rng, samples.resolution)).permute(2, 0, 1)[None].to(device)
        made = reconstruct(color + background * (1.0 - alpha), encoder, generator)
        true_camera = torch.from_numpy(cam2world)[None].to(device)
        w = torch.from_numpy(code).to(device)
        missed = (made.head.plain.w_plus - w).square().mean().item()
        squares.append((missed, (generator.w_avg - w).square().mean().item()))
        truth, mask = color + GREY * (1.0 - alpha), (alpha > 0.5).float()
        seen, usual = made.plain_view, mean.view(Camera(true_camera, samples.orbit.focal))
        metrics["heldout_psnr_db"].append(psnr_db(seen.over_grey(), truth, mask).item())
        metrics["mean_psnr_db"].append(psnr_db(usual.over_grey(), truth, mask).item())
        metrics["camera_deg"].append(rotation_angle_deg(made.camera.cam2world, true_camera).item())
        side = seen.depth.shape[-1]
        times = samples.resolution // side
        true_depth = torch.from_numpy(np.ascontiguousarray(depth[::times, ::times])).to(device)
        both = (true_depth > 0.0) & (seen.on_grid(seen.alpha)[0, 0] > 0.5)
        error = (seen.depth[0, 0] - true_depth)[both].abs().mean().nan_to_num(1.0).item()
        metrics["depth_mm"].append(units_to_mm(error))
        for pictures, shown in ((truths, truth), (results, seen.over_grey())):
            pictures.append(at_side(shown, min(_SHEET_SIDE, samples.resolution))[0].permute(1, 2, 0).cpu())
    save_comparison(sheet, truths, results)
    means = {name: float(np.mean(values)) for name, values in metrics.items()}
    missed, spread = np.mean(squares, axis=0)
    means["latent_ratio"] = float(np.sqrt(missed / max(spread, 1e-12)))
    return means | {"score": means["heldout_psnr_db"] - 0.1 * means["depth_mm"]}
