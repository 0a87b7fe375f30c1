"""Figures: how near a picture, a depth map, a camera or a face is to another. Nothing here is used in training."""
