"""Heads that can be looked at: what of them the photo showed, and generators tuned to one photo."""
