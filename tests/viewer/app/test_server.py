"""The app as a server: crowds, bad files, clients that leave, files without end, and Ctrl-C."""

from __future__ import annotations

import http.client
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from geoinv.errors import UsageError
from geoinv.files import only_one_process
from geoinv.viewer.app import AppSettings, serve
from geoinv.viewer.app.server import address_of, listening

from .conftest import Running, hold_up, wait_until

ROOT = Path(__file__).parents[3]
BOUNDARY = "seam"
HEAD = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="photo"; filename="me.jpg"\r\n\r\n'.encode()
TAIL = f"\r\n--{BOUNDARY}--\r\n".encode()
TYPE = f"multipart/form-data; boundary={BOUNDARY}"


def send(port: int, photo: bytes) -> tuple[int, dict[str, object]]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    connection.request("POST", "/api/jobs", HEAD + photo + TAIL, {"content-type": TYPE})
    answer = connection.getresponse()
    values = json.loads(answer.read())
    connection.close()
    return answer.status, values


def status(port: int, job: object) -> dict[str, object]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/jobs/{job}", timeout=60) as answer:
        values = json.load(answer)
    assert isinstance(values, dict)
    return values


def end_of(port: int, job: object) -> object:
    return wait_until(lambda: (now := status(port, job)["state"]) in ("done", "failed") and now, 120)


def send_fifty(running: Running, photo: bytes) -> list[object]:
    with ThreadPoolExecutor(50) as senders:
        answers = list(senders.map(lambda _: send(running.port, photo), range(50)))
    assert Counter(code for code, _ in answers) == {202: 50}
    jobs = [values["id"] for _, values in answers]
    assert len(set(jobs)) == 50
    return jobs


def test_fifty_photos_at_once_wait_in_line(running: Running, photo: bytes) -> None:
    release = hold_up(running.service)
    jobs = send_fifty(running, photo)
    assert sorted(status(running.port, job)["position"] for job in jobs) == list(range(1, 51))  # type: ignore[type-var]
    for job in jobs[:48]:
        running.service.remove(running.service.jobs.get(str(job)))
    release()
    assert [end_of(running.port, job) for job in jobs[48:]] == ["done", "done"]
    wait_until(lambda: {path.name for path in running.out.iterdir()} == set(jobs[48:]))


@pytest.mark.slow
def test_fifty_photos_at_once_become_heads(running: Running, photo: bytes) -> None:
    assert Counter(end_of(running.port, job) for job in send_fifty(running, photo)) == {"done": 50}


def test_two_hundred_bad_files(running: Running, photo: bytes) -> None:
    kinds = [
        b"",
        b"text",
        photo[:3000],
        b"\x89PNG\r\n\x1a\n" + bytes(100),
        b"%PDF-1.7",
        bytes(5000),
        b"GIF89a",
        photo[::-1],
    ]
    jobs = []
    for number in range(200):
        code, values = send(running.port, kinds[number % len(kinds)] + bytes([number % 7]) * (number % len(kinds) > 0))
        assert code in (202, 503)  # refused while too many wait
        jobs += [values["id"]] if code == 202 else []
    assert len(jobs) >= 100
    assert Counter(end_of(running.port, job) for job in jobs) == {"failed": len(jobs)}
    wait_until(lambda: list(running.out.iterdir()) == [])
    assert end_of(running.port, send(running.port, photo)[1]["id"]) == "done"  # and it goes on


def test_who_leaves_while_sending_leaves_nothing(running: Running, photo: bytes) -> None:
    with socket.create_connection(("127.0.0.1", running.port)) as connection:
        head = f"POST /api/jobs HTTP/1.1\r\nhost: localhost\r\ncontent-type: {TYPE}\r\ncontent-length: 2000000\r\n\r\n"
        connection.sendall(head.encode() + HEAD + photo[:20000])
        wait_until(lambda: any(running.out.glob("*")))
    wait_until(lambda: list(running.out.iterdir()) == [])
    assert len(running.service.jobs) == 0


