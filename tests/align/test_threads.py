"""One aligner used by several threads gives each what it gives alone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from geoinv.align import FaceAligner


def test_threads_do_not_mix_their_photos(aligner: FaceAligner, photos: dict[str, np.ndarray]) -> None:
    names = list(photos) * 4
    alone = {name: aligner.align(photo) for name, photo in photos.items()}
    with ThreadPoolExecutor(3) as pool:
        together = list(pool.map(lambda name: aligner.align(photos[name]), names))
    for name, aligned in zip(names, together, strict=True):
        np.testing.assert_array_equal(aligned.landmarks, alone[name].landmarks)
        np.testing.assert_array_equal(aligned.image, alone[name].image)
