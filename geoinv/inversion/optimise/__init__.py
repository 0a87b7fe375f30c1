"""Inversion by optimisation: code, camera and, for ``pti``, the generator move until the head fits its photo."""
