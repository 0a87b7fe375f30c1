"""Workers as actors of a Ray cluster, which may be other machines that see the same folders."""

from __future__ import annotations

import logging
import socket
import sys
import threading
import uuid
from pathlib import Path
from typing import Any, TextIO

from ..errors import GeoinvError, MissingDependencyError, UsageError
from .photo_files import PhotoFile
from .photo_worker import Job, Outcome, PhotoWorker

_START = "ray start --head starts one"
_MAX_CONNECT_S = 10.0
_MAX_START_S = 60.0  # an actor that has not started by then waits for a processor, with a machine gone for ever


class RayCrew:
    """One actor for each processor of the cluster, or as many as are asked for; each loads weights once.

    Photos and results are read and written by the actors themselves, so the folders must be shared by all machines,
    under the same paths; an actor that does not see the folder of the results ends the run.

    Args:
        job: What to do.
        size: Number of actors; None takes one for each processor of the cluster.
        photos: Number of photos, of which there are at most as many actors.
        overwrite: Whether what was done before is done again.
        address: Address of the cluster; None starts one on this machine.
        out: Folder of the results.

    Raises:
        MissingDependencyError: Ray is not installed.
        UsageError: No cluster at the address, or machines that do not see the folder of the results.
    """

    def __init__(
        self, job: Job[Any], size: int | None, photos: int, *, overwrite: bool, address: str | None, out: Path
    ) -> None:
        self._ray = _started_ray(address)
        self._stdout, sys.stdout = sys.stdout, _OfMainThread(sys.stdout)  # type: ignore[assignment]  # acts as one
        self._job, self._overwrite = job, overwrite
        wanted = size or int(self._ray.cluster_resources().get("CPU", 1))
        self._actors = [self._made() for _ in range(min(wanted, photos))]
        self._busy: dict[Any, int] = {}  # worker of each future
        self._check_sight(out)

    @property
    def size(self) -> int:
        """Number of actors."""
        return len(self._actors)

    def give(self, worker: int, photo: PhotoFile) -> None:
        """Let an idle actor begin with a photo."""
        self._busy[self._actors[worker].do.remote(photo)] = worker

    def wait(self) -> tuple[int, Outcome | None]:
        """Wait for any actor; see :class:`~geoinv.cli.crew.Crew`."""
        ready = self._ray.wait(list(self._busy), num_returns=1)[0][0]
        worker = self._busy.pop(ready)
        try:
            answer = self._ray.get(ready)
        except self._ray.exceptions.RayActorError:  # it, or its machine, is gone
            return worker, None
        if isinstance(answer, GeoinvError):
            raise answer
        return worker, answer

    def replace(self, worker: int) -> bool:
        """Start a new actor in the place of one that died; Ray chooses the machine, if one has a free processor."""
        actor = self._made()
        self._actors[worker] = actor
        started, _ = self._ray.wait([actor.__ray_ready__.remote()], timeout=_MAX_START_S)
        if not started:
            self._ray.kill(actor)
        return bool(started)

    def close(self) -> None:
        """End all actors and leave the cluster."""
        for actor in self._actors:
            self._ray.kill(actor)
        self._ray.shutdown()
        sys.stdout = self._stdout

    def _made(self) -> Any:
        return self._ray.remote(num_cpus=1, max_restarts=0)(_Actor).remote(self._job, self._overwrite)

    def _check_sight(self, out: Path) -> None:
        mark = out / f".geoinv-{uuid.uuid4().hex}"
        out.mkdir(parents=True, exist_ok=True)
        mark.touch()
        try:
            blind = [self._ray.get(actor.blind_host.remote(mark.absolute())) for actor in self._actors]
        finally:
            mark.unlink()
        hosts = sorted({host for host in blind if host is not None})
        if hosts:
            self.close()
            raise UsageError(
                f"{', '.join(hosts)} of the cluster cannot see {out.absolute()}",
                "photos and --out must be in a folder that all machines share",
            )


class _OfMainThread:
    """A stream for results: what other threads write goes to stderr, as Ray reports lost machines on stdout."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        is_main = threading.current_thread() is threading.main_thread()
        return getattr(self._stream if is_main else sys.stderr, name)


class _Actor:
    """A worker; errors of geoinv are handed back as values, so that Ray does not wrap them."""

    def __init__(self, job: Job[Any], overwrite: bool) -> None:
        self._worker = PhotoWorker(job, overwrite=overwrite)

    def do(self, photo: PhotoFile) -> Outcome | GeoinvError:
        """Do one photo."""
        try:
            return self._worker.do(photo)
        except GeoinvError as error:
            return error

    def blind_host(self, mark: Path) -> str | None:
        """Name of this machine if it does not see a file, else None."""
        return None if mark.exists() else socket.gethostname()


def _started_ray(address: str | None) -> Any:
    try:
        import ray
    except ImportError as error:
        raise MissingDependencyError("--engine ray needs Ray", "pip install geoinv[ray]") from error
    if address is not None:
        _check_answers(address)
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, include_dashboard=False)
    except (ConnectionError, ValueError, RuntimeError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UsageError(f"no Ray cluster at {address}: {reason}", _START) from error
    return ray


def _check_answers(address: str) -> None:
    """Refuse an address where nothing listens: Ray itself would try for seven minutes, and then end the process."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not port.isdecimal():  # "auto": the cluster of this machine
        return
    try:
        socket.create_connection((host, int(port)), timeout=_MAX_CONNECT_S).close()
    except (OSError, OverflowError) as error:
        raise UsageError(f"no Ray cluster at {address}: {error}", _START) from error
