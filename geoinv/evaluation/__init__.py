"""How good the models are: figures on held-out synthetic heads, which have a truth, and on photos, which have none."""

from .heads import evaluate_heads
from .held_out import HeldOutHead, HeldOutHeads, build_held_out, load_held_out
from .means import Figures
from .photos import evaluate_photos
from .refinement import evaluate_refined_heads, evaluate_refined_photos
from .table import compared_rows, rounded, table_rows

__all__ = [
    "Figures",
    "HeldOutHead",
    "HeldOutHeads",
    "build_held_out",
    "compared_rows",
    "evaluate_heads",
    "evaluate_photos",
    "evaluate_refined_heads",
    "evaluate_refined_photos",
    "load_held_out",
    "rounded",
    "table_rows",
]
