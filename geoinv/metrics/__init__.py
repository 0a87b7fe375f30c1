"""Figures: how near a picture, a depth map, a camera or a face is to another.

No model is trained with them; optimisation of a single photo has the identity descriptor in its loss.
"""
