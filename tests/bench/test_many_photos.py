"""Photos a second: counted right."""

from __future__ import annotations

import pytest

from geoinv.bench import many_photos


def test_first_photos_of_workers_do_not_count() -> None:
    assert many_photos.rate_of([10.0, 12.0, 14.0], 1) == 0.5
    assert many_photos.rate_of([12.5, 10.0, 11.0, 12.0], 2) == pytest.approx(2 / 1.5)


def test_no_more_workers_than_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(many_photos, "usable_cores", lambda: 1)
    assert many_photos.growth(float) == {1: 1.0}
    monkeypatch.setattr(many_photos, "usable_cores", lambda: 8)
    assert many_photos.growth(float) == {1: 1.0, 2: 2.0}


@pytest.mark.slow
def test_photos_are_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(many_photos, "PHOTOS", 2)
    assert many_photos.photos_per_second(1) > 0.0
