"""The mouth of a head on the mesh is that of the photo, whatever the encoder guesses."""

from __future__ import annotations

from dataclasses import replace

import torch

from geoinv.images.tensors import photo_tensor
from geoinv.inversion.landmark_fit import fitted_to_landmarks
from geoinv.models.on_mesh import OnMesh
from geoinv.shape import ARKIT_UNITS, expression_code
from tests.avatar.test_mouth_fit import PARTED, SMILE, landmarks, person, picture, weight


def fitted(shown: dict[str, float], guessed: dict[str, float], *, with_picture: bool) -> OnMesh:
    """The fit to a painted face, from an encoder's guess of its expression."""
    who = person(shown)
    guess = OnMesh(replace(who.codes, expression=expression_code(guessed)), torch.zeros(1, 9, 3))
    return fitted_to_landmarks(
        guess,
        who.pose,
        [landmarks(person(guessed)).float()],  # the detector errs as the encoder does
        who.orbit,
        is_camera_fixed=False,
        pictures=photo_tensor(picture(who)) if with_picture else None,
    )[0]


def test_lips_that_touch_in_the_photo_close() -> None:
    parted = dict.fromkeys(PARTED, 0.4)
    by_points = fitted(SMILE, SMILE | parted, with_picture=False)
    by_colours = fitted(SMILE, SMILE | parted, with_picture=True)
    assert weight(by_points.codes, "mouthLowerDownLeft") > 0.25
    assert weight(by_colours.codes, "mouthLowerDownLeft") < 0.5 * weight(by_points.codes, "mouthLowerDownLeft")
    assert weight(by_colours.codes, "mouthSmileLeft") > 0.25
    assert torch.equal(by_colours.codes.identity, by_points.codes.identity)


def test_a_mouth_that_shows_teeth_stays_the_encoder_s() -> None:
    shown = SMILE | PARTED | {"browInnerUp": 0.5}
    by_points, by_colours = (fitted(shown, shown, with_picture=how) for how in (False, True))
    assert torch.equal(by_points.codes.expression, by_colours.codes.expression)
    assert weight(by_colours.codes, "mouthUpperUpLeft") > 0.4


def test_the_rest_of_the_face_stays_as_it_was() -> None:
    parted = dict.fromkeys(PARTED, 0.4) | {"browInnerUp": 0.5}
    by_points, by_colours = (fitted(SMILE, SMILE | parted, with_picture=how) for how in (False, True))
    others = [number for number, name in enumerate(ARKIT_UNITS) if not name.startswith(("mouth", "jaw"))]
    assert not torch.equal(by_points.codes.expression, by_colours.codes.expression)
    assert torch.equal(by_points.codes.expression[:, others], by_colours.codes.expression[:, others])
