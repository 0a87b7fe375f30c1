"""Edits of heads by named directions: smile, age, hair colour and whatever else a generator has."""

from .apply import apply_edits, direction_named
from .directions import Directions, directions_path, load_directions, read_directions, save_directions

__all__ = [
    "Directions",
    "apply_edits",
    "direction_named",
    "directions_path",
    "load_directions",
    "read_directions",
    "save_directions",
]
