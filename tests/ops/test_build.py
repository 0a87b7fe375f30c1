"""Building of native operations: who chooses, what is cached, two processes at once, and what a failed build says."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from geoinv.errors import NativeBuildError, UsageError
from geoinv.ops import _build

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
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("GEOINV_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("GEOINV_BACKEND", "auto")
    failures = dict(_build._failures)
    _build.load_native.cache_clear()  # type: ignore[attr-defined]
    yield
    _build.load_native.cache_clear()  # type: ignore[attr-defined]
    _build._failures.clear()
    _build._failures.update(failures)


@pytest.fixture
def broken_source(tmp_path: Path) -> tuple[Path, ...]:
    source = tmp_path / "broken.cpp"
    source.write_text("#error this never compiles\n")
    return (source,)


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

    def test_the_reference_builds_nothing(self, broken_source: tuple[Path, ...], tmp_path: Path) -> None:
        with _build.use_backend("reference"):
            assert not _build.load_native("broken", broken_source)
        assert not (tmp_path / "cache").exists()


class TestFailure:
    def test_falls_back_with_one_message(
        self, broken_source: tuple[Path, ...], capfd: pytest.CaptureFixture[str]
    ) -> None:
        assert not _build.load_native("broken", broken_source)
        assert not _build.load_native("broken", broken_source)
        said = capfd.readouterr().err
        assert said.count("runs as plain torch") == 1
        assert "this never compiles" in said

    def test_raises_where_native_is_demanded(self, broken_source: tuple[Path, ...]) -> None:
        with _build.use_backend("native"), pytest.raises(NativeBuildError, match="native broken cannot be built"):
            _build.load_native("broken", broken_source)

    def test_a_machine_without_a_compiler_says_so(
        self, broken_source: tuple[Path, ...], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setenv("PATH", "")
        assert not _build.load_native("broken", broken_source)
        assert capfd.readouterr().err.count("runs as plain torch") == 1


class TestCache:
    def test_what_is_built_depends_on_source_header_flags_and_torch(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        source, header = tmp_path / "one.cpp", tmp_path / "one.h"
        places = set()

        def note(portable: bool = False) -> None:
            places.add(_build._library(_build.Operation("one", (source,), portable)))

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

    def test_a_build_is_kept_for_the_next_process(self, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
        import torch

        source = tmp_path / "plus.cpp"
        source.write_text(SOURCE.format(name="plus"))
        assert _build.load_native("plus", (source,))
        assert torch.ops.geoinv.plus_forward(1) == 2
        assert capfd.readouterr().err.count("compiling plus for this machine, once") == 1
        code = "from pathlib import Path; from geoinv.ops._build import load_native; "
        code += f"assert load_native('plus', (Path({str(source)!r}),))"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert "compiling" not in done.stderr

    @pytest.mark.skipif(sys.platform != "linux", reason="OpenMP is asked for on Linux only")
    def test_kernels_share_work_among_torchs_threads(self, tmp_path: Path) -> None:
        import torch

        source = tmp_path / "count.cpp"
        source.write_text(COUNT_THREADS)
        assert _build.load_native("count", (source,))
        threads = torch.get_num_threads()
        try:
            torch.set_num_threads(2)
            assert torch.ops.geoinv.count_threads() == 2
            torch.set_num_threads(1)
            assert torch.ops.geoinv.count_threads() == 1
        finally:
            torch.set_num_threads(threads)

    def test_a_compiler_without_openmp_is_told(
        self, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
    ) -> None:
        from torch.utils import cpp_extension

        monkeypatch.setattr(cpp_extension, "get_cxx_compiler", lambda: "false")
        _build.thread_flags.cache_clear()
        try:
            assert _build.thread_flags() == []
        finally:
            _build.thread_flags.cache_clear()
        assert sys.platform != "linux" or "no OpenMP" in capfd.readouterr().err

    def test_two_processes_at_once_build_once_after_one_was_killed(self, tmp_path: Path) -> None:
        source = tmp_path / "twice.cpp"
        source.write_text(SOURCE.format(name="twice"))
        library = _build._library(_build.Operation("twice", (source,)))
        killed = library.parent / "build-1234567"
        killed.mkdir(parents=True)
        (killed / "lock").touch()  # what torch's builder leaves when it is killed, and waits for without end
        (killed / library.name).write_bytes(b"half a library")
        code = "from pathlib import Path; from geoinv.ops._build import load_native; "
        code += f"assert load_native('twice', (Path({str(source)!r}),))"
        both = [subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True) for _ in range(2)]
        try:
            said = [process.communicate(timeout=240)[1] for process in both]
        finally:
            for process in both:
                process.kill()
        assert [process.returncode for process in both] == [0, 0], said
        assert sum(text.count("compiling twice") for text in said) == 1
        assert [path.name for path in library.parent.iterdir()] == [library.name]
