"""Fetching from a server on loopback: whole, cut, resumed, wrong, missing, and with no server at all."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from geoinv.checkpoints.fetch import fetch, verify
from geoinv.checkpoints.index import Entry
from geoinv.errors import CheckpointError, GeoinvError, UsageError

BODY = bytes(range(256)) * 4000


@dataclass
class Server:
    """What the server does, and what it was asked."""

    url: str = ""
    body: bytes = BODY
    etag: str | None = '"1"'
    has_ranges: bool = True
    cut_after: int | None = None
    is_chunked: bool = False
    status: int = 200
    ranges: list[str | None] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            asked = self.headers.get("Range")
            state.ranges.append(asked)
            if state.status != 200:
                self.send_error(state.status)
                return
            start = 0
            if asked and state.has_ranges and self.headers.get("If-Range") in (None, state.etag):
                start = int(asked.removeprefix("bytes=").removesuffix("-"))
                if start >= len(state.body):
                    self.send_error(416)
                    return
            state.answers.append(206 if start else 200)
            self.send_response(state.answers[-1])
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(state.body) - 1}/{len(state.body)}")
            if state.etag:
                self.send_header("ETag", state.etag)
            rest = state.body[start:]
            sent = rest if state.cut_after is None else rest[: state.cut_after]
            if state.is_chunked:
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                self.wfile.write(b"%x\r\n" % len(rest) + sent)
                if len(sent) == len(rest):
                    self.wfile.write(b"\r\n0\r\n\r\n")
            else:
                self.send_header("Content-Length", str(len(rest)))
                self.end_headers()
                self.wfile.write(sent)
            self.close_connection = True

        def log_message(self, *_: object) -> None: ...

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    state.url = f"http://127.0.0.1:{http.server_port}/x.bin"
    yield state
    http.shutdown()
    thread.join()
    http.server_close()


@pytest.fixture
def entry(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Entry:
    monkeypatch.setenv("GEOINV_CACHE", str(tmp_path / "cache"))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return Entry("x", "x.bin", "MIT", "us", len(BODY), hashlib.sha256(BODY).hexdigest(), server.url)


def left(entry: Entry) -> list[str]:
    return sorted(path.name for path in entry.path.parent.iterdir())


def test_whole(entry: Entry, server: Server) -> None:
    seen: list[tuple[int, int | None]] = []
    assert verify(entry) == "missing"
    path = fetch(entry, on_progress=lambda done, total: seen.append((done, total)))
    assert path.read_bytes() == BODY
    assert left(entry) == ["x.bin"]
    assert seen[-1] == (len(BODY), len(BODY))
    assert verify(entry) == "ok"
    fetch(entry)
    assert len(server.ranges) == 1, "what is here is not fetched again"


def test_damage_is_seen_and_mended(entry: Entry) -> None:
    path = fetch(entry)
    path.write_bytes(BODY[:-1] + b"x")
    assert verify(entry).startswith("damaged: sha256")
    path.write_bytes(BODY[:-1])
    assert verify(entry) == f"damaged: {len(BODY) - 1} bytes, not {len(BODY)}"
    assert fetch(entry).read_bytes() == BODY


def test_first_hash_is_kept_where_none_is_known(entry: Entry) -> None:
    unknown = replace(entry, sha256=None, size=None)
    path = fetch(unknown)
    assert verify(unknown) == "ok"
    path.write_bytes(b"other")
    assert verify(unknown).startswith("damaged")
    path.with_name("x.bin.sha256").unlink()
    assert verify(unknown) == "unknown hash"


@pytest.mark.parametrize("is_chunked", [False, True])
def test_cut_connection_goes_on(entry: Entry, server: Server, is_chunked: bool) -> None:
    server.cut_after, server.is_chunked = 300_000, is_chunked
    with pytest.raises(CheckpointError, match="cut after [0-9]+ of") as caught:
        fetch(entry)
    assert "goes on" in (caught.value.hint or "")
    assert not entry.path.exists()
    had = entry.path.with_name("x.bin.part").stat().st_size
    assert 0 < had <= 300_000
    server.cut_after = None
    assert fetch(entry).read_bytes() == BODY
    assert server.ranges == [None, f"bytes={had}-"]
    assert server.answers == [200, 206]
    assert left(entry) == ["x.bin"]


def cut_once(entry: Entry, server: Server) -> None:
    server.cut_after = 300_000
    with pytest.raises(CheckpointError):
        fetch(entry)
    server.cut_after = None


def test_server_without_ranges_begins_anew(entry: Entry, server: Server) -> None:
    cut_once(entry, server)
    server.has_ranges = False
    assert fetch(entry).read_bytes() == BODY


def test_file_that_changed_begins_anew(entry: Entry, server: Server) -> None:
    cut_once(entry, server)
    server.etag, server.body = '"2"', BODY[::-1]
    changed = replace(entry, sha256=hashlib.sha256(BODY[::-1]).hexdigest())
    assert fetch(changed).read_bytes() == BODY[::-1]


def test_server_without_versions_is_not_gone_on_with(entry: Entry, server: Server) -> None:
    server.etag = None
    cut_once(entry, server)
    assert fetch(entry).read_bytes() == BODY
    assert server.ranges == [None, None]


def test_part_that_is_too_long(entry: Entry, server: Server) -> None:
    cut_once(entry, server)
    entry.path.with_name("x.bin.part").write_bytes(BODY * 2)
    assert fetch(entry).read_bytes() == BODY


@pytest.mark.parametrize("change", [{"sha256": "0" * 64}, {"size": 3}])
def test_another_file_is_removed(entry: Entry, change: dict[str, str | int]) -> None:
    wrong = replace(entry, **change)  # type: ignore[arg-type]
    with pytest.raises(CheckpointError, match="is not the file of the index"):
        fetch(wrong)
    assert left(entry) == []


def test_not_found(entry: Entry, server: Server) -> None:
    server.status = 404
    with pytest.raises(CheckpointError, match="answers 404 Not Found"):
        fetch(entry)
    assert not entry.path.exists()


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/x.bin", "https://weights.invalid/x.bin"])
def test_no_network(entry: Entry, url: str) -> None:
    with pytest.raises(CheckpointError, match="no network: [a-z0-9.]+ cannot be reached") as caught:
        fetch(replace(entry, url=url))
    assert url in (caught.value.hint or "")


def test_licence_must_be_accepted(entry: Entry, server: Server) -> None:
    bound = replace(entry, licence="X Licence", licence_url="https://x/licence", non_commercial=True)
    with pytest.raises(UsageError, match="X Licence, which allows no commercial use") as caught:
        fetch(bound)
    assert "https://x/licence" in (caught.value.hint or "") and "--accept-licence" in (caught.value.hint or "")
    assert server.ranges == []
    assert fetch(bound, accept_licence=True).read_bytes() == BODY


def test_shipped_files_are_not_fetched(entry: Entry) -> None:
    with pytest.raises(UsageError, match="ships with geoinv"):
        fetch(replace(entry, url=None))


def test_cache_that_cannot_be_written(entry: Entry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GEOINV_CACHE", str(tmp_path / "file"))
    with pytest.raises(UsageError, match="cannot write") as caught:
        fetch(entry)
    assert "GEOINV_CACHE" in (caught.value.hint or "")


def test_errors_are_one_line(entry: Entry, server: Server) -> None:
    failures: list[Callable[[], object]] = [
        lambda: fetch(replace(entry, sha256="0" * 64)),
        lambda: fetch(replace(entry, url="http://127.0.0.1:9/")),
    ]
    for failure in failures:
        with pytest.raises(GeoinvError) as caught:
            failure()
        assert "\n" not in caught.value.message + (caught.value.hint or "")


def test_two_at_once_fetch_once(entry: Entry, server: Server) -> None:
    unknown = replace(entry, sha256=None, size=None)  # nothing but the order would tell a mixed file
    with ThreadPoolExecutor(2) as pool:
        paths = list(pool.map(lambda _: fetch(unknown), range(2)))
    assert [path.read_bytes() == BODY for path in paths] == [True, True]
    assert len(server.ranges) == 1
    assert left(entry) == ["x.bin", "x.bin.sha256"]


@pytest.mark.parametrize("version", [b"", b"\xff\xfe", b'"1"\r\nX: y'])
def test_a_damaged_version_begins_anew(entry: Entry, server: Server, version: bytes) -> None:
    cut_once(entry, server)
    entry.path.with_name("x.bin.part.etag").write_bytes(version)
    assert fetch(entry).read_bytes() == BODY
    assert server.ranges == [None, None]


def test_a_damaged_hash_is_none(entry: Entry) -> None:
    unknown = replace(entry, sha256=None, size=None)
    fetch(unknown)
    entry.path.with_name("x.bin.sha256").write_bytes(b"\xff\x00")
    assert verify(unknown).startswith("damaged")


def test_no_home(entry: Entry, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(number: int) -> None:
        raise KeyError(number)

    for name in ("GEOINV_CACHE", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", nobody)
    with pytest.raises(CheckpointError, match="no home folder"):
        fetch(entry)
