"""Figures: how near a picture, a depth map, a camera or a face is to another. None trains a model;
optimisation of a single photo uses the identity descriptor."""
