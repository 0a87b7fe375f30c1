"""Inversions: a photo's place in a generator's latent space, how it is found, and the file that keeps it.

Names are resolved when they are first used: the command line reads the names of the methods without loading torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .encode import Inverted, Provenance, encode_face, mean_face
    from .methods import METHODS, Method, default_method, method_named
    from .optimise.refine import Refinement, refine_head
    from .optimise.refine_inversion import refine_inversion
    from .reconstruct import Reconstructed, reconstruct
    from .saved import Inversion

_HOME = {
    "Inversion": "saved",
    "Inverted": "encode",
    "METHODS": "methods",
    "Method": "methods",
    "Provenance": "encode",
    "Reconstructed": "reconstruct",
    "Refinement": "optimise.refine",
    "default_method": "methods",
    "encode_face": "encode",
    "mean_face": "encode",
    "method_named": "methods",
    "reconstruct": "reconstruct",
    "refine_head": "optimise.refine",
    "refine_inversion": "optimise.refine_inversion",
}

__all__ = [
    "METHODS",
    "Inversion",
    "Inverted",
    "Method",
    "Provenance",
    "Reconstructed",
    "Refinement",
    "default_method",
    "encode_face",
    "mean_face",
    "method_named",
    "reconstruct",
    "refine_head",
    "refine_inversion",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'geoinv.inversion' has no attribute {name!r}")
    value = getattr(import_module(f".{_HOME[name]}", __name__), name)
    globals()[name] = value
    return value
