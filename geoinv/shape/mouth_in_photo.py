"""The mouth as a photo shows it: where the lips part, whether teeth show between them, how dark it is below these.

A face detector guesses a mouth from all of the face: it parts the lips of many a bearded man, and closes them over
teeth. So the colours between the lips decide: along lines across the lips, what is dark or pale beside them is no lip.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ..images.cielab import cielab
from .lip_points import CORNERS, LOWER, OUTER_LOWER, OUTER_UPPER, UPPER

FloatArray = NDArray[np.float64]

_MIDDLE = slice(2, 7)  # lines that count: at the corners of a mouth all is dark
_SAMPLES = 96  # along a line
_INTO_LIPS = 0.45  # part of a lip's height from its edge where lines begin
_BLUR = 0.7  # pixels
_DARK = 0.55  # lightness of what is no lip, of the darker lip's
_PALE, _LESS_RED, _LIGHT = (
    0.8,
    5.0,
    0.8,
)  # chroma of teeth of the lips' at most; less CIELAB a*; of the upper lip's light
_HOLE = 0.02  # of the mouth's width: shine and gaps of teeth that part nothing
_FAR = 0.03  # of the mouth's width that the detector may be beside what parts the lips
_OFTEN_PALE = 0.3  # of a line between the lips, from which it shows teeth
_THIN, _TALL = 0.015, 0.058  # of the mouth's width: dark lines of closed lips are no taller than the second
_WIDE_OPEN = 0.33  # of the mouth's width between the lips, from which a detector is right by itself
_SHADOW = 0.015  # of the mouth's width below teeth that are shut
_OVERLAP = 0.02  # of the mouth's width that each of two closed lips goes beyond their line, so that none gapes
_ROUNDS = 5
_BENDS = 0.03  # of the mouth's width off a parabola, from which a place on a rim is a mistake


@dataclass(frozen=True, eq=False)
class MouthInPhoto:
    """A mouth in a photo.

    Args:
        upper: [9, 2] pixels on the rim of the upper lip, by the points ``UPPER``.
        lower: [9, 2] on that of the lower lip; where the lips touch, each goes a little beyond the other.
        is_closed: Whether they touch.
        shows_teeth: Whether teeth show between them.
        below_teeth: Pixels of dark below the upper teeth, 0 where none show.
    """

    upper: FloatArray
    lower: FloatArray
    is_closed: bool
    shows_teeth: bool
    below_teeth: float


def read_mouth(picture: NDArray[np.uint8], landmarks: FloatArray) -> MouthInPhoto | None:
    """What a picture shows of a mouth; None for one that is wide open, where colours tell less than the detector.

    Args:
        picture: [H, W, 3] RGB of a face.
        landmarks: [468, 2] MediaPipe's points in it, pixels.
    """
    width = float(np.linalg.norm(landmarks[CORNERS[1]] - landmarks[CORNERS[0]]))
    opening = np.linalg.norm(landmarks[list(LOWER)] - landmarks[list(UPPER)], axis=1)
    if width < 1.0 or opening.max() > _WIDE_OPEN * width:
        return None
    lines = _Lines.of(picture, landmarks)
    spans = [lines.parted(line, _HOLE * width, _FAR * width) for line in range(len(UPPER))]
    heights = np.array([span.stop - span.start for span in spans]) * lines.step
    pale = np.array([lines.pale[line, span].mean() if span.stop else 0.0 for line, span in enumerate(spans)])
    has_teeth = (pale > _OFTEN_PALE) & (heights > _THIN * width)
    shows_teeth = int(has_teeth[_MIDDLE].sum()) >= 2
    if not shows_teeth and float(np.median(heights[_MIDDLE])) < _TALL * width:
        across = 0.5 * (landmarks[list(UPPER), 0] + landmarks[list(LOWER), 0])
        touch = _height_at(_smooth(lines.where_lips_touch(), _BENDS * width), across)
        overlap = (0.0, _OVERLAP * width)
        return MouthInPhoto(touch + overlap, touch - overlap, is_closed=True, shows_teeth=False, below_teeth=0.0)
    upper, lower = landmarks[list(UPPER)], landmarks[list(LOWER)]
    below, above_teeth, below_teeth = [], [], []
    for line in np.flatnonzero(has_teeth).tolist():
        span = spans[line]
        above_teeth.append(lines.at(line, span.start))
        below_teeth.append(lines.at(line, span.stop))
        last = span.start + int(np.flatnonzero(lines.pale[line, span])[-1]) + 1
        below.append((span.stop - last) * lines.step[line])
    dark = max(0.0, float(np.median(below)) - _SHADOW * width) if shows_teeth else 0.0
    if shows_teeth:
        upper, lower = (
            _moved_to(rim, _smooth(np.array(found), _BENDS * width))
            for rim, found in ((upper, above_teeth), (lower, below_teeth))
        )
    return MouthInPhoto(upper, lower, is_closed=False, shows_teeth=shows_teeth, below_teeth=dark)


def _smooth(line: FloatArray, bend: float) -> FloatArray:
    """A line [M, 2] as a parabola that leaves out places far off, ``bend`` pixels from it or more."""
    across = (line[:, 0] - line[:, 0].mean()) / max(float(np.ptp(line[:, 0])), 1e-6)
    degree = min(2, len(line) - 1)
    weight: FloatArray = np.ones(len(line))
    for _ in range(_ROUNDS):
        height = np.polyval(np.polyfit(across, line[:, 1], degree, w=weight), across)
        weight = 1.0 / (1.0 + np.square((line[:, 1] - height) / bend))
    return np.stack([line[:, 0], height], axis=1)


def _height_at(line: FloatArray, across: FloatArray) -> FloatArray:
    """[N, 2] places of a line [M, 2] from left to right in the picture, by their first coordinates [N]."""
    return np.stack([across, np.interp(across, line[:, 0], line[:, 1])], axis=1)


def _moved_to(rim: FloatArray, found: FloatArray) -> FloatArray:
    """The detector's rim [9, 2] at the height that was found [M, 2], and beside that as it is."""
    within = (rim[:, 0] > found[:, 0].min() - 1.0) & (rim[:, 0] < found[:, 0].max() + 1.0)
    return np.where(within[:, None], _height_at(found, rim[:, 0]), rim)


