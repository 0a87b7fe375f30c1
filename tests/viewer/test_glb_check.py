"""What is no head to be shown is one line that says why."""

from __future__ import annotations

import pytest

from geoinv.errors import UsageError
from geoinv.viewer import check_glb

from .toy_head import packed, triangle


def test_a_glb_is_read() -> None:
    assert check_glb(triangle(["a"]), "it.glb")["meshes"][0]["extras"] == {"targetNames": ["a"]}


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "it.glb is no GLB"),
        (b'{"asset": {"version": "2.0"}}', "it.glb is no GLB"),
        (b"glTF" + b"\1" * 16, "it.glb is glTF 16843009, not 2"),
        (packed(b"{}", version=1), "glTF 1, not 2"),
        (triangle()[:-8], "damaged or incomplete"),
        (packed(b"{nothing"), "no JSON"),
        (packed(b"[1]"), "no JSON"),
        (packed(b"\xff\xfe{}"), "no JSON"),
        (packed(b'{"meshes": []}'), "holds no mesh"),
        (packed(b'{"meshes": 3}'), "holds no mesh"),
        (triangle(buffers=[{"byteLength": 4, "uri": "head.bin"}]), "refers to another file, head.bin"),
        (triangle(images=[{"uri": "https://example.org/skin.png"}]), "refers to another file, https://example.org"),
        (triangle(extensionsRequired=["KHR_draco_mesh_compression"]), "compressed by Draco"),
    ],
)
def test_others_are_refused(data: bytes, says: str) -> None:
    with pytest.raises(UsageError, match=says) as caught:
        check_glb(data, "it.glb")
    assert caught.value.hint


def test_data_within_the_document_is_taken() -> None:
    image = {"uri": "data:image/png;base64,iVBORw0KGgo="}
    assert check_glb(triangle(images=[image]), "it.glb")["images"] == [image]


def test_deep_json_is_no_traceback() -> None:
    nested = b'{"meshes":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    with pytest.raises(UsageError, match="no JSON"):
        check_glb(packed(nested), "it.glb")
