"""Inversions: a photo's place in a generator's latent space, and the file that keeps it."""

from .encode import encode_face
from .inversion import Inversion

__all__ = ["Inversion", "encode_face"]
