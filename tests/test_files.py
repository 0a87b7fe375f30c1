"""Files are written whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from geoinv.errors import UsageError
from geoinv.files import atomic_path


def test_replaces_the_old_file_only_on_success(tmp_path: Path) -> None:
    target = tmp_path / "new" / "result.txt"
    with atomic_path(target) as temporary:
        assert temporary.suffix == ".txt" and temporary.parent == target.parent
        temporary.write_text("first")
        assert not target.exists()
    assert target.read_text() == "first"


def test_failure_leaves_nothing_behind(tmp_path: Path) -> None:
    target = tmp_path / "result.txt"
    target.write_text("old")
    with pytest.raises(RuntimeError), atomic_path(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot write .*result.txt"), atomic_path(tmp_path / "file" / "result.txt"):
        pass


def test_a_folder_in_the_way(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="it is a folder"), atomic_path(tmp_path):
        pass


def test_full_disk(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no space left"), atomic_path(tmp_path / "result.txt"):
        raise OSError(28, "No space left on device")
    assert not list(tmp_path.iterdir())
