"""Building of native operations: who chooses, what is cached, two processes at once, and what a failed build says."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from geoinv import notices
from geoinv.errors import NativeBuildError, UsageError
from geoinv.ops import _build, _cache, _compile
from geoinv.ops._compile import Operation

SOURCE = """#include <torch/library.h>
static int64_t add_one(int64_t x) {{ return x + 1; }}
TORCH_LIBRARY_FRAGMENT(geoinv, library) {{ library.def("{name}_forward(int x) -> int", add_one); }}
"""
COUNT_THREADS = """#include <ATen/Parallel.h>
#include <torch/library.h>
#include <atomic>
static int64_t count() {
  std::atomic<int64_t> parts{0};
  at::parallel_for(0, 2, 1, [&](int64_t, int64_t) { ++parts; });
  return parts;
}
TORCH_LIBRARY_FRAGMENT(geoinv, library) { library.def("count_threads() -> int", count); }
"""


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty cache, of which nothing is known yet; a failure of one test is none of the next."""
    monkeypatch.setenv("GEOINV_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("GEOINV_BACKEND", "auto")
    monkeypatch.setattr(_build, "_outcomes", {})
    with notices.collect():
        yield tmp_path / "cache"


@pytest.fixture
def broken(tmp_path: Path) -> Operation:
    """An operation that no compiler takes."""
    source = tmp_path / "broken.cpp"
    source.write_text("#error this never compiles\n")
    return Operation("broken", (source,))


@pytest.fixture
def counting_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """A compiler that fails and counts how often it is called; returns the number."""
    log = tmp_path / "calls"
    fake_compiler(
        tmp_path / "fake++", f"case $* in *-c*) echo called >> {log};; esac; echo 'x.cpp:1: error: no' >&2; exit 1"
    )
    monkeypatch.setenv("CXX", str(tmp_path / "fake++"))
    return lambda: len(log.read_text().splitlines()) if log.exists() else 0


def add_one(folder: Path, name: str) -> Operation:
    """An operation ``<name>_forward`` that adds one to an integer."""
    source = folder / f"{name}.cpp"
    source.write_text(SOURCE.format(name=name))
    return Operation(name, (source,))


def loading(operation: Operation) -> list[str]:
    """The command of a process that needs the operation."""
    code = "from pathlib import Path, PosixPath; from geoinv.ops._build import load_native; "
    code += f"from geoinv.ops._compile import Operation; assert load_native({operation!r})"
    return [sys.executable, "-c", code]


def fake_compiler(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def as_a_new_process() -> None:
    """Forget what this process knows; the cache on the disk stays."""
    _build.forget_outcomes()


class TestChoice:
    def test_unknown_backend_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GEOINV_BACKEND", "fast")
        with pytest.raises(UsageError, match="GEOINV_BACKEND is 'fast'"):
            _build.backend_choice()

    def test_use_backend_goes_before_the_environment_and_nests(self) -> None:
        with _build.use_backend("native"):
            with _build.use_backend("reference"):
                assert _build.backend_choice() == "reference"
            assert _build.backend_choice() == "native"
        assert _build.backend_choice() == "auto"

    def test_use_backend_ends_with_an_exception(self) -> None:
        with pytest.raises(KeyError), _build.use_backend("reference"):
            raise KeyError
        assert _build.backend_choice() == "auto"

    def test_the_reference_builds_nothing(self, broken: Operation, own_cache: Path) -> None:
        with _build.use_backend("reference"):
            assert not _build.load_native(broken)
        assert not own_cache.exists()


class TestFailure:
    def test_falls_back_with_one_message(self, broken: Operation, capfd: pytest.CaptureFixture[str]) -> None:
        assert not _build.load_native(broken)
        assert not _build.load_native(broken)
        said = capfd.readouterr().err
        assert said.count("broken runs as plain torch") == 1
        assert "this never compiles" in said

    def test_raises_where_native_is_demanded(self, broken: Operation) -> None:
        with _build.use_backend("native"), pytest.raises(NativeBuildError, match="native broken cannot be built"):
            _build.load_native(broken)

    def test_a_failed_build_is_remembered_and_told_by_each_process(
        self, broken: Operation, counting_compiler: Callable[[], int], capfd: pytest.CaptureFixture[str]
    ) -> None:
        for _ in range(3):
            as_a_new_process()
            with notices.collect():
                assert not _build.load_native(broken)
            said = capfd.readouterr().err
            assert said.count("as plain torch") == 1
            assert "x.cpp:1: error: no" in said
            assert "to try again, delete" in said
        assert counting_compiler() == 1

    def test_another_compiler_is_tried(
        self, broken: Operation, counting_compiler: Callable[[], int], tmp_path: Path
    ) -> None:
        assert not _build.load_native(broken)
        calls = (tmp_path / "fake++").read_text()
        (tmp_path / "fake++").write_text(calls + "# a newer one\n")
        as_a_new_process()
        assert not _build.load_native(broken)
        assert counting_compiler() == 2

    def test_a_deleted_record_and_a_day_lead_to_another_try(
        self, broken: Operation, counting_compiler: Callable[[], int]
    ) -> None:
        record = _cache.failure_record(_build.library_of(broken))
        assert not _build.load_native(broken)
        yesterday = time.time() - 25 * 3600
        os.utime(record, (yesterday, yesterday))
        as_a_new_process()
        assert not _build.load_native(broken)
        assert counting_compiler() == 2
        record.unlink()
        as_a_new_process()
        assert not _build.load_native(broken)
        assert counting_compiler() == 3

    def test_a_clock_that_was_put_back_leads_to_another_try(
        self, broken: Operation, counting_compiler: Callable[[], int]
    ) -> None:
        assert not _build.load_native(broken)
        next_year = time.time() + 365 * 24 * 3600
        os.utime(_cache.failure_record(_build.library_of(broken)), (next_year, next_year))
        as_a_new_process()
        assert not _build.load_native(broken)
        assert counting_compiler() == 2

    def test_what_cannot_be_loaded_is_not_built_at_every_command(
        self, broken: Operation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
    ) -> None:
        """Where a policy of the system forbids to run what lies in the cache, for one: compiling succeeds."""
        log = tmp_path / "calls"
        fake_compiler(
            tmp_path / "fake++", f'echo called >> {log}; while [ "$1" != -o ]; do shift; done; echo no > "$2"'
        )
        monkeypatch.setenv("CXX", str(tmp_path / "fake++"))
        assert not _build.load_native(broken)
        calls = log.read_text()
        assert "broken runs as plain torch" in capfd.readouterr().err
        as_a_new_process()
        assert not _build.load_native(broken)
        assert log.read_text() == calls
        (state,) = [
            _cache.remembered_failure(_build.library_of(broken), _compile.fingerprint([str(tmp_path / "fake++")]))
        ]
        assert state is not None


class TestNothingCanBeBuilt:
    """Causes that are of all operations: found before anything is compiled, and told once."""

    @staticmethod
    def told(operations: Sequence[Operation], capfd: pytest.CaptureFixture[str]) -> str:
        """What is said where two operations are used twice; no compiler may have been called."""
        for operation in (*operations, *operations):
            assert not _build.load_native(operation)
        said = capfd.readouterr().err
        assert said.count("all kernels run as plain torch (slower, same results)") == 1
        assert len(said.splitlines()) == 1
        return said

    @pytest.fixture
    def two(self, tmp_path: Path, counting_compiler: Callable[[], int]) -> Iterator[list[Operation]]:
        yield [add_one(tmp_path, "first"), add_one(tmp_path, "second")]
        assert counting_compiler() == 0

    def test_no_compiler(
        self, two: list[Operation], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.delenv("CXX")
        monkeypatch.setenv("PATH", "")
        said = self.told(two, capfd)
        assert "no C++ compiler (c++)" in said
        assert "apt-get install g++" in said

    def test_no_exec_rights(
        self, two: list[Operation], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(os, "statvfs", lambda path: SimpleNamespace(f_flag=os.ST_NOEXEC))
        assert "runs no programs (noexec)" in self.told(two, capfd)
        assert all("noexec" in str(state.failure) for state in _build.native_states())

    def test_a_built_one_without_exec_rights(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
    ) -> None:
        operation = add_one(tmp_path, "kept")
        library = _build.library_of(operation)
        library.parent.mkdir(parents=True)
        library.write_bytes(b"what this file system does not load")
        monkeypatch.setattr(os, "statvfs", lambda path: SimpleNamespace(f_flag=os.ST_NOEXEC))
        assert "noexec" in self.told([operation], capfd)
        assert library.exists()

    def test_a_cache_that_cannot_be_written(
        self, two: list[Operation], own_cache: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
    ) -> None:
        own_cache.write_text("a file where the folder should be")
        said = self.told(two, capfd)
        assert f"cannot write to {own_cache / 'native'}" in said
        assert "GEOINV_CACHE" in said

    def test_a_cache_of_others(
        self, two: list[Operation], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write everywhere
        assert "cannot write to" in self.told(two, capfd)

    def test_a_full_disk(
        self, two: list[Operation], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1 << 20))
        assert "no space is left" in self.told(two, capfd)

    def test_no_home(
        self, two: list[Operation], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
    ) -> None:
        def homeless() -> Path:
            raise RuntimeError("Could not determine home directory.")

        monkeypatch.delenv("GEOINV_CACHE")
        monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
        monkeypatch.setattr(Path, "home", homeless)
        assert "no home folder" in self.told(two, capfd)
        assert all("no home folder" in str(state.failure) for state in _build.native_states())

    def test_it_raises_where_native_is_demanded(self, two: list[Operation], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1 << 20))
        with _build.use_backend("native"), pytest.raises(NativeBuildError, match="no space is left"):
            _build.load_native(two[0])


class TestCache:
    def test_what_is_built_depends_on_source_header_flags_and_torch(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        source, header = tmp_path / "one.cpp", tmp_path / "one.h"
        places = set()

        def note(portable: bool = False) -> None:
            places.add(_build.library_of(Operation("one", (source,), portable)))

        source.write_text("1")
        note()
        source.write_text("2")
        note()
        header.write_text("3")
        note()
        note(portable=True)
        monkeypatch.setattr("torch.__version__", "99.0")
        note()
        assert len(places) == 5

    def test_all_of_the_package_is_known(self) -> None:
        states = _build.native_states()
        assert {"bias_act", "modulated_conv2d", "sample_planes", "upfirdn2d"} <= {state.name for state in states}
        assert not any(state.is_built or state.failure for state in states)

    def test_a_build_needs_no_more_than_a_compiler_and_is_kept_for_the_next_process(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
    ) -> None:
        """No ninja is on the path, as where a virtual environment is not activated; an older compiler had failed."""
        import torch

        tools = tmp_path / "tools"
        tools.mkdir()
        for name in ("c++", "as", "ld"):
            found = shutil.which(name)
            assert found is not None
            (tools / name).symlink_to(found)
        monkeypatch.setenv("PATH", str(tools))
        operation = add_one(tmp_path, "plus")
        library = _build.library_of(operation)
        _cache.remember_failure(library, "of another compiler", "error: it was too old")
        assert _build.load_native(operation)
        assert torch.ops.geoinv.plus_forward(1) == 2
        assert capfd.readouterr().err.count("compiling plus for this machine, once") == 1
        assert list(library.parent.iterdir()) == [library]
        done = subprocess.run(loading(operation), capture_output=True, text=True, check=True)
        assert "compiling" not in done.stderr

    @pytest.mark.skipif(sys.platform != "linux", reason="OpenMP is asked for on Linux only")
    def test_kernels_share_work_among_torchs_threads(self, tmp_path: Path) -> None:
        import torch

        source = tmp_path / "count.cpp"
        source.write_text(COUNT_THREADS)
        assert _build.load_native(Operation("count", (source,)))
        threads = torch.get_num_threads()
        try:
            torch.set_num_threads(2)
            assert torch.ops.geoinv.count_threads() == 2
            torch.set_num_threads(1)
            assert torch.ops.geoinv.count_threads() == 1
        finally:
            torch.set_num_threads(threads)

    def test_a_compiler_without_openmp_is_told(self, capfd: pytest.CaptureFixture[str]) -> None:
        assert _compile.thread_flags(("false",)) == []
        assert sys.platform != "linux" or "no OpenMP" in capfd.readouterr().err

    def test_two_processes_at_once_build_once_after_one_was_killed(self, tmp_path: Path) -> None:
        operation = add_one(tmp_path, "twice")
        library = _build.library_of(operation)
        killed = library.parent / "build-1234567"
        killed.mkdir(parents=True)
        (killed / library.name).write_bytes(b"half a library")
        both = [subprocess.Popen(loading(operation), stderr=subprocess.PIPE, text=True) for _ in range(2)]
        try:
            said = [process.communicate(timeout=240)[1] for process in both]
        finally:
            for process in both:
                process.kill()
        assert [process.returncode for process in both] == [0, 0], said
        assert sum(text.count("compiling twice") for text in said) == 1
        assert [path.name for path in library.parent.iterdir()] == [library.name]
