"""Inversions: a photo's place in a generator's latent space, how it is found, and the file that keeps it."""

from .encode import Inverted, Provenance, encode_face, mean_face
from .optimise.refine import Refinement, refine_head
from .optimise.refine_inversion import refine_inversion
from .reconstruct import Reconstructed, reconstruct
from .saved import Inversion

__all__ = [
    "Inversion",
    "Inverted",
    "Provenance",
    "Reconstructed",
    "Refinement",
    "encode_face",
    "mean_face",
    "reconstruct",
    "refine_head",
    "refine_inversion",
]
