"""``geoinv app`` as a command: what it refuses before it serves."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from geoinv.cli.app import run
from geoinv.viewer.app import AppSettings, is_loopback


@pytest.fixture(autouse=True)
def workplace(tiny_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("GEOINV_WEIGHTS", str(tiny_weights))
    monkeypatch.chdir(tmp_path)
    yield
    assert list(tmp_path.rglob("outputs/app/*")) == []


@pytest.mark.parametrize("package", ["fastapi", "uvicorn", "python_multipart"])
def test_a_missing_package_is_one_line(
    package: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    assert run(["app"]) == 6
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == f"error: the app needs the package {package}\nhint: pip install 'geoinv[app]'\n"


def test_a_taken_port_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert run(["app", "--port", str(port), "-q"]) == 2
    assert capsys.readouterr().err.startswith(f"error: cannot listen on 127.0.0.1:{port}: ")


def test_a_model_without_encoder_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], tiny_weights: Path
) -> None:
    (tmp_path / "alone-generator.safetensors").write_bytes((tiny_weights / "mini-generator.safetensors").read_bytes())
    assert run(["app", "--model", str(tmp_path / "alone-generator.safetensors"), "-q"]) == 3
    assert "encoder" in capsys.readouterr().err


@pytest.mark.parametrize(
    "options", [["--port", "70000"], ["--max-upload", "0"], ["--keep", "nan"], ["--out", "/dev/null/x"]]
)
def test_options_out_of_range_are_one_line(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["app", *options]) == 2
    assert capsys.readouterr().err.count("error: ") == 1


def test_it_is_for_this_machine_alone_unless_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert is_loopback(AppSettings(tmp_path).host)
    monkeypatch.setattr("geoinv.viewer.app.serve", lambda session, settings, on_ready: on_ready("http://here/"))
    hosts = {"127.0.0.1": False, "::1": False, "localhost": False, "0.0.0.0": True, "me.local": True}
    for host, is_warned in hosts.items():
        assert run(["app", "--host", host]) == 0
        captured = capsys.readouterr()
        assert captured.out == "geoinv app: http://here/\n"
        assert ("there is no password" in captured.err) == is_warned
