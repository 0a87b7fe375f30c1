"""Heads that can be looked at: the one thing that views, meshes, edits and measurements are made from."""

from .anchored import AnchoredHead
from .around import PhotoAround
from .detailed import Alignment, DetailedHead
from .draft import draft_of
from .edit import Edit
from .enlarged import EnlargedHead
from .families import AnyDetailedHead, AnyPlainHead, OfPlanesHead, detailed_head, plain_head, source_view
from .grouped import GroupedHead
from .head import Head, ViewPair, each_view, view_pairs
from .plain import PlainHead

__all__ = [
    "Alignment",
    "AnchoredHead",
    "AnyDetailedHead",
    "AnyPlainHead",
    "DetailedHead",
    "Edit",
    "EnlargedHead",
    "GroupedHead",
    "Head",
    "OfPlanesHead",
    "PhotoAround",
    "PlainHead",
    "ViewPair",
    "detailed_head",
    "draft_of",
    "each_view",
    "plain_head",
    "source_view",
    "view_pairs",
]
