"""Rays through canonical planes that an anchor volume ties to a head mesh."""

from __future__ import annotations

from .reference import AnchorVolumes as AnchorVolumes
