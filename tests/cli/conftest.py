"""Commands run in-process through ``run([...])``, on tiny random weights."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from geoinv.cli import console
from geoinv.cli.app import run
from tests.tiny_models import write_tiny_weights

EXAMPLES = Path(__file__).parents[2] / "examples"


@dataclass(frozen=True)
class Done:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """stdout as one JSON object."""
        value = json.loads(self.out)
        assert isinstance(value, dict)
        return value

    def assert_fails(self, code: int, *parts: str) -> None:
        """The documented code, one ``error:`` line and one ``hint:`` line with these parts, and an empty stdout."""
        lines = [line for line in self.err.splitlines() if not line.startswith(("warning:", "model ", "using "))]
        assert self.code == code, self.err
        assert self.out == ""
        assert len(lines) == 2, self.err
        assert lines[0].startswith("error: ")
        assert lines[1].startswith("hint: ")
        for part in parts:
            assert part in self.err


@pytest.fixture(scope="session")
def tiny_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_weights(tmp_path_factory.mktemp("weights") / "weights")


@pytest.fixture(autouse=True)
def workplace(tiny_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every test runs in a folder of its own, with the tiny weights."""
    monkeypatch.setenv("GEOINV_WEIGHTS", str(tiny_weights))
    monkeypatch.chdir(tmp_path)
    yield
    console.set_quiet(False)


@pytest.fixture
def geoinv(capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """``geoinv("invert", photo, "--json")`` -> code, stdout and stderr."""

    def call(*arguments: object) -> Done:
        capsys.readouterr()
        code = run([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Done(code, captured.out, captured.err)

    return call


@pytest.fixture(scope="session")
def woman() -> Path:
    return EXAMPLES / "woman.jpg"


@pytest.fixture(scope="session")
def inverted(tiny_weights: Path, woman: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``woman.geoinv``, made once by the command itself."""
    out = tmp_path_factory.mktemp("inverted")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GEOINV_WEIGHTS", str(tiny_weights))
        assert run(["invert", str(woman), "--out", str(out), "--no-turntable", "--device", "cpu", "-q"]) == 0
    return out / "woman.geoinv"
