"""The REST interface: photos in, heads, pictures and files out, and what is refused."""

from __future__ import annotations

import io
import json
import os
import re
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from geoinv.inversion import Inversion
from geoinv.mesh import extract_mesh
from geoinv.viewer.app.jobs import HEAD_FILE
from geoinv.viewer.app.results import RESULTS

from .conftest import Client, hold_up, wait_until


def picture(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGBA")).astype(int)


def noise(seed: int) -> bytes:
    stream = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (96, 96, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


class TestAPhoto:
    def test_becomes_a_head_that_can_be_seen(self, client: Client, photo: bytes) -> None:
        job = client.send(photo, name="../../my face.jpg")
        status = client.finished(job)
        assert status["state"] == "done" and status["position"] == 0 and status["progress"] == 1.0
        assert "psnr_db" in status["metrics"]  # type: ignore[operator]
        front = client.http.get(f"/api/jobs/{job}/view.png")
        assert front.headers["content-type"] == "image/png"
        assert picture(front.content).shape == (32, 32, 4)

    def test_and_its_head_stand_under_no_name_of_a_users_file(self, client: Client, photo: bytes) -> None:
        job = client.send(photo, name="../../my face.jpg")
        client.finished(job)
        files = [path.relative_to(client.out.parent).as_posix() for path in client.out.parent.rglob("*")]
        assert sorted(files) == ["out", f"out/{job}", f"out/{job}/{HEAD_FILE}", f"out/{job}/photo"]
        assert (client.out / job / "photo").read_bytes() == photo
        assert Inversion.load(client.out / job / HEAD_FILE).source == "photo"

    def test_is_warned_about(self, client: Client, photo: bytes) -> None:
        small = io.BytesIO()
        Image.open(io.BytesIO(photo)).resize((120, 120)).save(small, "PNG")
        status = client.finished(client.send(small.getvalue()))
        assert status["state"] == "done" and status["warnings"]

    @pytest.mark.parametrize(
        ("data", "message"),
        [
            (b"hello", "the photo is a text file"),
            (b"\xff\xd8\xff\xe0 cut", "the photo is damaged or cut off"),
            (b"", "the photo is empty"),
            (noise(0), "no face"),
        ],
    )
    def test_that_cannot_be_used_fails_with_a_reason(self, client: Client, data: bytes, message: str) -> None:
        job = client.send(data)
        status = client.finished(job)
        assert status["state"] == "failed" and message in str(status["message"]) and status["hint"]
        assert client.http.get(f"/api/jobs/{job}/view.png").status_code == 422
        wait_until(lambda: not (client.out / job).exists())

    def test_must_be_in_the_form(self, client: Client, photo: bytes) -> None:
        for request in (
            {},
            {"content": photo, "headers": {"content-type": "image/jpeg"}},
            {"files": {"picture": photo}},
            {"data": {"photo": "text"}},
            {"content": b"garbage", "headers": {"content-type": "multipart/form-data; boundary=x"}},
            {"content": b"garbage", "headers": {"content-type": "multipart/form-data"}},
        ):
            answer = client.http.post("/api/jobs", **request)  # type: ignore[arg-type]
            assert answer.status_code == 400, request
            assert set(answer.json()) == {"message", "hint"}
        assert list(client.out.iterdir()) == []

    def test_above_the_limit_is_refused(self, make_client: Callable[..., Client], photo: bytes) -> None:
        client = make_client(max_upload_bytes=1000)
        answer = client.http.post("/api/jobs", files={"photo": photo})
        assert answer.status_code == 413 and "larger than 0.001 MB" in answer.json()["message"]
        assert list(client.out.iterdir()) == []

    def test_waits_for_its_turn(self, client: Client, photo: bytes) -> None:
        release = hold_up(client.service)
        jobs = [client.send(photo) for _ in range(3)]
        assert [client.status(job)["position"] for job in jobs] == [1, 2, 3]
        assert client.http.get(f"/api/jobs/{jobs[0]}/view.png").status_code == 422  # not yet
        release()
        assert [client.finished(job)["state"] for job in jobs] == ["done"] * 3

    def test_too_many_are_refused(self, make_client: Callable[..., Client], photo: bytes) -> None:
        client = make_client(max_waiting=2)
        release = hold_up(client.service)
        jobs = [client.send(photo) for _ in range(2)]
        answer = client.http.post("/api/jobs", files={"photo": photo})
        assert answer.status_code == 503 and answer.headers["retry-after"]
        release()
        assert [client.finished(job)["state"] for job in jobs] == ["done"] * 2


class TestViews:
    def test_turn_zoom_and_edit(self, client: Client, photo: bytes) -> None:
        job = client.head(photo)

        def seen(**query: object) -> np.ndarray:
            answer = client.http.get(f"/api/jobs/{job}/view.png", params=query)  # type: ignore[arg-type]
            assert answer.status_code == 200, answer.text
            return picture(answer.content)

        front = seen()
        assert (front == seen(yaw=0, pitch=0, zoom=1)).all()
        for other in (
            seen(yaw=40),
            seen(pitch=20),
            seen(zoom=2),
            seen(edit="smile:1.5"),
            seen(edit=["age:1", "smile:1"]),
        ):
            assert np.abs(front - other).max() > 8
        assert (seen(edit="smile:0") == front).all()
        assert (seen(edit="Hair Dark:1") == seen(edit="hair_dark")).all()

    def test_drafts_show_the_same(self, client: Client, photo: bytes) -> None:
        job = client.head(photo)
        sides = [
            picture(client.http.get(f"/api/jobs/{job}/view.png?yaw=20&draft={draft}").content)
            for draft in (True, False)
        ]
        assert all(side[..., 3].max() > 0 for side in sides)

    @pytest.mark.parametrize(("suffix", "kind"), [("webp", "WEBP"), ("png", "PNG"), ("jpg", "JPEG")])
    def test_come_as_asked_for(self, client: Client, photo: bytes, suffix: str, kind: str) -> None:
        answer = client.http.get(f"/api/jobs/{client.head(photo)}/view.{suffix}")
        assert Image.open(io.BytesIO(answer.content)).format == kind

    def test_say_what_was_bounded(self, client: Client, photo: bytes) -> None:
        job = client.head(photo)
        assert "geoinv-notes" not in client.http.get(f"/api/jobs/{job}/view.png?edit=smile:0.1").headers
        notes = client.http.get(f"/api/jobs/{job}/view.png?edit=smile:1e6").headers["geoinv-notes"]
        assert "leads beyond the heads" in notes

    @pytest.mark.parametrize(
        "query",
        ["yaw=999", "yaw=x", "yaw=nan", "zoom=0", "pitch=90", "edit=smle:1", "edit=smile:x", "edit=smile:nan"]
        + ["edit=smile:1&edit=smile:2", "edit=" + "x" * 5000, "&".join(["edit=smile:1"] * 100), "edit=%00%0d%0a:1"],
    )
    def test_refuse_what_makes_no_sense(self, client: Client, photo: bytes, query: str) -> None:
        answer = client.http.get(f"/api/jobs/{client.head(photo)}/view.png?{query}")
        assert answer.status_code == 422
        assert set(answer.json()) == {"message", "hint"}
        assert "\n" not in answer.json()["message"]


class TestFiles:
    def test_all_can_be_made(self, client: Client, photo: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("geoinv.mesh.extract_mesh", partial(extract_mesh, resolution=24))  # for speed
        job = client.head(photo)
        listed = [file["name"] for file in client.http.get("/api").json()["files"]]
        assert listed == list(RESULTS)
        for name in listed:
            query = "?edit=smile:1" if RESULTS[name].needs_edits else ""
            answer = client.http.get(f"/api/jobs/{job}/files/{name}{query}")
            assert answer.status_code == 200, (name, answer.text)
            assert answer.headers["content-disposition"] == f'attachment; filename="{name}"'
            assert answer.content
        assert client.status(job)["making"] == {}
        assert not list(client.out.rglob(".*"))  # nothing half-written

    def test_an_avatar_is_made_in_steps_from_the_whole_photo(
        self, client: Client, photo: bytes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from geoinv.avatar import make_avatar

        shapes: list[tuple[int, ...]] = []

        def watched(*given: Any, **options: Any) -> object:
            shapes.append(options["photo"].shape)
            return make_avatar(*given, **options)

        monkeypatch.setattr("geoinv.avatar.make_avatar", watched)
        job = client.head(photo)
        told: list[float] = []
        pause = client.service.studio.pause
        making = client.service.jobs.get(job).making
        monkeypatch.setattr(client.service.studio, "pause", lambda job: (told.append(making["avatar.glb"]), pause(job)))
        assert client.http.get(f"/api/jobs/{job}/files/avatar.glb").content[:4] == b"glTF"
        assert shapes == [(640, 640, 3)]
        assert told == sorted(told) and len(told) >= 4 and told[-1] == 1.0

    def test_of_an_edited_head_are_others(self, client: Client, photo: bytes) -> None:
        job = client.head(photo)
        plain, smiling = (
            client.http.get(f"/api/jobs/{job}/files/head.geoinv{query}").content for query in ("", "?edit=smile:1")
        )
        (client.out / "plain.geoinv").write_bytes(plain)
        (client.out / "smiling.geoinv").write_bytes(smiling)
        assert Inversion.load(client.out / "plain.geoinv").edits == {}
        assert Inversion.load(client.out / "smiling.geoinv").edits == {"smile": 1.0}

    def test_are_made_once(self, client: Client, photo: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
        job = client.head(photo)
        first = client.http.get(f"/api/jobs/{job}/files/report.json").content
        monkeypatch.setattr("geoinv.viewer.app.routes.make_result", None)  # would be called for another one
        assert client.http.get(f"/api/jobs/{job}/files/report.json").content == first
        assert json.loads(first)["model"] == "mini"

    def test_of_many_edits_do_not_fill_the_disk(self, client: Client, photo: bytes) -> None:
        job = client.head(photo)
        for strength in range(1, 21):
            client.http.get(f"/api/jobs/{job}/files/report.json?edit=smile:{strength / 10}")
        assert len(list((client.out / job).glob("edit-*"))) == 16

    @pytest.mark.parametrize(
        "path",
        [
            "../../x",
            "..%2f..%2fx",
            "%2e%2e/%2e%2e/x",
            "/etc/passwd",
            "%2fetc%2fpasswd",
            "..\\..\\x",
            "photo",
            "head.ply%00",
            "",
        ],
    )
    def test_none_outside_its_folder_is_served(self, client: Client, photo: bytes, path: str) -> None:
        job = client.head(photo)
        (client.out.parent / "x").write_text("secret")
        for address in (
            f"/api/jobs/{job}/files/{path}",
            f"/api/jobs/{path}",
            f"/page/{path}",
            f"/api/jobs/{path}/files/x",
        ):
            answer = client.http.get(address)
            assert answer.status_code in (404, 405, 422), address
            assert "secret" not in answer.text and "root:" not in answer.text

    def test_show_progress_and_let_heads_be_turned(
        self, client: Client, photo: bytes, slow_file: Callable[[int], str]
    ) -> None:
        job, name = client.head(photo), slow_file(100)
        seen: list[float] = []
        made = threading.Thread(target=lambda: client.http.get(f"/api/jobs/{job}/files/{name}"))
        made.start()
        while made.is_alive():
            if making := client.status(job)["making"]:
                seen.append(making[name])  # type: ignore[index]
                assert client.http.get(f"/api/jobs/{job}/view.webp?draft=1").status_code == 200
        made.join()
        assert len({done for done in seen if 0.0 < done < 1.0}) >= 3
        assert client.status(job)["making"] == {}


class TestRemoval:
    def test_takes_everything(self, client: Client, photo: bytes) -> None:
        job = client.head(photo)
        assert client.http.delete(f"/api/jobs/{job}").status_code == 204
        assert client.http.get(f"/api/jobs/{job}").status_code == 404
        assert client.http.get(f"/api/jobs/{job}/view.png").status_code == 404
        wait_until(lambda: not (client.out / job).exists())

    def test_of_a_waiting_photo(self, client: Client, photo: bytes) -> None:
        release = hold_up(client.service)
        job = client.send(photo)
        client.http.delete(f"/api/jobs/{job}")
        release()
        wait_until(lambda: not (client.out / job).exists())
        assert client.head(photo)

    def test_comes_after_a_while(self, make_client: Callable[..., Client], photo: bytes) -> None:
        client = make_client(keep_s=100.0, max_kept=2)
        jobs = [client.head(photo) for _ in range(4)]
        for age, job in enumerate(jobs):
            client.service.jobs.get(job).used_at = time.time() - 90 + age
        client.service.jobs.get(jobs[3]).used_at -= 200
        client.service.tidy()  # the last one is too old, and of the others one is too many
        wait_until(lambda: len(list(client.out.iterdir())) == 2)
        assert [client.http.get(f"/api/jobs/{job}").status_code for job in jobs] == [404, 200, 200, 404]


class TestAnotherRun:
    def test_takes_up_heads_and_clears_the_rest(self, make_client: Callable[..., Client], photo: bytes) -> None:
        first = make_client()
        job = first.head(photo)
        first.close()
        old, half, foreign = (first.out / name for name in ("a" * 32, "b" * 32, "mine"))
        for folder in (old, half, foreign):
            folder.mkdir()
        (old / HEAD_FILE).write_bytes(b"")
        os.utime(old / HEAD_FILE, (0, 0))
        (half / "photo").write_bytes(photo)
        (foreign / "letter.txt").write_text("dear")
        (first.out / ("c" * 32)).symlink_to(foreign)
        second = make_client()
        assert second.status(job)["state"] == "done"
        assert second.http.get(f"/api/jobs/{job}/view.png").status_code == 200
        assert not old.exists() and not half.exists()
        assert (foreign / "letter.txt").exists()
        assert second.http.get(f"/api/jobs/{'c' * 32}").status_code == 404


class TestDescription:
    def test_names_everything_that_can_be_asked_for(self, client: Client) -> None:
        paths = client.http.get("/openapi.json").json()["paths"]
        assert {(path, method) for path, methods in paths.items() for method in methods} == {
            ("/api", "get"),
            ("/api/jobs", "post"),
            ("/api/jobs/{job_id}", "get"),
            ("/api/jobs/{job_id}", "delete"),
            ("/api/jobs/{job_id}/view.{suffix}", "get"),
            ("/api/jobs/{job_id}/files/{name}", "get"),
        }
        for methods in paths.values():
            for operation in methods.values():
                assert all("description" in each for each in operation.get("parameters", []))
                assert operation["summary"]

                answers = operation["responses"].values()
                assert not {"Successful Response", "Validation Error"} & {answer["description"] for answer in answers}

    def test_stands_in_the_documentation(self, client: Client) -> None:
        page = (Path(__file__).parents[3] / "docs/app.md").read_text(encoding="utf-8")
        for path in client.http.get("/openapi.json").json()["paths"]:
            assert f"`{path.replace('job_id', 'id')}`" in page or f" {path.replace('job_id', 'id')}`" in page, path
        for name in RESULTS:
            assert f"`{name}`" in page, name

    def test_pages_load_nothing_from_elsewhere(self, client: Client) -> None:
        for page in ("/", "/docs"):
            text = client.http.get(page).text
            loaded = re.findall(r'(?:src|href)="([^"]+)"', text)
            assert any(address.endswith(".js") for address in loaded)
            for address in loaded:
                if not address.startswith("data:"):
                    assert address.startswith("/") and client.http.get(address).status_code == 200, address
            assert (
                "<script>" not in text and " onclick" not in text and " style=" not in text
            )  # the policy forbids them
