"""Data of training: rendered heads, portraits, pairs of views, and how they are varied."""
