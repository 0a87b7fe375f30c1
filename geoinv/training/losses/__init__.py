"""Losses that more than one stage reads."""
