"""People for tests of avatars: the shipped head model with fixed codes, without a photo or a network."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch

from geoinv.avatar import Avatar, FittedTemplate, avatar_parts
from geoinv.avatar.morphs import morph_targets
from geoinv.avatar.rig import rig_of
from geoinv.avatar.texture import PhotoView
from geoinv.avatar.texture.picture_source import PictureSource
from geoinv.camera import CameraPose
from geoinv.conventions import FACE_ORBIT
from geoinv.shape import HeadCodes, expression_code, load_head_model


@cache
def a_person(seed: int = 1) -> FittedTemplate:
    """A random person who smiles with an open mouth, seen a little from the side."""
    model = load_head_model()
    identity = torch.randn(1, model.identity_size, generator=torch.Generator().manual_seed(seed))
    smile = expression_code({"mouthSmileLeft": 0.6, "mouthSmileRight": 0.5, "jawOpen": 0.2})
    codes = HeadCodes(identity, smile, torch.tensor([[0.1, -0.05]]))
    return FittedTemplate(model, codes, CameraPose.from_angles(0.2), FACE_ORBIT, 0.0)


PHOTO_COLOUR = (200, 90, 40)


def a_photo() -> PhotoView:
    """A photo of that person that is of one colour, and shows the person everywhere."""
    picture = np.broadcast_to(np.array(PHOTO_COLOUR, np.uint8), (512, 512, 3)).copy()
    return PhotoView(a_person().camera, PictureSource.of_square(picture), np.ones((512, 512), bool))


@cache
def an_avatar() -> Avatar:
    """The avatar of that person, with small textures of one colour each."""
    person = a_person()
    textures = {
        name: np.full((8, 8, 3), 40 * k, np.uint8) for k, name in enumerate(("skin", "tongue", "eyes", "eyelids"), 1)
    }
    parts = avatar_parts(person)
    seen = np.linspace(0.0, 1.0, len(parts[0].rows), dtype=np.float32)
    facts = {"licence": "CC0-1.0", "model": "none"}
    return Avatar(parts, morph_targets(person), rig_of(person), textures, seen=seen, facts=facts)
