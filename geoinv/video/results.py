"""From what a clip shows to an avatar that does it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..avatar.animation import Animation
from ..avatar.glb import avatar_glb
from ..errors import UsageError
from ..files import atomic_path

if TYPE_CHECKING:
    from ..avatar import Avatar
    from ..inversion import Inverted, Refinement
    from ..session import Session
    from .capture import Captured
    from .performance import Performance


def performing_avatar(
    session: Session,
    captured: Captured,
    source: str,
    method: str | None = None,
    refinement: Refinement | None = None,
) -> tuple[Inverted, Avatar]:
    """The head in the clip's best frame, and its avatar with the clip's identity.

    Args:
        session: Loaded models.
        captured: What the clip shows.
        source: Name of the clip, kept in the inversion.
        method: Method of inversion; the usual one by default.
        refinement: Budget of ``optimise`` and ``pti``.

    Raises:
        PhotoError: No face is found in the frame's crop.
    """
    faces = session.aligner.detect(captured.best)
    away = [float(np.linalg.norm(face.landmarks[:, :2].mean(axis=0) - captured.best_place)) for face in faces]
    aligned = session.align(captured.best, face=int(np.argmin(away)) if away else None)
    made = session.inverted(aligned, source=source, method=method, refinement=refinement)
    return made, session.avatar(made.inversion, photo=captured.best, person=captured.person)


def write_performance(path: Path, avatar: Avatar, performance: Performance) -> None:
    """Write an avatar with its performance as .glb, whole or not at all.

    Raises:
        UsageError: Another suffix.
    """
    if path.suffix.lower() != ".glb":
        raise UsageError(f"cannot write a performance to {path}", "give a path ending in .glb")
    animation = Animation(performance.times, performance.expression, performance.head_turns())
    with atomic_path(path) as temporary:
        temporary.write_bytes(avatar_glb(avatar, animation))
