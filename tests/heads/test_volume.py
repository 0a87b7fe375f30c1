"""The box of a generator's heads, and whether a bust is cut out of it."""

from __future__ import annotations

from dataclasses import replace

from geoinv.heads.volume import volume_of
from tests.tiny_models import tiny_anchored_config, tiny_config


def test_only_heads_seen_from_the_front_are_cut_to_a_bust() -> None:
    anchored = tiny_anchored_config()
    assert anchored.anchor is not None
    on_mesh = volume_of(anchored)
    assert not on_mesh.is_bust and on_mesh.level == 0.2 * anchored.anchor.space.density
    assert volume_of(tiny_config()).is_bust and not volume_of(replace(tiny_config(), crop="none")).is_bust
