"""The job of inverting a photo in a session that is loaded: the head, its sheet, and what was seen."""

from __future__ import annotations

import numpy as np

from ..align import AlignedFace
from ..camera import CameraPose
from ..conventions import CROP_SIZE
from ..images.tensors import at_side, photo_bytes
from ..session import Session
from .timing import Job


def invert_job(rounds: int) -> Job:
    """The default method with the pictures that ``geoinv invert`` writes, on a head of the generator's own.

    Alignment is left out: its networks are not ours to make faster, and a photo would have to ship for it.

    Args:
        rounds: Number of times that each side is timed.

    Raises:
        CheckpointError: The weights of ``mini`` are missing.
    """
    session = Session.load(device="cpu")
    face = own_face(session)

    def run() -> None:
        made = session.inverted(face)
        session.inversion_sheet(made)
        session.seen(made)

    return Job("invert", f"{session.info.name}: a photo inverted, with its pictures", run, rounds)


def own_face(session: Session) -> AlignedFace:
    """The mean head from the front, as an aligned photo before grey."""
    from ..heads import plain_head

    generator = session.generator_of_planes
    head = plain_head(generator, generator.w_avg[None, None].expand(1, generator.config.num_ws, -1))
    view = head.view(CameraPose.from_angles(0.1).camera(head.orbit))
    return AlignedFace(
        image=photo_bytes(at_side(view.over_grey(), CROP_SIZE)),
        landmarks5=np.zeros((5, 2)),  # only optimisation reads landmarks
        landmarks=np.zeros((468, 3)),
        matrix=np.eye(2, 3),
        source_size=(CROP_SIZE, CROP_SIZE),
        roll_deg=0.0,
        yaw_deg=0.0,
        pitch_deg=0.0,
        face_index=0,
        face_count=1,
        warnings=(),
    )
