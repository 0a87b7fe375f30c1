"""Building of native operations: the environment's choice, and what a failed build says."""

from __future__ import annotations

from pathlib import Path

import pytest

from geoinv.errors import NativeBuildError, UsageError
from geoinv.ops import _build


@pytest.fixture
def broken_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, ...]:
    monkeypatch.setenv("GEOINV_CACHE", str(tmp_path / "cache"))
    source = tmp_path / "broken.cpp"
    source.write_text("#error this never compiles\n")
    return (source,)


def test_unknown_backend_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEOINV_BACKEND", "fast")
    with pytest.raises(UsageError, match="GEOINV_BACKEND is 'fast'"):
        _build.backend_choice()


def test_failed_build_falls_back_with_one_message(
    broken_source: tuple[Path, ...], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GEOINV_BACKEND", "auto")
    assert not _build.load_native("broken", broken_source)
    assert not _build.load_native("broken", broken_source)
    assert capfd.readouterr().err.count("runs as plain torch") == 1
    _build.load_native.cache_clear()


def test_failed_build_raises_where_native_is_demanded(
    broken_source: tuple[Path, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEOINV_BACKEND", "native")
    with pytest.raises(NativeBuildError, match="native broken cannot be built"):
        _build.load_native("broken", broken_source)
