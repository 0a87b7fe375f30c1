"""geoinv view: an inversion or a GLB to a page."""

from __future__ import annotations

import base64
import gzip
import re
from collections.abc import Callable
from pathlib import Path

from geoinv.viewer import check_glb
from tests.viewer.toy_head import triangle

from .conftest import Done


def glb_in(page: str) -> bytes:
    """The head inside a page."""
    found = re.search(r'id="glb">([^<]*)<', Path(page).read_text(encoding="utf-8"))
    assert found is not None
    return gzip.decompress(base64.b64decode(found[1]))


def test_a_glb_is_shown_as_it_is(geoinv: Callable[..., Done]) -> None:
    Path("a <b>&.glb").write_bytes(triangle(["jawOpen"]))
    done = geoinv("view", "a <b>&.glb", "--json")
    assert done.code == 0, done.err
    assert done.json["page"] == "outputs/a <b>&.html"
    assert done.json["bytes"] == Path("outputs/a <b>&.html").stat().st_size < 1e6
    assert glb_in("outputs/a <b>&.html") == triangle(["jawOpen"])
    assert "<title>a &lt;b&gt;&amp; · geoinv</title>" in Path("outputs/a <b>&.html").read_text(encoding="utf-8")


def test_an_inversion_is_shown_as_its_avatar(geoinv: Callable[..., Done], inverted: Path) -> None:
    done = geoinv("view", inverted, "--out", "deep/head.html", "--json")
    assert done.code == 0, done.err
    assert done.json["inversion"] == str(inverted)
    assert done.json["bytes"] < 6e6
    document = check_glb(glb_in("deep/head.html"), "it")
    names = {name for mesh in document["meshes"] for name in mesh.get("extras", {}).get("targetNames", [])}
    assert {"jawOpen", "viseme_aa"} <= names


def test_the_newest_inversion_is_the_default(geoinv: Callable[..., Done], inverted: Path) -> None:
    geoinv("view").assert_fails(2, "no inversion in outputs", "geoinv invert")
    Path("outputs").mkdir()
    Path("outputs/woman.geoinv").write_bytes(inverted.read_bytes())
    done = geoinv("view", "--device", "cpu")
    assert done.code == 0, done.err
    assert "outputs/woman.geoinv, the newest" in done.err
    assert "outputs/woman.html" in done.out
    geoinv("view").assert_fails(2, "outputs/woman.html exists", "--overwrite")


def test_what_cannot_be_shown_is_one_line(geoinv: Callable[..., Done], inverted: Path) -> None:
    Path("bad.glb").write_bytes(b"no glb at all, but long enough")
    Path("folder.glb").mkdir()
    geoinv("view", "bad.glb").assert_fails(2, "bad is no GLB")
    geoinv("view", "folder.glb").assert_fails(2, "cannot read folder.glb: is a directory")
    geoinv("view", "gone.glb").assert_fails(2, "cannot read gone.glb: no such file")
    geoinv("view", "scene.gltf").assert_fails(2, "scene.gltf may refer to other files")
    geoinv("view", "gone.geoinv").assert_fails(2, "no such file: gone.geoinv")
    geoinv("view", inverted, "--out", "head.htm").assert_fails(2, "head.htm", ".html")
    geoinv("view", "bad.glb", "--device", "cpu").assert_fails(2, "a .glb file does not go with --device")
    assert not list(Path().glob("**/*.html"))
