"""Edits of heads by named directions: smile, age, hair colour and whatever else a generator has."""

from .apply import apply_edits, direction_named
from .directions import Directions, directions_path, load_directions, read_directions, save_directions
from .discovery import discover_directions
from .effect import visible_directions
from .identity import IdentityBound, largest_scale
from .reach import Reach, bounded_strengths, measure_reach

__all__ = [
    "Directions",
    "IdentityBound",
    "Reach",
    "apply_edits",
    "bounded_strengths",
    "direction_named",
    "directions_path",
    "discover_directions",
    "largest_scale",
    "load_directions",
    "measure_reach",
    "read_directions",
    "save_directions",
    "visible_directions",
]
