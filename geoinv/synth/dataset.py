"""Data sets of synthetic heads: shards of raw arrays that training reads through memory maps.

The files and their arrays are described in ``docs/formats.md``. ``NNNNN_z.npy`` is written last: a shard is complete
when it is there. Head ``i`` depends on the seed and on ``i`` alone.

With twins, heads ``2 i`` and ``2 i + 1`` are one person in the same views who makes two faces: their difference shows
what an expression does, and nothing else.
"""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..conventions import FACE_ORBIT
from ..errors import UsageError
from ..files import atomic_path, only_one_process, remove_leftovers
from ..folders import sha256_of, weights_dir
from ..shape.model_file import FILE_NAME as HEAD_MODEL
from .plane_flow import FLOW_SHAPE, PlaneFlow
from .sampler import SAMPLER_VERSION, HeadSampler

FORMAT = 3
"""Raised when a shard gets other arrays; format 3 has albedo, light and shape codes, older ones do not tell theirs."""


@dataclass(frozen=True)
class DatasetSpec:
    """The contents of a data set.

    Args:
        heads: Number of heads.
        views: Number of views of each head.
        resolution: Side of the pictures in pixels.
        seed: Seed of heads and cameras.
        supersample: Samples a pixel along each axis.
        shard_size: Number of heads in a shard.
        twins: Whether heads come in pairs that differ in expression and gaze alone.
        around: Whether half of the views look from all around the head; else all of them see the face.

    Raises:
        UsageError: Twins with an odd number of heads, in all or in a shard.
    """

    heads: int
    views: int = 5
    resolution: int = 128
    seed: int = 0
    supersample: int = 2
    shard_size: int = 100
    twins: bool = False
    around: bool = False

    def __post_init__(self) -> None:
        if self.twins and (self.heads % 2 or self.shard_size % 2):
            raise UsageError("twins need an even number of heads", "--heads 1000, for example")

    @property
    def shards(self) -> int:
        """Number of shards; the last may be smaller."""
        return -(-self.heads // self.shard_size)

    @property
    def face_views(self) -> int:
        """Number of views that see the face; they come first."""
        return -(-self.views // 2) if self.around else self.views

    def describe(self) -> dict[str, int | bool | str]:
        """The contents of ``dataset.json``."""
        return {
            "format": FORMAT,
            "heads": self.heads,
            "views_per_head": self.views,
            "resolution": self.resolution,
            "seed": self.seed,
            "supersample": self.supersample,
            "shard_size": self.shard_size,
            "shards": self.shards,
            "twins": self.twins,
            "face_views": self.face_views,
            "z_dim": HeadSampler().z_dim,
            "sampler_version": SAMPLER_VERSION,
            "head_model_sha256": sha256_of(weights_dir() / HEAD_MODEL),
        }


def draw_latent(sampler: HeadSampler, rng: np.random.Generator) -> NDArray[np.float32]:
    """A random z ~ N(0, I), [z_dim]."""
    return rng.standard_normal(sampler.z_dim).astype(np.float32)


_TWIN_EXPRESSION = 1.5
"""Standard deviation of a second twin's expression entries: wider than a head's own, so that pairs differ clearly."""


def draw_twin(sampler: HeadSampler, z: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """z [z_dim] of a twin of the head of ``z``, who makes another face."""
    twin, entries = z.copy(), list(sampler.expression_entries)
    twin[entries] = _TWIN_EXPRESSION * rng.standard_normal(len(entries))
    return twin


def draw_head(sampler: HeadSampler, spec: DatasetSpec, head: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """z [z_dim] and cam2world [V, 4, 4] of the head with index ``head`` of a data set."""
    second = spec.twins and head % 2 == 1
    rng = np.random.default_rng([spec.seed, head - 1 if second else head])
    z, cameras = draw_latent(sampler, rng), sample_cameras(rng, spec.face_views)
    if spec.around:
        cameras = np.concatenate([cameras, cameras_all_around(rng, spec.views - spec.face_views)])
    return (draw_twin(sampler, z, np.random.default_rng([spec.seed, head])) if second else z), cameras


def sample_cameras(rng: np.random.Generator, views: int) -> NDArray[np.float32]:
    """Random cameras that see the face, cam2world [V, 4, 4]; the first has a yaw within 0.5 rad."""
    yaw = np.clip(rng.normal(0.0, 0.45, views), -1.1, 1.1)
    if abs(yaw[0]) >= 0.5:
        yaw[0] = rng.uniform(-0.5, 0.5)
    pitch = np.clip(rng.normal(0.0, 0.18, views), -0.5, 0.5)
    roll = rng.normal(0.0, 0.07, views)
    shift = rng.normal(0.0, 1.0, (views, 3)) * [0.015, 0.015, 0.12]
    return _cameras(yaw, pitch, roll, shift)


LOWEST_RAD, HIGHEST_RAD = -0.7, 1.05
"""Pitches between which cameras all around the head lie: -40 and 60 degrees."""

HEAD_MIDDLE = np.array([0.0, 0.05, 0.05], np.float32)
"""Where cameras all around look, in world units."""


def cameras_all_around(rng: np.random.Generator, views: int) -> NDArray[np.float32]:
    """Random cameras on all sides, also behind and above, cam2world [V, 4, 4], evenly spread over the sphere.

    They look at the middle of the head rather than at the face, and stand up to a third farther away than those of the
    face, from where hair and shoulders are seen whole.
    """
    yaw = rng.uniform(-np.pi, np.pi, views)
    pitch = np.arcsin(rng.uniform(np.sin(LOWEST_RAD), np.sin(HIGHEST_RAD), views))
    roll = rng.normal(0.0, 0.07, views)
    aside = rng.normal(0.0, 0.015, (views, 2))
    back = rng.uniform(-0.9, 0.1, (views, 1))  # the camera's own z points to the head
    cameras = _cameras(yaw, pitch, roll, np.concatenate([aside, back], -1))
    cameras[:, :3, 3] += HEAD_MIDDLE - np.asarray(FACE_ORBIT.pivot, np.float32)
    return cameras


def _cameras(
    yaw: NDArray[np.float64], pitch: NDArray[np.float64], roll: NDArray[np.float64], shift: NDArray[np.float64]
) -> NDArray[np.float32]:
    """cam2world [V, 4, 4] of angles [V] and shifts [V, 3], as :class:`geoinv.camera.CameraPose` takes them."""
    import torch

    from ..camera import CameraPose

    vector = np.concatenate([np.stack([yaw, pitch, roll], -1), shift], -1)
    pose = CameraPose.from_vector(torch.tensor(vector, dtype=torch.float64))
    cameras: NDArray[np.float32] = pose.cam2world(FACE_ORBIT).numpy().astype(np.float32)
    return cameras


def make_dataset(
    out: Path | str,
    heads: int,
    views: int = 5,
    resolution: int = 128,
    seed: int = 0,
    assets: Path | str | None = None,
    *,
    supersample: int = 2,
    shard_size: int = 100,
    twins: bool = False,
    around: bool = False,
    worker: int | None = None,
    workers: int = 1,
    on_shard: Callable[[int, int, float], None] | None = None,
) -> Path:
    """Render a data set into ``out`` and return the folder; complete shards are kept, so an interrupted call resumes.

    Args:
        out: Folder of the data set; it is made where it is missing.
        heads: Number of heads.
        views: Number of views of each head.
        resolution: Side of the pictures in pixels.
        seed: Seed of heads and cameras.
        assets: Folder of the MakeHuman assets; None takes the environment variable GEOINV_ASSETS.
        supersample: Samples a pixel along each axis.
        shard_size: Number of heads in a shard.
        twins: Whether heads come in pairs that differ in expression and gaze alone.
        around: Whether half of the views look from all around the head; else all of them see the face.
        worker: Number of this process among ``workers``; it makes every ``workers``-th shard. None makes all shards.
        workers: Number of processes; without ``worker`` they are started here (the caller's script then needs the
            ``if __name__ == "__main__"`` guard).
        on_shard: Function that is called after each shard with its number, the number of shards, and views a second.

    Raises:
        UsageError: The folder holds another data set, or another process writes to it.
        MissingDependencyError: The assets, the base mesh, moderngl or EGL is missing.
    """
    spec = DatasetSpec(heads, views, resolution, seed, supersample, shard_size, twins, around)
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    with only_one_process(folder) if worker is None else nullcontext():
        if worker is None:
            remove_leftovers(folder)
        _check_same(folder, spec)
        mine = range(spec.shards) if worker is None else range(worker, spec.shards, workers)
        todo = [s for s in mine if not (folder / f"{s:05d}_z.npy").exists()]
        processes = min(workers, len(todo)) if worker is None else 1
        finished = _in_processes if processes > 1 else _in_this_process
        with closing(finished(folder, spec, assets, todo, processes)) as made:
            for shard, rate in made:
                if on_shard:
                    on_shard(shard, spec.shards, rate)
    return folder


def _in_this_process(
    folder: Path, spec: DatasetSpec, assets: Path | str | None, todo: list[int], processes: int
) -> Generator[tuple[int, float], None, None]:
    """Make the shards ``todo`` one after the other; yields the number of each and its views a second."""
    if todo:
        worker = _Worker(folder, spec, assets)
        for shard in todo:
            yield shard, worker.make(shard)


def _in_processes(
    folder: Path, spec: DatasetSpec, assets: Path | str | None, todo: list[int], processes: int
) -> Generator[tuple[int, float], None, None]:
    """Make the shards ``todo`` in several processes; yields the number of each finished one and its views a second."""
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor, as_completed

    from .assets import find_assets, find_base_data
    from .rasteriser import create_context

    root = find_assets(assets)  # what is missing is said here: a pool hides why its processes could not start
    find_base_data()
    create_context().release()
    context = multiprocessing.get_context("spawn")  # an OpenGL context does not survive a fork
    others = set(multiprocessing.active_children())
    with _one_thread_each(), ProcessPoolExecutor(processes, context, _start_worker, (folder, spec, root)) as pool:
        try:
            with _without_interrupts():  # Ctrl-C reaches every process of the terminal; one of them shall answer
                shards = {pool.submit(_make_in_worker, shard): shard for shard in todo}
            for done in as_completed(shards):
                yield shards[done], done.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in set(multiprocessing.active_children()) - others:
                process.terminate()  # nobody waits for the shards under way
            raise


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Let processes that start meanwhile multiply their small matrices with one thread, unless the user says otherwise.

    With one for each core, as is the default, two processes on two cores took 1.5 times as long.
    """
    names = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
    added = {name: "1" for name in names if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            del os.environ[name]


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Ignore Ctrl-C meanwhile in this process, and for good in the processes that are started."""
    if threading.current_thread() is not threading.main_thread():  # where signals cannot be set
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


class _Worker:
    """A sampler and a renderer that write shards."""

    def __init__(self, folder: Path, spec: DatasetSpec, assets: Path | str | None) -> None:
        from .heads import HeadRenderer

        self._folder, self._spec = folder, spec
        self._sampler, self._renderer = HeadSampler(), HeadRenderer(assets, spec.resolution, spec.supersample)

    def make(self, shard: int) -> float:
        """Render and write one shard; returns views a second."""
        start = time.perf_counter()
        arrays = render_shard(self._spec, shard, self._sampler, self._renderer)
        _write_shard(self._folder, shard, arrays)
        heads = int(arrays["rgba"].shape[0])
        return heads * self._spec.views / (time.perf_counter() - start)


_worker: _Worker | None = None  # of this process, where it is one of a pool


def _start_worker(folder: Path, spec: DatasetSpec, assets: Path) -> None:
    global _worker
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _worker = _Worker(folder, spec, assets)


def _end_with_parent() -> None:
    """End this process when its parent ends: a pool's processes outlive a parent that is killed, and would render, or
    wait, for ever."""
    import multiprocessing

    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _make_in_worker(shard: int) -> float:
    assert _worker is not None
    return _worker.make(shard)


def render_shard(
    spec: DatasetSpec, shard: int, sampler: HeadSampler, renderer: object
) -> dict[str, NDArray[np.generic]]:
    """Render all arrays of one shard, by name (see ``docs/formats.md``)."""
    from ..shape import load_head_model
    from .head_codes import HeadCoder
    from .heads import HeadRenderer

    assert isinstance(renderer, HeadRenderer)
    flow_of, codes_of = PlaneFlow(renderer.geometry), HeadCoder(load_head_model(), renderer.geometry)
    first = shard * spec.shard_size
    count = min(spec.shard_size, spec.heads - first)
    size, views = spec.resolution, spec.views
    rgba = np.zeros((count, views, size, size, 4), np.uint8)
    albedo = np.zeros((count, views, size, size, 3), np.uint8)
    depth = np.zeros((count, views, size, size), np.float16)
    normals = np.zeros((count, views, size, size, 3), np.int8)
    landmarks = np.zeros((count, views, 73, 2), np.float32)
    cam2world = np.zeros((count, views, 4, 4), np.float32)
    light = np.zeros((count, 9, 3), np.float32)
    lamp = np.zeros((count, 2, 3), np.float32)
    codes: list[NDArray[np.float32]] = []
    flow = np.zeros((count, *FLOW_SHAPE), np.float16)
    latents = np.zeros((count, sampler.z_dim), np.float32)
    for row in range(count):
        latents[row], cam2world[row] = draw_head(sampler, spec, first + row)
        parameters = sampler(latents[row])
        head = renderer.build(parameters)
        light[row], lamp[row] = parameters.light.total, (parameters.light.direction, parameters.light.lamp)
        codes.append(codes_of(parameters, head.shape).as_vector()[0].numpy())
        flow[row] = flow_of(head.shape)
        for k in range(views):
            view = renderer.render(head, cam2world[row, k])
            rgba[row, k], albedo[row, k], depth[row, k] = view.rgba, view.albedo, view.depth
            normals[row, k] = np.rint(view.normals * 127.0)
            landmarks[row, k] = np.concatenate([view.landmarks68, view.landmarks5])
    return {
        "rgba": rgba,
        "albedo": albedo,
        "depth": depth,
        "normals": normals,
        "cam2world": cam2world,
        "landmarks": landmarks,
        "light": light,
        "lamp": lamp,
        "codes": np.stack(codes),
        "flow": flow,
        "z": latents,
    }


def _write_shard(folder: Path, shard: int, arrays: dict[str, NDArray[np.generic]]) -> None:
    for path in folder.glob(f".{shard:05d}_*"):  # of a process that was killed
        path.unlink(missing_ok=True)
    for name, array in arrays.items():  # z comes last and marks the shard as complete
        with atomic_path(folder / f"{shard:05d}_{name}.npy", durable=True) as temporary:
            np.save(temporary, array)


def _check_same(folder: Path, spec: DatasetSpec) -> None:
    path = folder / "dataset.json"
    if path.exists():
        found = json.loads(path.read_text(encoding="utf-8"))
        if found == spec.describe():
            return
        differing = {key for key, value in spec.describe().items() if found.get(key) != value} - {"heads", "shards"}
        if differing:
            raise UsageError(
                f"{folder} holds another data set ({', '.join(sorted(differing))} differ)", "use a new folder"
            )
    with atomic_path(path, durable=True) as temporary:
        temporary.write_text(json.dumps(spec.describe(), indent=2) + "\n", encoding="utf-8")
