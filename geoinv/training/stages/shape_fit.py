"""The start of an anchored generator: mapping, shape and light learn what z means for them, by no picture.

A head's shape code and light are functions of z that the sampler knows, so there are as many examples as one likes.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ...files import atomic_path
from ...models.anchored_generator import AnchoredGenerator
from ...shape import HeadModel
from ...synth.assets import find_base_data
from ...synth.dataset import draw_latent
from ...synth.geometry import HeadGeometry
from ...synth.head_codes import HeadCoder
from ...synth.sampler import HeadSampler
from ..losses.on_mesh import SHAPE_WEIGHT, ShapeLoss, light_loss

_BATCH = 256
_HELD_OUT = 500


class KnownHeads(NamedTuple):
    """Random heads of the sampler, without pictures.

    Args:
        z: [N, z_dim].
        codes: [N, I + 54] shape codes.
        light: [N, 9, 3].
    """

    z: Tensor
    codes: Tensor
    light: Tensor

    @classmethod
    def draw(cls, model: HeadModel, count: int, seed: int) -> KnownHeads:
        """Draw heads, 600 a second.

        Args:
            model: Head mesh model.
            count: Number of heads.
            seed: Seed of the heads.
        """
        sampler, geometry = HeadSampler(), HeadGeometry(find_base_data(), [])
        coder, rng = HeadCoder(model, geometry), np.random.default_rng([seed, 20])
        z, codes, light = [], [], []
        for _ in range(count):
            z.append(draw_latent(sampler, rng))
            parameters = sampler(z[-1])
            shape = geometry.shape(parameters.targets, parameters.expression)
            codes.append(coder(parameters, shape).as_vector()[0])
            light.append(parameters.light.total)
        return cls(torch.from_numpy(np.stack(z)), torch.stack(codes), torch.from_numpy(np.stack(light)).float())

    @classmethod
    def kept(cls, path: Path, model: HeadModel, count: int, seed: int) -> KnownHeads:
        """Those of a file, or drawn and written there: a resumed run learns from the same ones, and at once."""
        if path.exists():
            with np.load(path) as file:
                return cls(*(torch.from_numpy(file[name]) for name in cls._fields))
        drawn = cls.draw(model, count, seed)
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            np.savez(file, **{name: part.numpy() for name, part in drawn._asdict().items()})
        return drawn

    def some(self, random: torch.Generator, device: torch.device) -> KnownHeads:
        """A random batch on a device."""
        index = torch.randint(len(self.z), (_BATCH,), generator=random)
        return KnownHeads(*(part[index].to(device) for part in self))


def fit_shapes(generator: AnchoredGenerator, heads: KnownHeads, *, steps: int, seed: int) -> tuple[float, float]:
    """Fit mapping, shape and light, in place.

    Args:
        generator: The generator.
        heads: Heads to learn from; the last of them are only measured on.
        steps: Steps of 256 heads.
        seed: Seed of the batches.

    Returns:
        Root mean squared error of vertices in world units, and of light, on heads that were not learned from.
    """
    device = generator.w_avg.device
    shape_loss = ShapeLoss(generator.anchor.model)
    random = torch.Generator().manual_seed(seed)
    parts = (generator.backbone["mapping"], generator.shape_head, generator.light_head)
    optimizer = torch.optim.Adam([p for part in parts for p in part.parameters()], lr=2e-3, betas=(0.9, 0.99))
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.02, total_iters=steps)
    learned = KnownHeads(*(part[:-_HELD_OUT] for part in heads))
    for _ in range(steps):
        some = learned.some(random, device)
        loss = sum(known_head_losses(generator, some, shape_loss).values())
        optimizer.zero_grad(set_to_none=True)
        torch.as_tensor(loss).backward()
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        unseen = KnownHeads(*(part[-_HELD_OUT:].to(device) for part in heads))
        left = known_head_losses(generator, unseen, shape_loss)
    return (left["shape"] / SHAPE_WEIGHT).sqrt().item(), left["light"].sqrt().item()


def known_head_losses(generator: AnchoredGenerator, heads: KnownHeads, shape_loss: ShapeLoss) -> dict[str, Tensor]:
    """``shape`` in squared hundredths of the box side and ``light`` in squared linear RGB."""
    w = generator.mapping(heads.z)[:, :1]
    return {
        "shape": SHAPE_WEIGHT * shape_loss(generator.shape_codes(w), heads.codes),
        "light": light_loss(generator.light(w), heads.light),
    }
