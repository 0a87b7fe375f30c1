"""Measurement of models: metrics on held-out synthetic heads, which have a truth, and on photos, which have none."""

from .ablation import COLUMNS, Candidates, ablation_rows, candidates_of, evaluate_variants
from .generator_alone import evaluate_generator, knows_latents
from .generator_sheet import generator_sheet
from .heads import evaluate_heads
from .held_out import HeldOutHead, HeldOutHeads, load_held_out
from .held_out_rendering import build_held_out
from .means import Metrics
from .photos import evaluate_photos
from .refinement import evaluate_refined_heads, evaluate_refined_photos
from .table import compared_rows, rounded, table_rows
from .together import PersonPhotos, evaluate_heads_together, evaluate_persons
from .variants import Variant, encoded_by

__all__ = [
    "COLUMNS",
    "Candidates",
    "Metrics",
    "HeldOutHead",
    "HeldOutHeads",
    "PersonPhotos",
    "Variant",
    "ablation_rows",
    "build_held_out",
    "candidates_of",
    "compared_rows",
    "encoded_by",
    "evaluate_generator",
    "evaluate_heads",
    "evaluate_heads_together",
    "evaluate_persons",
    "evaluate_photos",
    "evaluate_refined_heads",
    "evaluate_refined_photos",
    "evaluate_variants",
    "generator_sheet",
    "knows_latents",
    "load_held_out",
    "rounded",
    "table_rows",
]