@dataclass(frozen=True, eq=False)
class _Lines:
    """Nine lines across the lips, from within the upper lip to within the lower one.

    Args:
        start: [9, 2] their first ends, pixels.
        way: [9, 2] from the first to the last.
        step: [9] pixels between samples.
        middle: [9] sample that lies between the detector's rims.
        lightness: [9, N] CIELAB L.
        dark: [9, N] whether a sample is too dark for lips.
        pale: [9, N] whether it has the colour of teeth.
    """

    start: FloatArray
    way: FloatArray
    step: FloatArray
    middle: FloatArray
    lightness: FloatArray
    dark: NDArray[np.bool_]
    pale: NDArray[np.bool_]

    @classmethod
    def of(cls, picture: NDArray[np.uint8], landmarks: FloatArray) -> _Lines:
        """Lines of a mouth in a picture."""
        above, upper, lower, below = (landmarks[list(which)] for which in (OUTER_UPPER, UPPER, LOWER, OUTER_LOWER))
        start, stop = above + _INTO_LIPS * (upper - above), below + _INTO_LIPS * (lower - below)
        way = stop - start
        length = np.maximum(np.linalg.norm(way, axis=1), 1e-6)
        middle = ((0.5 * (upper + lower) - start) * way).sum(1) / length**2 * _SAMPLES
        soft = np.asarray(cv2.GaussianBlur(picture.astype(np.float32) / np.float32(255.0), (0, 0), _BLUR), np.float32)
        lab = cielab(soft)
        parts = (np.arange(_SAMPLES) + 0.5) / _SAMPLES
        colours = _read(lab, start[:, None] + parts[None, :, None] * way[:, None])
        upper_lip, lower_lip = (
            np.median(_read(lab, 0.5 * (edge + rim)[None])[0, _MIDDLE], axis=0)
            for edge, rim in ((above, upper), (below, lower))
        )
        chroma = np.hypot(colours[..., 1], colours[..., 2])
        dark = colours[..., 0] < _DARK * min(upper_lip[0], lower_lip[0])
        least_chroma = min(np.hypot(*upper_lip[1:]), np.hypot(*lower_lip[1:]))
        pale = ~dark & (chroma < _PALE * least_chroma) & (colours[..., 0] > _LIGHT * upper_lip[0])
        pale &= colours[..., 1] < min(upper_lip[1], lower_lip[1]) - _LESS_RED
        return cls(start, way, length / _SAMPLES, middle, colours[..., 0], dark, pale)

    def at(self, line: int, sample: float) -> FloatArray:
        """[2] pixels of the border before a sample."""
        return np.asarray(self.start[line] + sample / _SAMPLES * self.way[line])

    def parted(self, line: int, hole: float, far: float) -> slice:
        """Samples between the lips on one line: the longest part that is no lip, if near the detector's.

        Args:
            line: Which line.
            hole: Pixels of lip's colour that part nothing, on both sides.
            far: Most pixels from where the detector parts them: lips shine.
        """
        reach = max(1, round(hole / self.step[line]))
        # lips go on beyond the line: without them, what is closed reaches its end
        inside = np.pad((self.dark[line] | self.pale[line]).astype(np.uint8), 2 * reach)[None]
        inside = cv2.morphologyEx(inside, cv2.MORPH_CLOSE, np.ones((1, 2 * reach + 1), np.uint8))[0]
        inside = inside[2 * reach : -2 * reach]
        edges = np.flatnonzero(np.diff(inside.astype(np.int8), prepend=0, append=0))
        if not len(edges):
            return slice(0, 0)
        first, last = edges[::2], edges[1::2]
        away = np.maximum(np.maximum(first - self.middle[line], self.middle[line] - last), 0.0)
        best = int(np.argmax((last - first) - away))
        return slice(int(first[best]), int(last[best])) if away[best] * self.step[line] <= far else slice(0, 0)

    def where_lips_touch(self) -> FloatArray:
        """[9, 2] pixels between closed lips: the darkest places."""
        away = np.abs(np.arange(_SAMPLES) + 0.5 - self.middle[:, None]) * self.step[:, None]
        darkest = np.argmin(self.lightness + 0.5 * away, axis=1) + 0.5
        return np.asarray(self.start + (darkest / _SAMPLES)[:, None] * self.way)


def _read(picture: NDArray[np.float32], places: FloatArray) -> FloatArray:
    """Values [N, M, C] of a picture at pixels [N, M, 2], linear between them."""
    at = (places - 0.5).astype(np.float32)
    return np.asarray(
        cv2.remap(picture, at[..., 0], at[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), float
    )
