"""Inversions: a photo's place in a generator's latent space, how it is found, and the file that keeps it."""

from .encode import encode_face, mean_face
from .optimise.refine import Method, Refinement, refine_head
from .optimise.refine_inversion import refine_inversion
from .saved import Inversion

__all__ = ["Inversion", "Method", "Refinement", "encode_face", "mean_face", "refine_head", "refine_inversion"]
