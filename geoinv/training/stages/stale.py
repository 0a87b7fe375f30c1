"""Weights that a newly trained encoder makes useless."""

from __future__ import annotations

from pathlib import Path

from ...checkpoints.store import load_details_file, model_file, sha256_of


def details_of_another_encoder(model: str, encoder: Path) -> Path | None:
    """The local branch of a model, where it was trained for another encoder than this; None where there is no such.

    Args:
        model: Generator, by name or file.
        encoder: File of the encoder.

    Raises:
        CheckpointError: The local branch's file is damaged.
    """
    path = model_file(model, "details")
    if not path.is_file():
        return None
    made_for = load_details_file(path)[1].extra.get("encoder_sha256")
    return path if made_for != sha256_of(encoder) else None
