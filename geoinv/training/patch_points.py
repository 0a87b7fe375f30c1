"""Training of the points of lids, brows, lips and nose on synthetic heads that make faces; their points are known.

``python -m geoinv.training.patch_points OUT --data DATASET`` needs the assets of the synthetic heads, and takes some
minutes on one core. The detector is run on every picture, so that patches lie as they will in videos. A tenth of the
persons is held out: they give the deviations that fits trust the points by. Heads of a data set of ``geoinv synth
dataset`` may be added; they are more persons in other light. The shipped file is of 750 persons who act, and of 42
shards of a set of 256 px (4,200 views from the front); its nose is of the set alone.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from .._version import __version__
from ..align.crop import apply_affine
from ..align.mediapipe import MediaPipeBackend
from ..align.pose import pose_of
from ..camera.rays import project
from ..conventions import FOCAL
from ..files import atomic_path
from ..shape import HeadCodes, load_head_model
from ..synth.acting import ActingHead, acting_heads, known_places, over_one_colour
from ..video.patch_points import PatchPoints, Regressor
from ..video.patches import LEFT_EYE, MOUTH, NOSE, RIGHT_EYE, SIDE, PatchKind, histograms

PERSONS = 400
SIZES = {"eye": 150, "mouth": 150, "nose": 100}
"""Main components and width of the hidden layer of each regressor: together less than a megabyte."""

_HELD_OUT = 10  # every tenth person
_FEWEST = 20  # persons: 180 looks at mouths less those held out are more than its 150 components
_UNIT = 0.03  # of the patch's side: the spread of a point
_FROM_FRONT = 0.62  # cosine of the largest angle between the head's front and the direction to the camera
_FARTHEST = 0.9  # of the patch's side: beyond it the detector was wrong
_LOOKS, _LARGEST_SHIFT = 3, 3.0  # at each patch: where the detector has it, and as many pixels beside it
_EPOCHS, _BATCH, _STEP = 30, 256, 2e-3
_BLUR, _DROPOUT, _DECAY = 0.25, 0.15, 0.3


@dataclass(frozen=True, eq=False)
class Patches:
    """N patches of one kind.

    Args:
        features: [N, F] histograms.
        angles: [N, 2] yaw and pitch as the detector's points tell them.
        places: [N, P, 2] true places in parts of the patch's side from its middle.
        persons: [N] number of the person.
    """

    features: NDArray[np.float32]
    angles: NDArray[np.float32]
    places: NDArray[np.float32]
    persons: NDArray[np.int64]

    @property
    def is_held_out(self) -> NDArray[np.bool_]:
        """[N] whether the person is not to be trained with."""
        return np.asarray(self.persons % _HELD_OUT == _HELD_OUT - 1)


def patches_of(heads: Iterable[ActingHead], seed: int = 5) -> dict[str, Patches]:
    """Patches of all eyes, mouths and noses that the detector finds, by the regressor's name."""
    backend, random = MediaPipeBackend(), np.random.default_rng(seed)
    rows: dict[str, list[tuple[object, ...]]] = {name: [] for name in SIZES}
    kinds: tuple[tuple[str, PatchKind, list[int]], ...] = (
        *(("eye", RIGHT_EYE, [468]), ("eye", LEFT_EYE, [469])),
        *(("mouth", MOUTH, []), ("nose", NOSE, [])),
    )
    for head in heads:
        low, high = head.points[:468].min(axis=0), head.points[:468].max(axis=0)
        face = backend.measure(head.picture, np.concatenate([low, high]) + random.normal(0.0, 3.0, 4))
        if face is None:
            continue
        pose = pose_of(face.landmarks)
        for name, kind, iris in kinds:
            to_patch = kind.to_patch(face.landmarks, pose.to_crop)
            yaw = -pose.yaw_rad if kind.is_mirrored else pose.yaw_rad
            for look in range(_LOOKS):
                beside = to_patch.copy()
                beside[:, 2] += random.uniform(-_LARGEST_SHIFT, _LARGEST_SHIFT, 2) * (look > 0)
                places = apply_affine(beside, head.points[[*kind.points, *iris]]) / SIDE - 0.5
                if np.abs(places).max() < _FARTHEST:
                    features = histograms(head.picture, beside).astype(np.float16)
                    rows[name].append((features, (yaw, pose.pitch_rad), places, head.person))
    return {name: _stacked(of) for name, of in rows.items()}


