"""Files are written whole or not at all."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from geoinv.errors import UsageError
from geoinv.files import (
    append_line,
    atomic_path,
    one_process_at_a_time,
    only_one_process,
    remove_leftovers,
    shortened_name,
)


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


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        (errno.ENOSPC, "free some space"),
        (errno.EDQUOT, "quota"),
        (errno.EROFS, "read-only"),
        (errno.EACCES, "may write to"),
        (errno.ENAMETOOLONG, "shorter name"),
    ],
)
def test_hints_name_the_true_cause(tmp_path: Path, code: int, hint: str) -> None:
    with pytest.raises(UsageError) as caught, atomic_path(tmp_path / "result.txt"):
        raise OSError(code, os.strerror(code))
    assert hint in str(caught.value.hint)


def test_long_names(tmp_path: Path) -> None:
    name = "x" * 246 + ".jpg"
    with atomic_path(tmp_path / name) as temporary:  # its temporary name would be too long
        temporary.write_text("whole")
    assert [path.name for path in tmp_path.iterdir()] == [name]
    with pytest.raises(UsageError, match="too long"), atomic_path(tmp_path / ("x" * 300)):
        pass


def test_shortened_names() -> None:
    assert shortened_name("short") == "short"
    long, other = ("é" * 200 + end for end in "ab")
    assert len(os.fsencode(shortened_name(long))) in (239, 240)
    assert shortened_name(long) == shortened_name(long) != shortened_name(other)
    assert shortened_name(long, 20)[:6] == "éééééxx"[:5] + "-"


def test_shared_folders_keep_what_is_being_written(tmp_path: Path) -> None:
    pytest.importorskip("fcntl")
    code = (
        "import sys, os\n"
        "from geoinv.files import atomic_path\n"
        "with atomic_path('result.txt') as temporary:\n"
        "    print(temporary, flush=True)\n"
        "    sys.stdin.read()\n"
        "    os._exit(1)\n"
    )
    writer = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert writer.stdout is not None
    temporary = tmp_path / writer.stdout.readline().decode().strip()
    remove_leftovers(tmp_path, is_shared=True)
    assert temporary.exists()
    writer.communicate()  # it dies without cleaning up
    assert temporary.exists()
    remove_leftovers(tmp_path, is_shared=True)
    assert not temporary.exists()


def test_leftovers_of_killed_processes_are_removed_and_nothing_else(tmp_path: Path) -> None:
    kept = [tmp_path / name for name in ("result.txt", ".hidden", ".notes-12345678.txt", "state-12345678.part.pt")]
    for path in kept:
        path.touch()
    for name in ("result.txt", "bare", "two.dots.npy"):
        with suppress(KeyboardInterrupt), atomic_path(tmp_path / name) as temporary:
            raise KeyboardInterrupt
        temporary.touch()  # as if the block had not been left, but killed
    remove_leftovers(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted(kept)


def test_durable_files_are_files_like_others(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "deep" / "result.txt", durable=True) as temporary:
        temporary.write_text("first")
    assert [path.read_text() for path in tmp_path.rglob("*.txt")] == ["first"]


def test_one_process_at_a_time(tmp_path: Path) -> None:
    pytest.importorskip("fcntl")
    refused = pytest.raises(UsageError, match="another run is at work")
    with only_one_process(tmp_path), refused, only_one_process(tmp_path):
        pass
    with only_one_process(tmp_path):
        assert not list(tmp_path.iterdir())  # the lock is no file


class TestLines:
    def test_one_after_another(self, tmp_path: Path) -> None:
        path = tmp_path / "new" / "lines"
        append_line(path, "one")
        append_line(path, "two")
        assert path.read_bytes() == b"one\ntwo\n"

    def test_a_cut_line_is_ended_first(self, tmp_path: Path) -> None:
        (tmp_path / "lines").write_bytes(b"one\ntw")
        append_line(tmp_path / "lines", "three")
        assert (tmp_path / "lines").read_bytes() == b"one\ntw\nthree\n"

    def test_a_disk_with_room_for_a_part_of_it(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        whole = os.write
        monkeypatch.setattr(os, "write", lambda descriptor, data: whole(descriptor, data[:2]))
        with pytest.raises(UsageError, match="cannot write .*lines: no space left"):
            append_line(tmp_path / "lines", "one")
        monkeypatch.undo()
        append_line(tmp_path / "lines", "two")
        assert (tmp_path / "lines").read_bytes() == b"on\ntwo\n"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such locks")
class TestTurns:
    def test_what_is_read_and_written_again_loses_nothing(self, tmp_path: Path) -> None:
        path = tmp_path / "number"
        path.write_text("0")
        code = (
            "import sys, time, pathlib; from geoinv.files import one_process_at_a_time\n"
            "path = pathlib.Path(sys.argv[1])\n"
            "for _ in range(20):\n"
            "    with one_process_at_a_time(path):\n"
            "        number = int(path.read_text()); time.sleep(0.001); path.write_text(str(number + 1))\n"
        )
        for run in [subprocess.Popen([sys.executable, "-c", code, path]) for _ in range(3)]:
            assert run.wait(60) == 0
        assert path.read_text() == "60"
        assert list(tmp_path.iterdir()) == [path]

    def test_a_lock_that_a_killed_process_left_is_free(self, tmp_path: Path) -> None:
        (tmp_path / ".file.lock").touch()
        with one_process_at_a_time(tmp_path / "file"):
            assert (tmp_path / ".file.lock").exists()
        assert not list(tmp_path.iterdir())

    def test_a_place_without_locks(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with one_process_at_a_time(tmp_path / "file" / "below"):
            pass
