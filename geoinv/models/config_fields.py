"""Fields of configurations as files have them."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from ..errors import CheckpointError


def same_fields(cls: type, values: dict[str, Any], kind: str) -> dict[str, Any]:
    """Values of all fields of a dataclass, lists as tuples.

    Raises:
        CheckpointError: One is missing or unknown; ``kind`` says of which configuration.
    """
    names = {f.name for f in fields(cls)}
    if set(values) != names:
        raise CheckpointError(f"{kind} configuration has fields {sorted(values)}, expected {sorted(names)}")
    return {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
