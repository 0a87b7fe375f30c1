"""Which photo each view comes from, as metrics and as a picture."""

from __future__ import annotations

import numpy as np
import torch

from geoinv.conventions import FACE_ORBIT
from geoinv.heads import DetailedHead, GroupedHead, PlainHead, view_pairs
from geoinv.models.source_view import SourceView
from geoinv.present.seen import seen_cameras
from geoinv.present.seen_together import GUESSED, origin_of, photo_colours, seen_together
from tests.dense_heads import camera, code_of, dense_generator
from tests.tiny_models import tiny_details

PHOTO = np.full((64, 64, 3), 90, np.uint8)


def head_of(*yaws: float) -> GroupedHead:
    generator = dense_generator()
    plain = PlainHead(generator, code_of(generator))
    person, photo = torch.ones(1, 1, 32, 32), torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(2))
    sources = [SourceView.from_photo(photo, person, plain.view(camera(yaw))) for yaw in yaws]
    return GroupedHead([DetailedHead(plain, tiny_details(), source) for source in sources])


def test_each_side_is_said_to_come_from_the_photo_that_saw_it() -> None:
    head = head_of(0.0, 0.785, -0.785)
    seen = seen_together(
        {"front.jpg": PHOTO, "left.jpg": PHOTO, "right.jpg": PHOTO},
        head,
        list(view_pairs(head, seen_cameras(FACE_ORBIT))),
    )
    assert list(seen.views) == ["-45", "0", "+45"]
    for yaw, photo in (("-45", "right.jpg"), ("0", "front.jpg"), ("+45", "left.jpg")):
        shares = seen.views[yaw]
        assert max(shares, key=lambda name: shares[name]) == photo
        assert abs(sum(shares.values()) - 1.0) < 1e-3
    assert seen.record == {"seen_share": seen.seen_fraction, "seen_by_photo": seen.views}
    assert seen.seen_fraction > 0.6


def test_what_no_photo_shows_is_guessed() -> None:
    behind = head_of(np.pi, np.pi)
    origin = origin_of(behind, behind.plain.view(camera()))
    assert (origin == GUESSED).float().mean() > 0.5
    assert not (origin >= 0).any()


def test_photos_have_colours_of_their_own() -> None:
    colours = np.array(photo_colours(5), np.float32)
    apart = np.abs(colours[:, None] - colours[None]).sum(axis=2)
    assert apart[~np.eye(5, dtype=bool)].min() > 60
