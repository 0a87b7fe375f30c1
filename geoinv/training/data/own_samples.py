"""A generator's own samples as heads to train on, for any tri-plane generator: the paper's claim is that a GAN alone
teaches its encoder (E3DGE, Lan et al., CVPR 2023, section 3.2).

Heads are numbered, and a head is the same for a seed, whenever it is made. A step draws from a window of numbers. New
heads come in with every step; once the window is as wide as it may be, the oldest leave. Heads are rendered when they
are first drawn, on the generator's device, and kept as long as they are in the window. (It begins small: full at once,
it cost 250 renderings in the first steps, a large part of a short run.)
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...camera import CameraPose, intrinsics, project, rays_through, to_label
from ...conventions import FACE_ORBIT
from ...errors import UsageError
from ...images.tensors import GREY
from ...models.generator import TriPlaneGenerator
from ...models.latent_space import frontal_label
from ...synth.dataset import sample_cameras
from ...synth.landmarks import five_points
from .head_shards import RayBatch, pixels_near_features
from .sample_rendering import Sample, rendered_samples

_FRONTAL_LABELS = 0.5
"""Fraction of heads whose mapping is told the frontal camera instead of the head's own: as in EG3D's training, so that
an encoder does not look for the camera in w."""
_TWIN_STEP = (0.1, 0.4)
"""Way of a twin's code from its sibling's to that of another head."""
_AT_ONCE_ON_GPU = 4
_HELD_OUT_STREAM = 1


@dataclass(frozen=True)
class OwnSettings:
    """How a generator's own samples are drawn.

    Args:
        new_per_step: New heads in a step. With N photos drawn in a step, each head is seen in about N / new_per_step
            steps; rendering them is what fewer save.
        known: Most heads to draw from, which are in memory: 0.6 MB each for a picture of 256 px, 2.4 MB for 512 px.
        truncation: Range of how far codes lie from the mean code, 1 for all the way.
        held_out: Heads to measure on, of numbers of their own.
        known_at_first: Heads to draw from in the first step; more where a step takes more.
    """

    new_per_step: int = 4
    known: int = 256
    truncation: tuple[float, float] = (0.5, 1.0)
    held_out: int = 24
    known_at_first: int = 32

    def __post_init__(self) -> None:
        if self.new_per_step < 0 or min(self.known, self.known_at_first) < 2 or self.held_out < 1:
            raise ValueError("own samples of no heads")


class OwnSamples:
    """Heads that a generator makes; see :class:`.HeadSource`.

    Landmarks are the projections of 73 points that stay where they are in space, those of the mean head: whatever the
    generator shows, they tell the camera exactly. (Landmarks that a detector finds would be there for faces alone, and
    no better than the detector.)

    Args:
        generator: The generator, whose device renders.
        settings: How heads are drawn.
        seed: Seed of everything random.
        twins: Whether heads ``2 i`` and ``2 i + 1`` are twins: the code of the second is a step away, its cameras are
            the same.
        stream: Heads of another stream are others for the same seed.
    """

    num_views = face_views = 2
    knows_w = True

    def __init__(
        self, generator: TriPlaneGenerator, settings: OwnSettings, *, seed: int, twins: bool = False, stream: int = 0
    ) -> None:
        self._generator, self._settings = generator, settings
        self._seed, self._stream, self.has_twins = seed, stream, twins
        self.resolution, self.orbit = generator.config.resolution, generator.config.orbit
        self._grid = generator.config.neural_resolution
        self._at_once = 1 if generator.w_avg.device.type == "cpu" else _AT_ONCE_ON_GPU
        self._kept: dict[int, Sample] = {}
        self._at_first = min(settings.known, settings.known_at_first)
        self.at_step(0)

    @classmethod
    def held_out(cls, generator: TriPlaneGenerator, settings: OwnSettings, *, seed: int) -> OwnSamples:
        """Heads that no training draws: as many as the settings say, always the same."""
        count = max(settings.held_out, 2)
        fixed = OwnSettings(0, count, settings.truncation, settings.held_out, known_at_first=count)
        return cls(generator, fixed, seed=seed, stream=_HELD_OUT_STREAM)

    def __len__(self) -> int:
        return self._end - self._first

    def at_step(self, step: int) -> None:
        """Move the window to where it is in a step, and forget the heads that left it."""
        every = 2 * -(-self._settings.new_per_step // 2) if self.has_twins else self._settings.new_per_step
        self._end = self._at_first // 2 * 2 + step * every
        self._first = max(0, self._end - self._settings.known // 2 * 2)
        for number in [number for number in self._kept if number < self._first]:
            del self._kept[number]

    def check_enough(self, heads: int) -> None:
        """Refuse to draw more different heads in a step than are kept; have as many from the first step on.

        Raises:
            UsageError: There are too few.
        """
        known = self._settings.known // 2 * 2
        if known < heads:
            raise UsageError(f"a step takes {heads} own samples, and {known} are kept", "take fewer in a step")
        self._at_first = max(self._at_first, min(heads + heads % 2, known))
        self.at_step(0)

    def describe(self) -> dict[str, Any]:
        """Plain values that say which heads these are, for the record of a run."""
        return {"own_samples": {**asdict(self._settings), "twins": self.has_twins}}

    def _sample(self, head: int) -> Sample:
        number = self._first + head
        if number not in self._kept:
            # always the same heads together, so that they are the same to the last bit
            start = number // self._at_once * self._at_once
            numbers = range(start, start + self._at_once)
            made = self._make(list(numbers))
            self._kept.update(zip(numbers, made, strict=True))
        return self._kept[number]

    @torch.no_grad()
    def _make(self, numbers: list[int]) -> list[Sample]:
        drawn = [self._draw(number) for number in numbers]
        w, cam2world = (torch.stack(parts) for parts in zip(*drawn, strict=True))
        return rendered_samples(self._generator, w, cam2world)

    def _draw(self, number: int) -> tuple[Tensor, Tensor]:
        """w [w_dim] and cam2world [V, 4, 4] of a head."""
        is_second = self.has_twins and number % 2 == 1
        rng = np.random.default_rng([self._seed, self._stream, number - 1 if is_second else number])
        cam2world = sample_poses(rng, self.num_views).cam2world(self.orbit).float()
        w = self._code(rng, cam2world[:1])
        if is_second:
            w = torch.lerp(w, self._code(rng, cam2world[:1]), float(rng.uniform(*_TWIN_STEP)))
        return w, cam2world

    def _code(self, rng: np.random.Generator, cam2world: Tensor) -> Tensor:
        """A truncated code [w_dim]; mappings that want a camera are told the frontal one or that given, [1, 4, 4]."""
        generator = self._generator
        z = torch.from_numpy(rng.standard_normal((1, generator.config.z_dim)).astype(np.float32))
        truncation, is_frontal = float(rng.uniform(*self._settings.truncation)), rng.random() < _FRONTAL_LABELS
        label = frontal_label(generator, 1)
        if label is not None and not is_frontal:
            label = to_label(cam2world, intrinsics(self.orbit.focal)).to(label)
        return generator.mapping(z.to(generator.w_avg.device), label, truncation_psi=truncation)[0, 0].float()

    def view(self, head: int, view: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
        """rgba uint8 [R, R, 4], depth [R, R], cam2world [4, 4], w [w_dim] of one view."""
        sample = self._sample(head)
        times = self.resolution // self._grid
        depth = sample.depth[view].repeat(times, axis=0).repeat(times, axis=1)
        return sample.rgba[view], depth, sample.cam2world[view], sample.w

    def over_grey(self, head: int, view: int) -> NDArray[Any]:
        """[S, S, 3] in [0, 1], one view as rays show it, over grey."""
        sample = self._sample(head)
        behind = GREY * (1.0 - sample.alpha[view].astype(np.float32))
        return np.asarray(sample.color[view].astype(np.float32) + behind[..., None])

    def landmarks(self, head: int, view: int) -> NDArray[Any]:
        """[73, 2] of one view, normalised."""
        return self._landmarks_by(torch.from_numpy(self._sample(head).cam2world[view : view + 1]))[0].numpy()

    def landmarks_and_cameras(self, rng: np.random.Generator, count: int) -> tuple[Tensor, Tensor]:
        """Landmarks [count, 73, 2] and cam2world [count, 4, 4] of random views, of which no picture is made."""
        cam2world = sample_poses(rng, count).cam2world(self.orbit).float()
        return self._landmarks_by(cam2world), cam2world

    def _landmarks_by(self, cam2world: Tensor) -> Tensor:
        points = _fixed_points().expand(len(cam2world), -1, -1)
        return project(points, cam2world, focal=self.orbit.focal)[0].clamp(0.0, 1.0)

    def rays_of(
        self, rng: np.random.Generator, heads_views: list[tuple[int, list[int]]], *, rays_per_view: int
    ) -> RayBatch:
        """Random rays of the grid: a quarter anywhere, the rest on the head, half of it where features are."""
        heads, views, side = len(heads_views), len(heads_views[0][1]), self._grid
        shown = [(self._sample(head), head, view) for head, of_head in heads_views for view in of_head]
        chosen = [self._pixels(rng, sample, head, view, rays_per_view) for sample, head, view in shown]
        pixels = np.stack([np.stack([index % side + 0.5, index // side + 0.5], axis=-1) / side for index in chosen])
        cam2world = torch.from_numpy(np.stack([sample.cam2world[view] for sample, _, view in shown]))
        pixel_tensor = torch.from_numpy(pixels.astype(np.float32))
        origins, directions = rays_through(cam2world, pixel_tensor, focal=self.orbit.focal)
        cosine = (directions * cam2world[:, None, :3, 2]).sum(dim=-1)

        def picked(name: str) -> Tensor:
            maps = [getattr(sample, name)[view].reshape(side * side, -1) for sample, _, view in shown]
            rows = np.stack([values[index] for values, index in zip(maps, chosen, strict=True)]).astype(np.float32)
            return torch.from_numpy(rows)  # [B * V, N, C]

        count = views * rays_per_view
        distance = picked("depth")[..., 0] / cosine
        return RayBatch(
            z=torch.from_numpy(np.stack([self._sample(head).w for head, _ in heads_views])),
            origins=origins.reshape(heads, count, 3).contiguous(),
            directions=directions.reshape(heads, count, 3),
            color=picked("color").reshape(heads, count, 3),
            alpha=picked("alpha").reshape(heads, count),
            distance=distance.reshape(heads, count),
            normals=picked("normals").reshape(heads, count, 3),
        )

    def _pixels(self, rng: np.random.Generator, sample: Sample, head: int, view: int, count: int) -> NDArray[np.int64]:
        side, part = self._grid, count * 3 // 8
        covered = np.flatnonzero(sample.alpha[view] > 0.5)
        on_head = covered[rng.integers(0, len(covered), part)] if len(covered) else np.empty(0, np.int64)
        features = pixels_near_features(rng, self.landmarks(head, view), side, part)
        anywhere = rng.integers(0, side * side, count - len(on_head) - len(features))
        return np.concatenate([on_head, features, anywhere])


def sample_poses(rng: np.random.Generator, count: int) -> CameraPose:
    """Random poses, as synthetic heads are seen from, for any orbit; every second one has a yaw within 0.5 rad."""
    cameras = np.concatenate([sample_cameras(rng, min(2, count - start)) for start in range(0, count, 2)])
    return CameraPose.from_cam2world(torch.from_numpy(cameras).double(), FACE_ORBIT)


@cache
def _fixed_points() -> Tensor:
    """[73, 3] landmarks of the mean head in world units: 68 in iBUG's order, then the five of alignment."""
    from ...shape import load_head_model

    model = load_head_model()
    points = model.landmarks68.on(model.vertices(model.mean_codes()))[0].numpy()
    return torch.from_numpy(np.concatenate([points, five_points(points)]).astype(np.float32))