def heads_in(data: Path, shards: int, seed: int = 5) -> Iterator[ActingHead]:
    """Heads of a data set that face the camera; none of them is held out."""
    model, random = load_head_model(), np.random.default_rng(seed)
    for shard in range(shards):
        names = ("rgba", "cam2world", "codes")
        rgba, cameras, codes = (np.load(data / f"{shard:05d}_{name}.npy", mmap_mode="r") for name in names)
        heads = HeadCodes.from_vector(torch.from_numpy(np.array(codes)).float())
        places = known_places(model, heads)
        for view in range(rgba.shape[1]):
            cam2world = torch.from_numpy(np.array(cameras[:, view])).float()
            points = project(places, cam2world, focal=FOCAL)[0].double().numpy() * rgba.shape[2]
            for head in np.flatnonzero(-cameras[:, view, 2, 2] > _FROM_FRONT):
                picture = over_one_colour(rgba[head, view], random)
                yield ActingHead(picture, points[head], _HELD_OUT * (shard * len(rgba) + int(head)))


def _stacked(rows: list[tuple[object, ...]]) -> Patches:
    features, angles, places, persons = zip(*rows, strict=True)
    numbers = [np.asarray(column, np.float32) for column in (features, angles, places)]
    return Patches(numbers[0], numbers[1], numbers[2], np.asarray(persons, np.int64))


def train_regressor(patches: Patches, size: int, *, epochs: int = _EPOCHS, seed: int = 0) -> tuple[Regressor, float]:
    """A regressor of ``size`` main components and hidden numbers.

    Also the standard deviation of its errors on held-out persons, as a part of the patch's side.
    """
    torch.manual_seed(seed)
    is_used = ~patches.is_held_out
    mean = patches.features[is_used].mean(axis=0)
    variances, axes = np.linalg.eigh(np.cov((patches.features[is_used] - mean).T))
    kept = slice(-1, -size - 1, -1)
    components = np.asarray(axes[:, kept] / np.sqrt(variances[kept]), np.float32)
    ones = np.ones((len(patches.features), 1))
    inner = np.concatenate([(patches.features - mean) @ components, patches.angles, ones], axis=1)
    flat = patches.places.reshape(len(inner), -1)
    middle = flat[is_used].mean(axis=0)
    x, y = (torch.from_numpy(np.asarray(a, np.float32)) for a in (inner, (flat - middle) / _UNIT))
    hidden, output = nn.Linear(x.shape[1], size, bias=False), nn.Linear(size, y.shape[1])
    _descend(hidden, output, x[torch.from_numpy(is_used)], y[torch.from_numpy(is_used)], epochs)
    with torch.no_grad():
        errors = (output(torch.relu(hidden(x))) - y)[torch.from_numpy(~is_used)] * _UNIT
    errors = errors.reshape(len(errors), -1, 2)
    scatter = (errors - errors.median(dim=0).values).norm(dim=-1).median(dim=0).values / 1.177  # as detector_habits
    bias = output.bias.detach().numpy()[None] * _UNIT + middle
    weights = np.concatenate([output.weight.detach().numpy().T * _UNIT, bias])
    made = Regressor(mean, components, hidden.weight.detach().numpy().T, weights, scatter.numpy())
    return made, float(errors.std())


def _descend(hidden: nn.Linear, output: nn.Linear, x: Tensor, y: Tensor, epochs: int) -> None:
    optimiser = torch.optim.AdamW([*hidden.parameters(), *output.parameters()], _STEP, weight_decay=_DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs)
    for _ in range(epochs):
        for rows in torch.randperm(len(x)).split(_BATCH):
            blurred = x[rows] + _BLUR * torch.randn(len(rows), x.shape[1])
            blurred[:, -1] = 1.0
            active = nn.functional.dropout(torch.relu(hidden(blurred)), _DROPOUT)
            loss = nn.functional.smooth_l1_loss(output(active), y[rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        schedule.step()


def write_patch_points(path: Path, made: PatchPoints) -> None:
    """Write the regressors as float16, whole or not at all."""
    from safetensors.numpy import save

    arrays = {
        f"{part.name}.{field.name}": np.ascontiguousarray(getattr(getattr(made, part.name), field.name), np.float16)
        for part in fields(made)
        for field in fields(Regressor)
    }
    facts = {"format": "geoinv-patch-points", "licence": "CC0-1.0", "geoinv_version": __version__}
    with atomic_path(path) as temporary:
        temporary.write_bytes(save(arrays, facts))  # its save_file makes private files


def main(arguments: Sequence[str] | None = None) -> None:
    """Render, train and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--persons", type=int, default=PERSONS)
    parser.add_argument("--data", type=Path, help="data set whose heads are added")
    parser.add_argument("--shards", type=int, default=13)
    given = parser.parse_args(arguments)
    if given.persons < _FEWEST:
        parser.error(f"--persons must be {_FEWEST} or more: fewer do not span the main components")
    more = [] if given.data is None else heads_in(given.data, given.shards)
    trained: dict[str, Regressor] = {}
    for name, patches in patches_of(chain(acting_heads(given.persons), more)).items():
        trained[name], error = train_regressor(patches, SIZES[name])
        print(f"{name}: {len(patches.features)} looks, held-out error {100.0 * error:.2f} % of the patch's side")
    write_patch_points(given.out, PatchPoints(**trained))


if __name__ == "__main__":
    main()
