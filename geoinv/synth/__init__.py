"""Synthetic heads from CC0 MakeHuman assets: a deterministic picture of every Gaussian vector, from any camera.

``HeadSampler`` and the data-set reader need numpy alone; ``HeadRenderer`` needs the extra ``synth`` and the assets.
"""

from .attributes import Attribute
from .parameters import HeadParameters
from .sampler import SAMPLER_VERSION, Category, HeadSampler, Switch

__all__ = ["SAMPLER_VERSION", "Attribute", "Category", "HeadParameters", "HeadSampler", "Switch"]
