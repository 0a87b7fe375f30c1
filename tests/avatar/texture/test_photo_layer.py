"""What a photo tells of the skin ends softly where the person's outline ends."""

from __future__ import annotations

import numpy as np

from geoinv.avatar.texture.person_colours import ExpectedSkin
from geoinv.avatar.texture.photo_layer import photo_layer
from geoinv.avatar.texture.regions import skin_regions
from geoinv.avatar.texture.seen import seen_weights
from geoinv.avatar.texture.skin import skin_coverage
from geoinv.avatar.texture.surface import HeadSurface
from tests.avatar.people import a_person
from tests.avatar.texture.painted import SIDE, painted_photo


def test_the_outline_of_the_person_leaves_no_steps() -> None:
    template = a_person()
    view = painted_photo(template)
    shows_person = view.shows_person.copy()
    shows_person[:, SIDE // 2 :] = False  # an outline through the middle of the face
    surface = HeadSurface.of(template.model, template.in_photo())
    sighting, regions = surface.seen_by(view.camera, SIDE), skin_regions(template.model)
    weight = seen_weights(surface, sighting, shows_person, regions)
    skin = ExpectedSkin(surface, sighting, view.source, regions, weight)
    layer = photo_layer(surface, sighting, view.source, shows_person, regions, skin)
    core = np.flatnonzero(regions.core & (sighting.cosine > 0.5) & ~surface.topology.hidden)
    coverage = skin_coverage(surface.topology, 512)
    is_core = coverage.bring(np.isin(np.arange(surface.topology.count), core)[:, None].astype(float))[:, 0] > 0.99
    _, trust = layer.texels(coverage)
    inwards = SIDE // 2 - SIDE * coverage.bring(sighting.places)[:, 0]  # pixels from the outline

    def between(start: float, stop: float) -> float:
        return float(np.median(trust[is_core & (inwards > start) & (inwards < stop)]))

    assert between(-8.0, 0.0) == 0.0
    assert between(0.0, 1.5) < 0.4
    assert 0.4 < between(2.0, 4.0) < 1.0
    assert between(8.0, 20.0) == 1.0
