"""People for tests of avatars: the shipped head model with fixed codes, without a photo or a network."""

from __future__ import annotations

from functools import cache

import torch

from geoinv.avatar import FittedTemplate
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