def test_who_leaves_while_waiting_is_not_worked_for(
    running: Running, photo: bytes, slow_file: Callable[[int], str]
) -> None:
    job = str(send(running.port, photo)[1]["id"])
    assert end_of(running.port, job) == "done"
    with socket.create_connection(("127.0.0.1", running.port)) as connection:
        address = f"/api/jobs/{job}/files/{slow_file(10_000)}"  # would take 100 s
        connection.sendall(f"GET {address} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode())
        wait_until(lambda: running.service.jobs.get(job).making)
    wait_until(lambda: not running.service.jobs.get(job).making, 20)
    assert sorted(path.name for path in running.out.rglob("*") if path.is_file()) == ["head.geoinv", "photo"]


class TestAFileWithoutEnd:
    """300 MB against a limit of 32."""

    SIZE = 300_000_000
    PIECE = bytes(250_000)

    def pieces(self) -> Iterator[bytes]:
        yield HEAD
        for _ in range(self.SIZE // len(self.PIECE)):
            yield self.PIECE
        yield TAIL

    @pytest.mark.parametrize("says_its_length", [True, False])
    def test_is_refused_while_it_comes(self, running: Running, says_its_length: bool) -> None:
        most = 0
        watching = True

        def watch() -> None:
            nonlocal most
            while watching:
                sizes = [path.stat().st_size for path in running.out.rglob("*") if path.is_file()]
                most = max([most, *sizes])
                time.sleep(0.01)

        watcher = threading.Thread(target=watch)
        watcher.start()
        memory_before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=60)
        headers = {"content-type": TYPE}
        if says_its_length:
            headers["content-length"] = str(len(HEAD) + self.SIZE + len(TAIL))
        with suppress(OSError):  # cut off while sending; what was answered can be read all the same
            connection.request("POST", "/api/jobs", self.pieces(), headers, encode_chunked=not says_its_length)
        answer = connection.getresponse()
        assert answer.status == 413
        assert "larger than 32 MB" in json.loads(answer.read())["message"]
        connection.close()
        watching = False
        watcher.join()
        assert most <= 32_000_000
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory_before < 100_000  # KB
        wait_until(lambda: list(running.out.iterdir()) == [])


def test_who_asks_first_is_refused_before_sending(running: Running) -> None:
    with socket.create_connection(("127.0.0.1", running.port), timeout=10) as connection:
        head = (
            f"POST /api/jobs HTTP/1.1\r\nhost: localhost\r\ncontent-type: {TYPE}\r\n"
            "content-length: 300000000\r\nexpect: 100-continue\r\n\r\n"
        )
        connection.sendall(head.encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_ctrl_c_ends_it_cleanly(tiny_weights: Path, tmp_path: Path, photo: bytes, number: signal.Signals) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "geoinv", "app", "--port", "0", "--out", str(tmp_path / "out")],
        cwd=tmp_path,
        env={**os.environ, "GEOINV_WEIGHTS": str(tiny_weights), "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        port = int(process.stdout.readline().rstrip("/\n").rpartition(":")[2])
        first = send(port, photo)[1]["id"]
        assert end_of(port, first) == "done"
        asked = threading.Thread(target=_ask_for_a_video, args=(port, first))
        asked.start()
        wait_until(lambda: status(port, first)["making"], 60)
        for _ in range(5):
            send(port, photo)
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
        asked.join(10)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0, err
    assert "Traceback" not in err and err.endswith("the app has ended\n")
    assert out == ""
    files = [path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*")]
    assert sorted(files) == [first, f"{first}/head.geoinv", f"{first}/photo"]  # nothing that waited, no half video


def _ask_for_a_video(port: int, job: object) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", f"/api/jobs/{job}/files/turntable.gif")
    assert connection.getresponse().status == 503


class TestListening:
    def test_is_for_this_machine_alone(self, tmp_path: Path) -> None:
        with listening(AppSettings(tmp_path, port=0)) as listener:
            assert listener.getsockname()[0] == "127.0.0.1"
            assert address_of(listener, "127.0.0.1") == f"http://127.0.0.1:{listener.getsockname()[1]}/"
            assert address_of(listener, "0.0.0.0").startswith("http://localhost:")
            assert address_of(listener, "::1").startswith("http://[::1]:")

    def test_on_a_taken_port_is_an_error(self, tmp_path: Path) -> None:
        with listening(AppSettings(tmp_path, port=0)) as listener:
            port = listener.getsockname()[1]
            with pytest.raises(UsageError, match=f"cannot listen on 127.0.0.1:{port}: address already in use"):
                listening(AppSettings(tmp_path, port=port))

    def test_under_an_unknown_name_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="cannot listen on 256.0.0.1"):
            listening(AppSettings(tmp_path, host="256.0.0.1"))

    def test_two_apps_in_one_folder_are_refused(self, session: object, tmp_path: Path) -> None:
        with only_one_process(tmp_path), pytest.raises(UsageError, match="another run is at work"):
            serve(session, AppSettings(tmp_path, port=0), on_ready=print)  # type: ignore[arg-type]
