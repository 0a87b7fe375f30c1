from dataclasses import dataclass, field

import pytest
import torch

from geoinv.editing.discovery import discover_directions
from tests.ellipsoid_head import EllipsoidGenerator


@dataclass(frozen=True)
class Attribute:
    low: dict[int, float]
    high: dict[int, float]
    description: str = field(default="text")


class TestDiscoverDirections:
    def test_hand_computed(self):
        """The fixture's mapping copies the first four numbers of z."""
        attributes = {"even": Attribute({0: -2.0}, {0: 2.0}), "switch": Attribute({1: 0.0}, {1: 1.5})}
        directions = discover_directions(EllipsoidGenerator(), attributes, generator_sha256="ab", heads=8)
        assert directions.generator_sha256 == "ab" and directions.descriptions["even"] == "text"
        for layer in directions.vectors["even"]:
            assert layer == pytest.approx([2.0, 0.0, 0.0, 0.0])
        for layer in directions.vectors["switch"]:
            assert layer == pytest.approx([0.0, 1.5, 0.0, 0.0])

    def test_attribute_of_some_heads_only(self):
        class Half(EllipsoidGenerator):
            def mapping(self, z, label=None, *, truncation_psi=1.0):
                return super().mapping(z * (z[:, 4:5] > 0.0))

        directions = discover_directions(Half(), {"a": Attribute({0: 0.0}, {0: 1.0})}, generator_sha256="", heads=400)
        assert directions.vectors["a"][0, 0].item() > 0.9

    def test_same_for_a_seed(self):
        torch.manual_seed(1)
        attributes = {"a": Attribute({0: 0.0}, {0: 1.0})}
        one, other = (discover_directions(EllipsoidGenerator(), attributes, generator_sha256="") for _ in range(2))
        assert torch.equal(one.vectors["a"], other.vectors["a"])
