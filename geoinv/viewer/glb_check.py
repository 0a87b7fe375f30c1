"""Whether a page can show a file: binary glTF 2.0 that holds all it needs."""

from __future__ import annotations

import json
import struct
from typing import Any

from ..errors import UsageError

_HEADER = struct.Struct("<4sIII4s")  # magic, version, length of all, length of the first chunk, its kind
_HINT = "give a .glb file (binary glTF 2.0), or a .geoinv file made by `geoinv invert`"

_NEEDS_A_DECODER = {
    "KHR_draco_mesh_compression": "Draco",
    "EXT_meshopt_compression": "meshopt",
    "KHR_meshopt_compression": "meshopt",
    "KHR_texture_basisu": "Basis textures",
}
"""Extensions whose decoders the page leaves out: they are larger than what they would save."""


def check_glb(data: bytes, name: str) -> dict[str, Any]:
    """The glTF document of a GLB's bytes.

    Args:
        data: The file.
        name: What errors call it.

    Raises:
        UsageError: It is no GLB, is damaged, shows nothing, refers to other files, or is compressed in a way that
            the page cannot undo.
    """
    document = _document(data, name)
    if not _list(document, "meshes"):
        raise UsageError(f"{name} holds no mesh", _HINT)
    for kind in ("buffers", "images"):
        for entry in _list(document, kind):
            uri = entry.get("uri") if isinstance(entry, dict) else None
            if isinstance(uri, str) and not uri.startswith("data:"):
                raise UsageError(
                    f"{name} refers to another file, {uri[:80]}",
                    "a page holds one file: export with textures and buffers inside the .glb",
                )
    for extension in _list(document, "extensionsRequired"):
        if extension in _NEEDS_A_DECODER:
            raise UsageError(
                f"{name} is compressed by {_NEEDS_A_DECODER[extension]}, which the page cannot read",
                "export it without; the page packs it anyway",
            )
    return document


def _document(data: bytes, name: str) -> dict[str, Any]:
    if len(data) < _HEADER.size or data[:4] != b"glTF":
        raise UsageError(f"{name} is no GLB", _HINT)
    _, version, length, text_length, kind = _HEADER.unpack_from(data)
    if version != 2:
        raise UsageError(f"{name} is glTF {version}, not 2", _HINT)
    if length > len(data) or kind != b"JSON" or _HEADER.size + text_length > length:
        raise UsageError(f"{name} is damaged or incomplete", "export or copy it again")
    try:
        document = json.loads(data[_HEADER.size : _HEADER.size + text_length])
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise UsageError(f"{name} is damaged: its description is no JSON", "export or copy it again")
    return document


def _list(document: dict[str, Any], key: str) -> list[Any]:
    value = document.get(key)
    return value if isinstance(value, list) else []
