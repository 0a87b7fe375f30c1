"""Functions by which callers follow long work."""

from __future__ import annotations

from collections.abc import Callable

OnCount = Callable[[int], None]
"""Called with the number of heads, photos, views or frames that are done."""

OnFraction = Callable[[float], None]
"""Called with the fraction of the work that is done, from 0 to 1."""

Say = Callable[[str], None]
"""Called with a line of text for people."""
