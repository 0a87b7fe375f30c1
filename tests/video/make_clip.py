"""Make a clip of a synthetic head whose performance is known. Needs the assets of docs/synthetic-heads.md.

``python -m tests.video.make_clip FOLDER --persons 2`` writes ``FOLDER/person2.mp4``; its truth is
``performance(100, 25.0, 2)``.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from geoinv.camera import CameraPose
from geoinv.conventions import FACE_ORBIT
from geoinv.present.video import write_video
from geoinv.shape import ARKIT_UNITS
from geoinv.synth.dataset import draw_latent
from geoinv.synth.heads import HeadRenderer
from geoinv.synth.preview import over_background
from geoinv.synth.sampler import HeadSampler
from tests.video.performance import Performance, performance


def frames_of(renderer: HeadRenderer, played: Performance, person: int, side: int) -> Iterator[NDArray[np.uint8]]:
    """Frames [side, side, 3] of a performance by the person with that seed."""
    sampler = HeadSampler()
    looks = replace(sampler(draw_latent(sampler, np.random.default_rng([77, person]))), glasses=None)
    for number, weights in enumerate(played.expression):
        units = {f"expression/{name}": float(weight) for name, weight in zip(ARKIT_UNITS, weights, strict=True)}
        gaze = (float(played.gaze[number, 0]), float(played.gaze[number, 1]))
        doing = replace(looks, expression=units, gaze=gaze, mouth_open=units["expression/jawOpen"])
        pose = CameraPose.from_angles(*played.angles[number].tolist())
        view = renderer.render(renderer.build(doing), pose.cam2world(FACE_ORBIT)[0].numpy().astype(np.float32))
        x, y = played.place[number] * side
        move = np.array([[1.0, 0.0, x], [0.0, 1.0, y]])
        picture = cv2.warpAffine(over_background(view), move, (side, side), borderMode=cv2.BORDER_REPLICATE)
        yield np.asarray(picture, np.uint8)


def main() -> None:
    """Write a clip of each of the persons."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--persons", type=int, nargs="+", default=[2])
    parser.add_argument("--side", type=int, default=256)
    given = parser.parse_args()
    renderer = HeadRenderer(None, given.side)
    for person in given.persons:
        played = performance(given.frames, 25.0, person)
        write_video(given.folder / f"person{person}.mp4", frames_of(renderer, played, person, given.side), fps=25)


if __name__ == "__main__":
    main()
