"""Metrics: numbers for how near a picture, a depth map, a surface or a camera is to another.

They have no weights of their own and are computed alike for every model. What networks see in faces is in
:mod:`geoinv.faces`; some of those networks are also trained with, see :mod:`geoinv.training.losses.likeness`.
"""
