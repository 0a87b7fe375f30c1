"""Light that was put on skin of one colour is taken out again."""

from __future__ import annotations

import numpy as np
import torch

from geoinv.avatar.texture.albedo import shade_of_skin
from geoinv.avatar.texture.regions import skin_regions
from geoinv.avatar.texture.surface import HeadSurface
from geoinv.light import directional_light, shaded_color
from tests.avatar.people import a_person


def test_a_lamp_from_the_side_is_taken_out() -> None:
    template = a_person()
    surface = HeadSurface.of(template.model, template.in_photo())
    regions = skin_regions(template.model)
    direction = torch.nn.functional.normalize(torch.tensor([[0.6, 0.3, 0.8]]), dim=1)
    light = directional_light(direction, torch.full((1, 3), 0.9))
    light[:, 0] += 0.6  # and some from everywhere
    normals = torch.from_numpy(surface.normals).float()[None]
    skin = torch.tensor([0.7, 0.5, 0.4]).expand(1, normals.shape[1], 3)
    lit = 255.0 * shaded_color(skin, light, normals)[0].double().numpy()
    weight = np.clip(2.0 * surface.normals[:, 2], 0.0, 1.0)
    shade = shade_of_skin(surface, lit, weight, regions)
    assert shade is not None
    rows = (weight > 0.5) & regions.face & ~surface.topology.hidden
    before, after = lit[rows, 0], (lit / shade[:, None])[rows, 0]
    assert before.std() / before.mean() > 0.08
    assert after.std() / after.mean() < 0.35 * before.std() / before.mean()
    assert abs(after.mean() / before.mean() - 1.0) < 0.05


def test_too_little_skin_tells_no_light() -> None:
    template = a_person()
    surface = HeadSurface.of(template.model, template.in_photo())
    grey = np.full((surface.topology.count, 3), 128.0)
    assert shade_of_skin(surface, grey, np.zeros(len(grey)), skin_regions(template.model)) is None
