"""What an avatar's file says of itself: the terms under which it may be used, and what made it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .._version import __version__
from ..checkpoints.index import load_index

if TYPE_CHECKING:
    from ..checkpoints.store import ModelInfo

_MESH_LICENCE = "CC0-1.0"  # of MakeHuman's topology, units and teeth
_NOTE = (
    "The licence is that of the models that made this file. The photo, and the rights of the person in it, stay with "
    "whose they are."
)


def avatar_facts(generator: ModelInfo, edits: Mapping[str, float]) -> dict[str, Any]:
    """JSON values for ``asset.extras``.

    Args:
        generator: The generator that the head is shown with.
        edits: Strengths of the edits in the head, by name.
    """
    listed = [entry for entry in load_index().values() if entry.sha256 == generator.sha256]
    facts: dict[str, Any] = {
        "geoinv": __version__,
        "licence": listed[0].licence if listed else "that of the generator",
        "licence_note": _NOTE,
        "model": generator.name,
        "model_sha256": generator.sha256,
        "mesh": "MakeHuman's topology, teeth and expression units by geoinv's head model",
        "mesh_licence": _MESH_LICENCE,
    }
    return facts | ({"edits": dict(edits)} if edits else {})
