"""Clips that are kept for tests."""

from pathlib import Path

ACTING = Path(__file__).with_name("person2.mp4")
