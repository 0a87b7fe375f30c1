"""What every test begins with."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from geoinv import notices


@pytest.fixture(autouse=True)
def own_notices() -> Iterator[None]:
    """No test hears of an earlier one's notices, nor misses one that an earlier test was given."""
    with notices.collect():
        yield
