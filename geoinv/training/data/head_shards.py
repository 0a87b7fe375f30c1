"""Streaming of rays and pictures from rendered heads on disk (written by ``geoinv synth dataset``).

Shards are memory-mapped, so a batch reads a few hundred pixels of each view and nothing is decoded. Shards that appear
while training runs are picked up.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...camera import rays_through
from ...conventions import FACE_ORBIT, FOCAL
from ...errors import UsageError
from ...folders import sha256_of
from ...images.tensors import GREY
from ...npy_files import load_npy


@dataclass(frozen=True)
class RayBatch:
    """Rays of heads, and the truth that they should show.

    Args:
        z: [B, z_dim].
        origins, directions: [B, N, 3].
        color: [B, N, 3] in [0, 1], premultiplied.
        alpha: [B, N].
        distance: [B, N] along the ray, 0 where nothing is hit.
        normals: [B, N, 3] of the surface in world axes, 0 where nothing is hit.
        flow: [B, 3, 2, S, S] flow of the planes (:mod:`geoinv.synth.plane_flow`), where the data set has it.
        albedo: [B, N, 3] colour without light in [0, 1], premultiplied; this and the rest from format 3 on.
        light: [B, 9, 3] light on each head (:mod:`geoinv.light`), its lamp included as well as order 2 can hold it.
        lamp: [B, 2, 3] unit vector to a sharp lamp, and its colour, which is 0 where there is none.
        codes: [B, I + 54] shape codes (:meth:`geoinv.shape.HeadCodes.from_vector`).
    """

    z: Tensor
    origins: Tensor
    directions: Tensor
    color: Tensor
    alpha: Tensor
    distance: Tensor
    normals: Tensor | None = None
    flow: Tensor | None = None
    albedo: Tensor | None = None
    light: Tensor | None = None
    lamp: Tensor | None = None
    codes: Tensor | None = None


@dataclass(frozen=True)
class _Shard:
    rgba: NDArray[Any]  # [N, V, R, R, 4] uint8, straight alpha
    depth: NDArray[Any]  # [N, V, R, R] float16
    normals: NDArray[Any]  # [N, V, R, R, 3] int8, times 127
    cam2world: NDArray[Any]  # [N, V, 4, 4]
    landmarks: NDArray[Any]  # [N, V, 73, 2] normalised, the first 68 in iBUG's order
    z: NDArray[Any]  # [N, z_dim]
    # older data sets lack these
    flow: NDArray[Any] | None  # [N, 3, 2, S, S] float16
    albedo: NDArray[Any] | None  # [N, V, R, R, 3] uint8, straight
    light: NDArray[Any] | None  # [N, 9, 3]
    lamp: NDArray[Any] | None  # [N, 2, 3]
    codes: NDArray[Any] | None  # [N, I + 54]


_OF_ALL = ("rgba", "depth", "normals", "cam2world", "landmarks")
_OF_SOME = ("flow", "albedo", "light", "lamp", "codes")
_DIMENSIONS = {"z": 2, "rgba": 5, "depth": 4, "normals": 5, "cam2world": 4, "landmarks": 4}
"""Of the arrays that every shard has."""


def _read_shard(folder: Path, name: str) -> _Shard:
    """The arrays of a shard, of which only z is read now.

    Raises:
        UsageError: One of them is missing, damaged, or of another shape.
    """
    parts: dict[str, Any] = {}
    for key in ("z", *_OF_ALL, *_OF_SOME):
        path = folder / f"{name}_{key}.npy"
        if key in _OF_SOME and not path.exists():
            parts[key] = None
            continue
        try:
            parts[key] = load_npy(path, is_mapped=key != "z")
        except (OSError, ValueError) as error:
            raise _damaged(path) from error
        array, views = parts[key], parts.get("rgba", parts["z"]).shape[: 2 if key in _OF_ALL else 1]
        has_its_shape = array.ndim == _DIMENSIONS.get(key, array.ndim) and array.shape[: len(views)] == views
        if array.dtype.kind not in "fiu" or array.size == 0 or not has_its_shape or len(array) != len(parts["z"]):
            raise _damaged(path)
    return _Shard(**parts)


def _damaged(path: Path) -> UsageError:
    return UsageError(f"{path} is damaged", "remove the files of this shard, and run `geoinv synth dataset` again")


REFRESH_EVERY = 100
"""Steps of training between looks for new shards."""


class HeadShards:
    """The heads in a folder.

    Args:
        folder: A data set, which may still be growing.

    Raises:
        UsageError: The folder holds no shard.
    """

    orbit = FACE_ORBIT
    knows_w = False  # z is what describes a head
    has_twins: bool
    """Whether heads ``2 i`` and ``2 i + 1`` differ in expression alone."""

    face_views: int
    """Number of views that see the face; they come first, and those from all around follow."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._about = folder / "dataset.json"
        self.has_twins = bool(self._dataset().get("twins", False))
        self._shards: dict[str, _Shard] = {}
        self.refresh()
        if not self._shards:
            raise UsageError(f"no rendered heads in {folder}", "make some with `geoinv synth dataset`")
        first = next(iter(self._shards.values()))
        self.resolution, self.num_views, self.z_dim = first.rgba.shape[2], first.rgba.shape[1], first.z.shape[1]
        self.face_views = int(self._dataset().get("face_views") or self.num_views)

    def _dataset(self) -> dict[str, Any]:
        """Contents of ``dataset.json``; empty where there is none.

        Raises:
            UsageError: It is damaged.
        """
        if not self._about.is_file():
            return {}
        try:
            return dict(json.loads(self._about.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError, RecursionError) as error:
            raise UsageError(
                f"{self._about} is damaged", "render the heads anew with `geoinv synth dataset`"
            ) from error

    def check_enough(self, heads: int) -> None:
        """Refuse to draw more different heads in a step than there are.

        Raises:
            UsageError: There are too few.
        """
        if len(self) < heads:
            raise UsageError(
                f"there are {len(self)} heads in {self.folder}, and a step takes {heads}",
                "render more with `geoinv synth dataset`, or take fewer in a step",
            )

    def check_fits(self, z_dim: int) -> None:
        """Refuse a generator whose z means something else.

        Args:
            z_dim: Numbers in the generator's z.

        Raises:
            UsageError: The heads' z has another size: they are of another version of the sampler.
        """
        if self.z_dim != z_dim:
            raise UsageError(
                f"the heads in {self.folder} are described by {self.z_dim} numbers, and the generator takes {z_dim}",
                "they are of two versions of the heads: train a generator on these first, or take heads of its version",
            )

    def check_on_mesh(self, head_model: str) -> None:
        """Refuse heads that a generator on the head mesh cannot learn from.

        Args:
            head_model: First digits of the SHA-256 of the model's file.

        Raises:
            UsageError: They have no albedo, light and shape codes, or the codes belong to another head mesh model; data
                sets that do not say are taken for fitting.
        """
        if not self.has_albedo:
            hint = "make them anew with `geoinv synth dataset --around`"
            raise UsageError(f"the heads in {self.folder} have no albedo, light and codes", hint)
        own = str(self._dataset().get("head_model_sha256", head_model))
        if not own.startswith(head_model):
            raise UsageError(
                f"the shape codes of the heads in {self.folder} are of another head mesh model "
                f"({own[:12]}, not {head_model})",
                "render the heads anew, or put the model back that they were made with",
            )

    def describe(self) -> dict[str, Any]:
        """Plain values that say which heads these are, for the record of a run: ``dataset.json`` and its SHA-256."""
        known = {"resolution": self.resolution, "views_per_head": self.num_views, "z_dim": self.z_dim}
        sha256 = sha256_of(self._about) if self._about.is_file() else None
        return {**known, **self._dataset(), "dataset_sha256": sha256}

    def at_step(self, step: int) -> None:
        """Look for new shards now and then."""
        if step % REFRESH_EVERY == 0:
            self.refresh()

    def refresh(self) -> None:
        """Look for new shards; z is written last, so a shard with z is whole.

        Raises:
            UsageError: A shard is damaged, or of another size than the others.
        """
        for path in sorted(self.folder.glob("*_z.npy")):
            name = path.name[: -len("_z.npy")]
            if name in self._shards or name.startswith("."):
                continue
            self._shards[name] = _read_shard(self.folder, name)
        shards = [self._shards[name] for name in sorted(self._shards)]
        # one assignment, because the data thread reads while the training thread refreshes
        self._index = (shards, np.cumsum([len(shard.z) for shard in shards]))

    def __len__(self) -> int:
        ends = self._index[1]
        return int(ends[-1]) if len(ends) else 0

    def _locate(self, head: int) -> tuple[_Shard, int]:
        shards, ends = self._index
        index = int(np.searchsorted(ends, head, side="right"))
        return shards[index], head - (int(ends[index - 1]) if index else 0)

    def view(self, head: int, view: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
        """rgba uint8 [R, R, 4], depth [R, R], cam2world [4, 4], z [z_dim] of one view."""
        shard, i = self._locate(head)
        return shard.rgba[i, view], shard.depth[i, view], shard.cam2world[i, view], shard.z[i]

    @property
    def has_albedo(self) -> bool:
        """Whether every head comes with its albedo, its light and its shape codes, as from format 3 on."""
        return all(shard.albedo is not None for shard in self._index[0])

    def albedo(self, head: int, view: int) -> NDArray[Any]:
        """Uint8 [R, R, 3] of one view, straight.

        Raises:
            UsageError: The data set has none.
        """
        shard, i = self._locate(head)
        return np.asarray(_present(shard.albedo, self.folder)[i, view])

    def normals(self, head: int, view: int) -> NDArray[Any]:
        """Int8 [R, R, 3] of one view, unit vectors in world axes times 127; 0 where nothing is hit."""
        shard, i = self._locate(head)
        return np.asarray(shard.normals[i, view])

    def light(self, head: int) -> NDArray[Any]:
        """[9, 3] of one head (:mod:`geoinv.light`).

        Raises:
            UsageError: The data set has none.
        """
        shard, i = self._locate(head)
        return np.asarray(_present(shard.light, self.folder)[i])

    def codes(self, head: int) -> NDArray[Any]:
        """[I + 54] shape codes of one head (:meth:`geoinv.shape.HeadCodes.from_vector`).

        Raises:
            UsageError: The data set has none.
        """
        shard, i = self._locate(head)
        return np.asarray(_present(shard.codes, self.folder)[i])

    def over_grey(self, head: int, view: int) -> NDArray[Any]:
        """[R, R, 3] in [0, 1], one view over grey."""
        straight = np.asarray(self.view(head, view)[0], np.float32) / 255.0
        return np.asarray(straight[..., :3] * straight[..., 3:] + GREY * (1.0 - straight[..., 3:]))

    def landmarks(self, head: int, view: int) -> NDArray[Any]:
        """[73, 2] of one view, normalised; the first 68 in iBUG's order, then the five of alignment."""
        shard, i = self._locate(head)
        return np.asarray(shard.landmarks[i, view])

    def landmarks_and_cameras(self, rng: np.random.Generator, count: int) -> tuple[Tensor, Tensor]:
        """Landmarks [count, 73, 2] and cam2world [count, 4, 4] of random views of faces."""
        heads, views = rng.integers(0, len(self), count), rng.integers(0, self.face_views, count)
        found = [(*self._locate(int(head)), int(view)) for head, view in zip(heads, views, strict=True)]
        landmarks = np.stack([shard.landmarks[i, view] for shard, i, view in found])
        cameras = np.stack([shard.cam2world[i, view] for shard, i, view in found])
        return torch.from_numpy(landmarks), torch.from_numpy(cameras)

    @property
    def has_flows(self) -> bool:
        """Whether every head comes with the flow of its planes."""
        return all(shard.flow is not None for shard in self._index[0])

    def flows(self, most: int) -> tuple[Tensor, Tensor]:
        """z [N, z_dim] and flows of the planes [N, 6 S S], float16, of about the first ``most`` heads: whole shards."""
        shards, ends = self._index
        enough = shards[: int(np.searchsorted(ends, most)) + 1]
        flows = [shard.flow.reshape(len(shard.flow), -1) for shard in enough if shard.flow is not None]
        return torch.from_numpy(np.concatenate([shard.z for shard in enough])), torch.from_numpy(np.concatenate(flows))

    def rays(
        self, rng: np.random.Generator, *, heads: int, views: int, rays_per_view: int, twin_pairs: int = 0
    ) -> RayBatch:
        """Random rays of random views of random heads, the first ``2 * twin_pairs`` of them pairs of twins."""
        chosen = [int(head) for head in rng.choice(len(self), size=heads, replace=False)]
        for pair in range(twin_pairs):
            chosen[2 * pair + 1] = chosen[2 * pair] ^ 1
        views_of = [[int(v) for v in rng.choice(self.num_views, size=views, replace=False)] for _ in chosen]
        for pair in range(twin_pairs):
            views_of[2 * pair + 1] = views_of[2 * pair]
        pairs = list(zip(chosen, views_of, strict=True))
        return self.rays_of(rng, pairs, rays_per_view=rays_per_view, twin_pairs=twin_pairs)

    def _changed_pixels(self, head: int, twin: int, view: int) -> NDArray[Any]:
        """Indices of the pixels where twins differ."""
        first, second = (self.view(index, view)[0].astype(np.int16) for index in (head, twin))
        return np.flatnonzero(np.abs(first - second).max(axis=-1) > _VISIBLE_CHANGE)

    def rays_of(
        self,
        rng: np.random.Generator,
        heads_views: list[tuple[int, list[int]]],
        *,
        rays_per_view: int,
        twin_pairs: int = 0,
    ) -> RayBatch:
        """Random rays of given views of given heads: a quarter anywhere, the rest on the head, half of it by features.

        Brows, eyes, nose and mouth are a twentieth of a head's pixels, and most of what tells a face: drawn evenly, a
        generator learns hair and skin, and no smile. Of each of the first ``twin_pairs`` pairs of heads, the second is
        seen through the rays of the first, so that they can be subtracted; instead of by features, their rays go where
        the two differ.
        """
        size = self.resolution
        heads, views = len(heads_views), len(heads_views[0][1])
        zs, pixels, cameras, rgba, depths, normals, albedos = [], [], [], [], [], [], []
        of_heads: dict[str, list[NDArray[Any]]] = {"flow": [], "light": [], "lamp": [], "codes": []}
        chosen: list[NDArray[Any]] = []  # pixels of each view of the head before
        for place, (head, views_of_head) in enumerate(heads_views):
            shard, i = self._locate(head)
            zs.append(shard.z[i])
            for name, rows in of_heads.items():
                if (array := getattr(shard, name)) is not None:
                    rows.append(array[i])
            if place >= 2 * twin_pairs:
                chosen = [_choose_pixels(rng, shard, i, view, rays_per_view) for view in views_of_head]
            elif place % 2 == 0:
                twin = heads_views[place + 1][0]
                changed = [self._changed_pixels(head, twin, view) for view in views_of_head]
                views_changed = zip(views_of_head, changed, strict=True)
                chosen = [_choose_pixels(rng, shard, i, view, rays_per_view, change) for view, change in views_changed]
            for view, index in zip(views_of_head, chosen, strict=True):
                picture = shard.rgba[i, view].reshape(-1, 4)
                pixels.append(np.stack([index % size + 0.5, index // size + 0.5], axis=-1) / size)
                cameras.append(shard.cam2world[i, view])
                rgba.append(picture[index])
                depths.append(shard.depth[i, view].reshape(-1)[index])
                normals.append(shard.normals[i, view].reshape(-1, 3)[index])
                if shard.albedo is not None:
                    albedos.append(shard.albedo[i, view].reshape(-1, 3)[index])
        cam2world = torch.from_numpy(np.stack(cameras))  # [heads * views, 4, 4]
        origins, directions = rays_through(
            cam2world, torch.from_numpy(np.stack(pixels).astype(np.float32)), focal=FOCAL
        )
        cosine = (directions * cam2world[:, None, :3, 2]).sum(dim=-1)
        distance = torch.from_numpy(np.stack(depths).astype(np.float32)) / cosine
        straight = torch.from_numpy(np.stack(rgba).astype(np.float32) / 255.0)
        alpha = straight[..., 3]
        count = views * rays_per_view

        def of_each_head(name: str) -> Tensor | None:
            rows = of_heads[name]
            return torch.from_numpy(np.stack(rows).astype(np.float32)) if len(rows) == heads else None

        albedo = None
        if len(albedos) == heads * views:
            flat = torch.from_numpy(np.stack(albedos).astype(np.float32) / 255.0)
            albedo = (flat * alpha[..., None]).reshape(heads, count, 3)
        return RayBatch(
            z=torch.from_numpy(np.stack(zs).astype(np.float32)),
            origins=origins.reshape(heads, count, 3).contiguous(),
            directions=directions.reshape(heads, count, 3),
            color=(straight[..., :3] * alpha[..., None]).reshape(heads, count, 3),
            alpha=alpha.reshape(heads, count),
            distance=distance.reshape(heads, count),
            normals=torch.from_numpy(np.stack(normals).astype(np.float32) / 127.0).reshape(heads, count, 3),
            flow=of_each_head("flow"),
            albedo=albedo,
            light=of_each_head("light"),
            lamp=of_each_head("lamp"),
            codes=of_each_head("codes"),
        )


def _present(array: NDArray[Any] | None, folder: Path) -> NDArray[Any]:
    if array is None:
        raise UsageError(
            f"the heads in {folder} have no albedo, light and codes", "make them anew: they are of format 3"
        )
    return array


_VISIBLE_CHANGE = 12
"""Levels of 255 by which a pixel of twins must differ to count as changed."""


def _choose_pixels(
    rng: np.random.Generator, shard: _Shard, head: int, view: int, count: int, wanted: NDArray[Any] | None = None
) -> NDArray[Any]:
    """Indices of pixels of a view: 3/8 on the head, 3/8 of the ``wanted`` or else by its features, 1/4 anywhere."""
    size = shard.rgba.shape[2]
    covered = np.flatnonzero(shard.rgba[head, view, ..., 3])
    on_head = count * 3 // 8 if len(covered) else 0
    parts = [
        covered[rng.integers(0, len(covered), on_head)] if on_head else np.empty(0, np.int64),
        wanted[rng.integers(0, len(wanted), count * 3 // 8)]
        if wanted is not None and len(wanted)
        else pixels_near_features(rng, shard.landmarks[head, view], size, count * 3 // 8),
    ]
    anywhere = rng.integers(0, size * size, count - sum(len(part) for part in parts))
    return np.concatenate([*parts, anywhere])


def pixels_near_features(rng: np.random.Generator, landmarks: NDArray[Any], size: int, count: int) -> NDArray[Any]:
    """Indices of random pixels close to brows, nose, eyes and mouth (landmarks 17 to 67)."""
    centres = landmarks[rng.integers(17, 68, count)]
    positions = centres + rng.normal(0.0, 0.015, (count, 2))
    columns, rows = (positions * size).astype(np.int64).clip(0, size - 1).T
    return np.asarray(rows * size + columns)
