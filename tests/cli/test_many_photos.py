"""Many photos: lists, archives, shards, workers, and the manifest that keeps account of them."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from .conftest import EXAMPLES, Done

FAST = ("--no-turntable", "--device", "cpu", "--json")


def manifest(path: str = "out/manifest.jsonl") -> list[dict[str, object]]:
    return [json.loads(line) for line in Path(path).read_text().splitlines()]


@pytest.fixture
def photos() -> list[Path]:
    """Four photos of two people, and a file that is none."""
    folder = Path("photos")
    folder.mkdir()
    made = []
    for index in range(4):
        picture = Image.open(EXAMPLES / f"{('man', 'woman')[index % 2]}.jpg").resize((300 + index, 300))
        made.append(folder / f"p{index}.jpg")
        picture.save(made[-1])
    (folder / "broken.jpg").write_bytes(b"\xff\xd8 broken")
    return made


class TestManifest:
    def test_a_line_for_each_photo(self, geoinv: Callable[..., Done], photos: list[Path]) -> None:
        done = geoinv("align", "photos", "--out", "out", "--json")
        assert done.code == 1  # one is broken
        lines = {str(line["path"]): line for line in manifest()}
        assert set(lines) == {str(path) for path in [*photos, Path("photos/broken.jpg")]}
        assert "not a picture" in str(lines["photos/broken.jpg"]["error"])
        assert lines["photos/p1.jpg"]["files"] == ["out/p1_aligned.png", "out/p1_aligned.json"]
        assert len(str(lines["photos/p1.jpg"]["sha256"])) == 64

    def test_a_second_run_adds_what_is_new(self, geoinv: Callable[..., Done], photos: list[Path]) -> None:
        Path("photos/broken.jpg").unlink()
        assert geoinv("align", "photos", "--out", "out").code == 0
        before = manifest()
        Image.open(photos[0]).save("photos/p9.jpg")
        assert geoinv("align", "photos", "--out", "out").code == 0
        assert manifest()[: len(before)] == before
        assert [line["path"] for line in manifest()[len(before) :]] == ["photos/p9.jpg"]

    def test_a_line_that_was_cut_does_not_spoil_the_next(self, geoinv: Callable[..., Done], photos: list[Path]) -> None:
        Path("photos/broken.jpg").unlink()
        Path("out").mkdir()
        Path("out/manifest.jsonl").write_bytes(b'{"path": "photos/p0.jpg", "sha2')
        assert geoinv("align", "photos", "--out", "out").code == 0
        whole = [json.loads(line) for line in Path("out/manifest.jsonl").read_text().splitlines()[1:]]
        assert [line["path"] for line in whole] == [str(path) for path in photos]

    def test_it_is_no_photo(self, geoinv: Callable[..., Done], photos: list[Path]) -> None:
        Path("photos/broken.jpg").unlink()
        assert geoinv("align", "photos", "--out", "photos").code == 0
        again = geoinv("align", "photos", "--out", "photos", "--json")
        assert (again.json["results"], again.json["left_out"]) == ([], {})


class TestLists:
    def test_paths_begin_at_the_list(self, geoinv: Callable[..., Done], photos: list[Path]) -> None:
        Path("photos/list.txt").write_text("p0.jpg\n\n  p2.jpg\n")
        done = geoinv("align", "photos/list.txt", "--out", "out", "--json")
        assert [result["path"] for result in done.json["results"]] == ["photos/p0.jpg", "photos/p2.jpg"]

    def test_a_missing_photo_fails_alone(self, geoinv: Callable[..., Done], photos: list[Path]) -> None:
        Path("list.txt").write_text("photos/p0.jpg\nphotos/none.jpg\n")
        done = geoinv("align", "list.txt", "--out", "out", "--json")
        assert done.code == 1
        assert [failure["photo"] for failure in done.json["failed"]] == ["photos/none.jpg"]
        assert len(done.json["results"]) == 1

    @pytest.mark.parametrize("contents", [b"", b"\n \n", b"\0\1\2"])
    def test_no_list(self, geoinv: Callable[..., Done], contents: bytes) -> None:
        Path("list.txt").write_bytes(contents)
        geoinv("align", "list.txt").assert_fails(5, "list.txt", "each line")


class TestArchives:
    def test_photos_are_read_from_a_tar(self, geoinv: Callable[..., Done], photos: list[Path]) -> None:
        with tarfile.open("shard-0.tar", "w") as archive:
            for path in photos:
                archive.add(path, f"a/{path.name}")
            for name in ("a/p0.json", "a/._p0.jpg"):
                archive.addfile(tarfile.TarInfo(name), io.BytesIO())
        done = geoinv("align", "shard-0.tar", "--out", "out", "--json")
        assert done.code == 0, done.err
        assert [result["path"] for result in done.json["results"]] == [f"shard-0.tar/a/p{k}.jpg" for k in range(4)]
        assert done.json["left_out"] == {".json": 1}
        alone = geoinv("align", photos[1], "--out", "alone")
        assert alone.code == 0
        assert Path("out/p1_aligned.png").read_bytes() == Path("alone/p1_aligned.png").read_bytes()
        assert geoinv("align", "shard-0.tar", "--out", "out", "--json").json["skipped"] != []

    def test_a_cut_archive(self, geoinv: Callable[..., Done], photos: list[Path]) -> None:
        with tarfile.open("a.tar", "w") as archive:
            archive.add(photos[0], "p.jpg")
        Path("cut.tar").write_bytes(Path("a.tar").read_bytes()[:2000])
        geoinv("align", "cut.tar").assert_fails(5, "cut.tar")

    def test_a_compressed_one(self, geoinv: Callable[..., Done], photos: list[Path]) -> None:
        with tarfile.open("a.tar.gz", "w:gz") as archive:
            archive.add(photos[0], "p.jpg")
        geoinv("align", "a.tar.gz").assert_fails(5, "compressed", "unpack")

    def test_no_archive(self, geoinv: Callable[..., Done]) -> None:
        Path("a.tar").write_bytes(b"no archive" * 100)
        geoinv("align", "a.tar").assert_fails(5, "a.tar")


class TestShards:
    def test_shards_are_all_photos_once(self, geoinv: Callable[..., Done], photos: list[Path]) -> None:
        Path("photos/broken.jpg").unlink()
        done: list[str] = []
        for index in (1, 2, 3):
            part = geoinv("invert", "photos", "--out", "out", "--shard", f"{index}/3", "--method", "encoder", *FAST)
            assert part.code == 0, part.err
            paths = [str(result["path"]) for result in part.json["results"]]
            if paths:
                assert [line["path"] for line in manifest(f"out/manifest-{index}-of-3.jsonl")] == paths
            done += paths
        assert sorted(done) == [str(path) for path in photos]

    @pytest.mark.parametrize("shard", ["0/3", "4/3", "1", "a/b", "-1/3", "1/0", "1/2/3"])
    def test_no_shard(self, geoinv: Callable[..., Done], shard: str) -> None:
        geoinv("invert", "photos", "--shard", shard).assert_fails(2, "--shard", "I/N")


class TestWorkers:
    def test_workers_give_what_one_process_gives(self, geoinv: Callable[..., Done], photos: list[Path]) -> None:
        alone = geoinv("invert", "photos", "--out", "alone", "--method", "encoder", *FAST)
        crew = geoinv("invert", "photos", "--out", "out", "--workers", "2", "--method", "encoder", *FAST)
        assert (alone.code, crew.code) == (1, 1)

        def by_path(done: Done) -> dict[str, float]:
            return {result["path"]: result["psnr_db"] for result in done.json["results"]}

        assert by_path(crew) == pytest.approx(by_path(alone), abs=0.01)
        assert set(by_path(crew)) == {str(path) for path in photos}
        assert [failure["photo"] for failure in crew.json["failed"]] == ["photos/broken.jpg"]
        assert len(manifest()) == 5
        again = geoinv("invert", "photos", "--out", "out", "--workers", "2", "--method", "encoder", *FAST)
        assert sorted(again.json["skipped"]) == [str(path) for path in photos]

    def test_missing_weights_end_the_run(
        self, geoinv: Callable[..., Done], photos: list[Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        done = geoinv("invert", "photos", "--workers", "2", "--device", "cuda")
        assert done.code == 2
        assert "cuda" in done.err
        assert not list(Path("outputs").glob("*.geoinv"))

    def test_refuses_what_it_cannot_do(self, geoinv: Callable[..., Done], photos: list[Path]) -> None:
        geoinv("invert", "photos", "--address", "auto").assert_fails(2, "--address", "ray")
        geoinv("invert", "photos", "--workers", "2", "--save-label", "labels.json").assert_fails(2, "--save-label")
        geoinv("invert", "photos", "--workers", "0").assert_fails(2, "--workers")

    @pytest.mark.slow
    @pytest.mark.skipif(sys.platform != "linux", reason="finds workers by /proc")
    def test_a_killed_worker_loses_no_photo(self, photos: list[Path], tiny_weights: Path) -> None:
        command = [sys.executable, "-m", "geoinv", "invert", "photos", "--out", "out", "--workers", "2", *FAST]
        run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        killed = 0
        while run.poll() is None and killed < 1:
            children = Path(f"/proc/{run.pid}/task/{run.pid}/children").read_text().split()
            workers = [pid for pid in children if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]
            if len(workers) == 2:
                os.kill(int(workers[0]), signal.SIGKILL)
                killed += 1
            time.sleep(0.05)
        out, err = run.communicate(timeout=300)
        assert killed == 1
        assert run.returncode == 1, err  # the broken photo alone
        done = json.loads(out)
        assert sorted(result["path"] for result in done["results"]) == [str(path) for path in photos]
        assert [failure["photo"] for failure in done["failed"]] == ["photos/broken.jpg"]
        assert "Traceback" not in err
