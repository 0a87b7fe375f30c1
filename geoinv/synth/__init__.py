"""Synthetic heads from CC0 MakeHuman assets: a deterministic picture of every Gaussian vector, from any camera.

The pieces, from the vector to the files:

* :mod:`.sampler` turns a vector z into the parameters of a head (with :mod:`.traits`, :mod:`.palettes`,
  :mod:`.lighting`, and :mod:`.attributes`, the table of edits); it needs no extra and no assets.
* :mod:`.geometry` makes the shape, :mod:`.heads` draws it (with :mod:`.rasteriser`, :mod:`.shaders`, :mod:`.skins`,
  :mod:`.masks`, :mod:`.occlusion`, :mod:`.glasses`, :mod:`.dentition`, :mod:`.trunk`) under a light of
  :mod:`.lighting`; they need the extra ``synth`` and the assets (:mod:`.assets`).
* :mod:`.dataset` renders many heads into shards; :mod:`.plane_flow` adds how their features lie on the planes.
"""

from .attributes import Attribute
from .parameters import HeadParameters
from .sampler import SAMPLER_VERSION, Category, HeadSampler, Switch

__all__ = ["SAMPLER_VERSION", "Attribute", "Category", "HeadParameters", "HeadSampler", "Switch"]
