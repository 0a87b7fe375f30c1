"""The start of an encoder for a generator on the head mesh that sees with the eyes of an earlier encoder.

Those eyes make up nearly all of a step's cost, and see well already. So each photo is looked at once, and what is new,
the parts that tell codes, shape and light, learns from what was seen, over and over.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ...images.tensors import at_side
from ...models.anchored_generator import AnchoredGenerator
from ...models.encoder import INPUT_SIZE, GlobalEncoder
from ...models.face_landmarks import centres
from ..data.head_source import HeadSource, codes_of
from ..data.photo_batches import PhotoCounts, photo_batch
from ..losses.encoder import LOSS_WEIGHTS
from ..losses.encoder_on_mesh import on_mesh_losses
from ..losses.on_mesh import SHAPE_WEIGHT, ShapeLoss, painting_loss

_BATCH = 256
_LEARNING_RATE = 1e-3
_DROPPED = 0.2  # of the features, at random: there are as many of them as a third of the photos
_WEIGHT_DECAY = 0.05
_HELD_OUT = 480


class SeenPhotos(NamedTuple):
    """What eyes saw in N photos, with the truth.

    Args:
        features: [N, F] of the trunk.
        landmarks: [N, 73, 2] found, normalised.
        w: [N, w_dim] codes of the heads.
        codes: [N, I + 54] shape codes.
        light: [N, 9, 3].
    """

    features: Tensor
    landmarks: Tensor
    w: Tensor
    codes: Tensor
    light: Tensor

    def part(self, chosen: slice | Tensor) -> SeenPhotos:
        """Some of the photos."""
        return SeenPhotos(*(values[chosen] for values in self))


class FirstErrors(NamedTuple):
    """What is left on photos that were not learned from.

    Args:
        painting: Mean squared error of what planes are painted from; 1 is what the mean of all heads leaves.
        vertices: Root mean squared error of vertices, in world units.
        light: Root mean squared error of light on white surfaces, linear RGB.
    """

    painting: float
    vertices: float
    light: float


def fit_first_codes(
    encoder: GlobalEncoder,
    generator: AnchoredGenerator,
    data: HeadSource,
    counts: PhotoCounts,
    *,
    photos: int,
    steps: int,
    seed: int,
) -> FirstErrors:
    """Fit the parts of an encoder that tell codes, shape and light, in place; its eyes stay.

    Args:
        encoder: The encoder, of a trunk.
        generator: Frozen generator of the codes.
        data: Heads on the mesh.
        counts: Its number of photos is looked at together.
        photos: Photos to look at.
        steps: Steps of 256 of them.
        seed: Seed of photos and batches.
    """
    # the photos that tell how well it went are of other heads, not only other photos: heads can be learned by heart
    held_out = max(1, min(_HELD_OUT, len(data) // 10, photos // 10))
    unseen = _looked_at(encoder, generator, data, counts, held_out, seed, range(held_out))
    learned = _looked_at(encoder, generator, data, counts, photos - held_out, seed, range(held_out, len(data)))
    encoder.train()
    parameters = [p for part in (encoder.neck, encoder.codes, encoder.shape, encoder.light) for p in part.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=_LEARNING_RATE, betas=(0.9, 0.99), weight_decay=_WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _LEARNING_RATE, total_steps=steps)
    shape_loss, random = ShapeLoss(generator.anchor.model), torch.Generator().manual_seed(seed)

    def losses(some: SeenPhotos) -> dict[str, Tensor]:
        w_plus, on_mesh = encoder.codes_of(some.features, some.landmarks)
        terms = on_mesh_losses(encoder, on_mesh, some.codes, some.light, shape_loss)
        spread = w_plus - w_plus.mean(dim=1, keepdim=True)
        return terms | {"painting": painting_loss(generator, w_plus, some.w), "spread": spread.square().mean()}

    for _ in range(steps):
        index = torch.randint(len(learned.w), (_BATCH,), generator=random)
        some = learned.part(index)
        kept = torch.rand(some.features.shape, generator=random) >= _DROPPED
        terms = losses(some._replace(features=some.features * kept / (1.0 - _DROPPED)))
        optimizer.zero_grad(set_to_none=True)
        sum((LOSS_WEIGHTS[name] * value for name, value in terms.items()), torch.zeros(())).backward()
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        left = losses(unseen)
    vertices = (left["shape"].item() / SHAPE_WEIGHT) ** 0.5
    return FirstErrors(left["painting"].item(), vertices, left["light"].item() ** 0.5)


@torch.no_grad()
def _looked_at(
    encoder: GlobalEncoder,
    generator: AnchoredGenerator,
    data: HeadSource,
    counts: PhotoCounts,
    photos: int,
    seed: int,
    among: range,
) -> SeenPhotos:
    """Photos as the encoder's eyes see them."""
    together = min(counts.photos, len(among))
    few = replace(counts, photos=together, heads_rendered=1, faces=1, landmark_sets=1)
    device = generator.w_avg.device
    encoder.eval()
    batches = []
    for number in range(-(-photos // together)):
        batch = photo_batch(data, np.random.default_rng([seed, number, 7]), few, among=among)
        assert batch.codes is not None and batch.light is not None
        images = at_side(batch.images.to(device), INPUT_SIZE)
        landmarks = centres(encoder.landmarks(images))
        w = codes_of(generator, batch.z.to(device), knows_w=False)
        batches.append(
            SeenPhotos(encoder.features(images), landmarks, w, batch.codes.to(device), batch.light.to(device))
        )
    return SeenPhotos(*(torch.cat(parts) for parts in zip(*batches, strict=True)))
