"""The app on tiny random weights: in the same process, and as a server that answers on a port."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvicorn
from fastapi.testclient import TestClient

import geoinv
from geoinv.session import Session
from geoinv.viewer.app import AppSettings
from geoinv.viewer.app.results import RESULTS, Making, Result
from geoinv.viewer.app.routes import Service, create_app
from geoinv.viewer.app.server import listening
from geoinv.viewer.app.worker import Urgency
from tests.tiny_models import write_tiny_weights

EXAMPLES = Path(__file__).parents[3] / "examples"


@pytest.fixture(scope="session")
def tiny_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_weights(tmp_path_factory.mktemp("weights") / "weights")


@pytest.fixture(scope="session")
def session(tiny_weights: Path) -> Session:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GEOINV_WEIGHTS", str(tiny_weights))
        loaded = geoinv.load()
        _ = loaded.encoder, loaded.local_branch, loaded.directions, loaded.reach, loaded.aligner
        return loaded


@pytest.fixture(scope="session")
def photo() -> bytes:
    return (EXAMPLES / "woman.jpg").read_bytes()


@dataclass(frozen=True)
class Client:
    """A client of the app, and what is behind it."""

    http: TestClient
    service: Service
    out: Path
    close: Callable[[], None]

    def send(self, photo: bytes, name: str = "me.jpg") -> str:
        """Send a photo; returns the name of its job."""
        answer = self.http.post("/api/jobs", files={"photo": (name, photo)})
        assert answer.status_code == 202, answer.text
        assert answer.headers["location"] == f"/api/jobs/{answer.json()['id']}"
        return str(answer.json()["id"])

    def finished(self, job: str) -> dict[str, object]:
        """Wait until a job is done or has failed; returns its status."""
        return wait_until(lambda: self.status(job) if self.status(job)["state"] in ("done", "failed") else None)

    def status(self, job: str) -> dict[str, object]:
        values = self.http.get(f"/api/jobs/{job}").json()
        assert isinstance(values, dict)
        return values

    def head(self, photo: bytes) -> str:
        """Send a photo and wait for its head; returns the name of its job."""
        job = self.send(photo)
        status = self.finished(job)
        assert status["state"] == "done", status
        return job


def wait_until(look: Callable[[], object], seconds: float = 60.0) -> object:
    """What ``look`` gives as soon as that is true."""
    end = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)
    return found


@pytest.fixture
def make_client(session: Session, tmp_path: Path) -> Iterator[Callable[..., Client]]:
    """Makes a client of an app with settings of its own; its folder may hold something already."""
    with ExitStack() as everything:

        def make(**settings: object) -> Client:
            given = AppSettings(tmp_path / "out", **settings)  # type: ignore[arg-type]
            app = create_app(session, given)
            opened = everything.enter_context(ExitStack())
            http = opened.enter_context(TestClient(app, base_url="http://localhost:8765"))
            return Client(http, app.state.service, given.out, opened.close)

        yield make


@pytest.fixture
def client(make_client: Callable[..., Client]) -> Client:
    return make_client()


def hold_up(service: Service) -> Callable[[], None]:
    """Keep the worker busy; returns what lets it go on."""
    wait_until(lambda: service.is_ready)
    begun, release = threading.Event(), threading.Event()
    service.worker.submit(Urgency.long, lambda: (begun.set(), release.wait(60)))
    assert begun.wait(10)
    return release.set


@pytest.fixture
def slow_file(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], str]:
    """Lets a file be made in so many steps of 10 ms; returns its name."""

    def slow(steps: int) -> str:
        def make(making: Making, path: Path) -> None:
            for step in range(steps):
                time.sleep(0.01)
                making.tell((step + 1) / steps)
            path.write_text("made", encoding="utf-8")

        monkeypatch.setitem(RESULTS, "report.json", Result(make, "slow", "slow"))
        return "report.json"

    return slow


@dataclass(frozen=True)
class Running:
    """An app that answers on a port."""

    port: int
    service: Service
    out: Path

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@pytest.fixture
def running(session: Session, tmp_path: Path) -> Iterator[Running]:
    """The app, served by uvicorn in a thread."""
    settings = AppSettings(tmp_path / "out", port=0)
    app = create_app(session, settings)
    listener = listening(settings)
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, log_level="error", timeout_graceful_shutdown=3))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    wait_until(lambda: server.started)
    yield Running(listener.getsockname()[1], app.state.service, settings.out)
    server.should_exit = True
    thread.join(20)
    assert not thread.is_alive()
