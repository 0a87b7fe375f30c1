"""MediaPipe's face detector (BlazeFace, full range) and 468-point face mesh, run by OpenCV alone.

The two files in ``weights/face`` are MediaPipe's, Apache-2.0 (see the NOTICE beside them). Detection decodes anchors
and merges them by weighted non-maximum suppression as MediaPipe does; the mesh is predicted
again on a crop placed by the mesh itself until that crop rests, so that little depends on where the detector put it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ..folders import weights_dir
from .crop import apply_affine, compose_affine, invert_affine, warp
from .face import Face, FloatArray, ImageArray
from .network import TFLiteNetwork
from .pose import pose_of

_DETECTOR_FILE = "face_detection_full_range.tflite"
_MESH_FILE = "face_landmark.tflite"
_DETECTOR_SIDE = 192
_DETECTOR_OUTPUTS = ("reshaped_regressor_face_4", "reshaped_classifier_face_4")
_ANCHOR_STRIDE = 4
_MESH_SIDE = 192
_MESH_OUTPUTS = ("conv2d_20", "conv2d_30")
_MESH_OFFSET = np.array([0.65, 0.5, 0.0])  # pixels; x measured by mirroring 40 portraits, y half a pixel
_MESH_MARGIN = 1.5
_PASSES, _MAX_PASSES = 3, 5  # more than three make strongly turned faces drift; a face upside down may need five
_SETTLED, _TURNING = 1.0, 16.0  # pixels that a corner of the network's input moves from one pass to the next
_FOLLOWED = 6.0  # the same, of a face in a video, which moves a little from frame to frame
_MIN_SCORE = 0.5
_MIN_SCORE_SEARCH = 0.6  # of the further looks at a photo where nothing was found: more looks, more chances to err
_SURE_SCORE = 0.75  # upright faces in clear photos score 0.73 and more, faces turned by over 90 degrees mostly less
_MIN_PRESENCE = 0.0  # a logit
_MISFIT_WEIGHT = 1000.0
_MIN_QUALITY_SEARCH = 10.0  # of 160 portraits the least is 13; faces put upside down have less than 1
_SURE_QUALITY = 20.0
_MAX_OVERLAP = 0.3
_SMALLEST_TILE = 640.0  # pixels; faces too small for these would make a blurred head
_WORKING_SIDE = 1536  # the detector sees at most a quarter of the photo at 192 pixels, so more is of no use to it


@dataclass(frozen=True, eq=False)
class _Candidate:
    """A face of one look at the photo.

    Args:
        face: The face.
        quality: Fit of the mesh. The network that predicts it also gives a number for "this is a face", of
            which about 45 to 60 means a face in the right place and under 20 one that is upside down or none; 1000
            times the misfit to an average head, 7 to 12 for a right mesh, is subtracted.
    """

    face: Face
    quality: float


class MediaPipeBackend:
    """Finds faces and their 468 landmarks on any machine, in about 0.1 s a photo on one core.

    Args:
        model_dir: Folder with the two ``.tflite`` files; by default ``face`` in geoinv's weights.

    Raises:
        CheckpointError: A model file is missing or unreadable.
    """

    def __init__(self, model_dir: Path | None = None) -> None:
        if model_dir is None:
            model_dir = weights_dir() / "face"
        self._detector = TFLiteNetwork(model_dir / _DETECTOR_FILE)
        self._mesh = TFLiteNetwork(model_dir / _MESH_FILE)
        cells = _DETECTOR_SIDE // _ANCHOR_STRIDE
        ticks = (np.arange(cells) + 0.5) / cells
        self._anchors = np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2)  # [N, 2] (x, y) in [0, 1]

    def detect(self, image: ImageArray) -> list[Face]:
        """All faces in a photo [H, W, 3], the largest first."""
        small, to_small = _working_copy(image)
        to_photo = invert_affine(to_small)

        def look(views: list[FloatArray], min_score: float) -> list[_Candidate]:
            shown = [(view, self._detect_view(small, compose_affine(view, to_photo), min_score)) for view in views]
            return [face for view, found in shown for face in self._measured(image, view, found)]

        found = look([_view(image, 1.0)], _MIN_SCORE)
        # Not sure of any: a face that fills the frame, a photo that lies on its side or stands on its head.
        for views in (_zoomed_out, _turned):
            if not any(_is_sure(face) for face in found):
                found += [face for face in look(views(image), _MIN_SCORE_SEARCH) if face.quality > _MIN_QUALITY_SEARCH]
        for side in _tile_sides(image):
            if not found:  # a small face in a large scene, or in a very long picture
                found = self._search_tiles(image, side)
        return sorted((face.face for face in _distinct(found)), key=lambda face: face.size, reverse=True)

    def follow(self, image: ImageArray, before: FloatArray) -> Face | None:
        """The face of the frame before, where it is now: one look of the mesh, two where it moved, and no detector.

        Args:
            image: [H, W, 3] frame of a video.
            before: [468, 3] landmarks in the frame before.

        Returns:
            The face, or None where there is none any more.
        """
        angle = _angle(before[33], before[263])
        centre, side = _upright_bounds(before[:, :2], angle)
        found = self._settled(image, centre, side, angle, passes=2, settled=_FOLLOWED)
        return None if found is None or found.quality < _MIN_QUALITY_SEARCH else found.face

    def measure(self, image: ImageArray, box: FloatArray) -> Face | None:
        """The face in a box [4] of left, top, right, bottom, where it is known to be; None where the mesh sees none."""
        found = self._settled(image, 0.5 * (box[:2] + box[2:]), float((box[2:] - box[:2]).max()), 0.0)
        return None if found is None else found.face

    def _search_tiles(self, image: ImageArray, side: float) -> list[_Candidate]:
        """Faces in overlapping square parts of the photo."""
        found = []
        for centre in _tile_centres(image, side):
            part, to_part = _cut(image, centre, side)
            view = _square(np.array(centre), side, 0.0, _DETECTOR_SIDE)
            seen = self._detect_view(part, compose_affine(view, invert_affine(to_part)), _MIN_SCORE_SEARCH)
            found += [face for face in self._measured(image, view, seen) if face.quality > _MIN_QUALITY_SEARCH]
        return found

    def _measured(
        self, image: ImageArray, view: FloatArray, found: list[tuple[float, FloatArray, FloatArray]]
    ) -> list[_Candidate]:
        """The faces among what the detector found in a view, with their meshes."""
        from_view = invert_affine(view)
        faces = [self._measure(image, s, apply_affine(from_view, b), apply_affine(from_view, k)) for s, b, k in found]
        return [face for face in faces if face is not None]

    def _detect_view(
        self, image: ImageArray, to_view: FloatArray, min_score: float
    ) -> list[tuple[float, FloatArray, FloatArray]]:
        """Scores, boxes [2, 2] (two corners) and keypoints [6, 2] in pixels of the detector's input."""
        pixels = warp(image, to_view, _DETECTOR_SIDE, border=cv2.BORDER_CONSTANT).astype(np.float32) / 127.5 - 1.0
        regression, logits = self._detector(pixels, _DETECTOR_OUTPUTS)
        scores = 1.0 / (1.0 + np.exp(-np.clip(logits.reshape(-1).astype(np.float64), -80.0, 80.0)))
        keep = scores > min_score
        values = regression.reshape(-1, 16)[keep].astype(np.float64) / _DETECTOR_SIDE
        anchors, scores = self._anchors[keep], scores[keep]
        centres, sides = values[:, :2] + anchors, values[:, 2:4]
        boxes = np.concatenate([centres - sides / 2, centres + sides / 2], axis=1)
        keypoints = values[:, 4:].reshape(-1, 6, 2) + anchors[:, None]
        merged = _weighted_nms(scores, boxes, keypoints)
        return [(s, b.reshape(2, 2) * _DETECTOR_SIDE, k * _DETECTOR_SIDE) for s, b, k in merged]

    def _measure(
        self, image: ImageArray, score: float, corners: FloatArray, keypoints: FloatArray
    ) -> _Candidate | None:
        """The mesh of a detected face, or None where the mesh network sees no face."""
        centre, side = corners.mean(axis=0), float(np.abs(corners[1] - corners[0]).max())
        angle = _angle(keypoints[0], keypoints[1])
        return self._settled(image, centre, side, angle, score=score)

    def _settled(
        self,
        image: ImageArray,
        centre: FloatArray,
        side: float,
        angle: float,
        *,
        score: float = 1.0,
        passes: int = _PASSES,
        settled: float = _SETTLED,
    ) -> _Candidate | None:
        """The mesh in a square of the photo, again in the square about that mesh until the square rests.

        Args:
            image: [H, W, 3].
            centre: [2] middle of a box about the face.
            side: Its side.
            angle: Its turn.
            score: The detector's score.
            passes: Looks after which only a square that still moves a lot is followed.
            settled: Pixels of the network's input by which a square that rests may move.
        """
        landmarks: FloatArray = np.zeros((468, 3))
        presence = _MIN_PRESENCE
        for step in range(_MAX_PASSES):
            to_crop = _square(centre, side * _MESH_MARGIN, angle)
            crop = warp(image, to_crop, _MESH_SIDE, border=cv2.BORDER_REPLICATE).astype(np.float32) / 255.0
            points, flag = self._mesh(crop, _MESH_OUTPUTS)
            presence = float(flag.reshape(-1)[0])
            landmarks = apply_affine(invert_affine(to_crop), points.reshape(-1, 3).astype(np.float64) + _MESH_OFFSET)
            angle = _angle(landmarks[33], landmarks[263])
            centre, side = _upright_bounds(landmarks[:, :2], angle)
            next_crop = _square(centre, side * _MESH_MARGIN, angle)
            if _largest_move(to_crop, next_crop) < (settled if step + 1 < passes else _TURNING):
                break
        if presence < _MIN_PRESENCE:
            return None
        box = np.concatenate([landmarks[:, :2].min(axis=0), landmarks[:, :2].max(axis=0)])
        quality = presence - _MISFIT_WEIGHT * _misfit(landmarks)
        return _Candidate(Face(box=box, score=score, landmarks=landmarks), quality)


def _weighted_nms(
    scores: FloatArray, boxes: FloatArray, keypoints: FloatArray
) -> list[tuple[float, FloatArray, FloatArray]]:
    """Group detections about the strongest one and average each group by score, as MediaPipe does."""
    merged = []
    order = np.argsort(-scores, kind="stable")
    while len(order):
        overlaps = np.array([_overlap(boxes[order[0]], boxes[i]) for i in order])
        overlaps[0] = 1.0
        group = order[overlaps > _MAX_OVERLAP]
        weights = scores[group] / scores[group].sum()
        box = (boxes[group] * weights[:, None]).sum(axis=0)
        points = (keypoints[group] * weights[:, None, None]).sum(axis=0)
        merged.append((float(scores[order[0]]), box, points))
        order = order[overlaps <= _MAX_OVERLAP]
    return merged


def _distinct(candidates: list[_Candidate]) -> list[_Candidate]:
    """One of those that overlap: the one whose mesh fits best."""
    kept: list[_Candidate] = []
    for candidate in sorted(candidates, key=lambda candidate: candidate.quality, reverse=True):
        if not any(_overlap(candidate.face.box, other.face.box) > _MAX_OVERLAP for other in kept):
            kept.append(candidate)
    return kept


def _is_sure(candidate: _Candidate) -> bool:
    return candidate.quality > _SURE_QUALITY and candidate.face.score > _SURE_SCORE


def _misfit(landmarks: FloatArray) -> float:
    """Root mean square distance of landmarks [468, 3] from those of an average head, as a part of the crop's side."""
    return pose_of(landmarks).residual


def _overlap(a: FloatArray, b: FloatArray) -> float:
    """Intersection over union of two boxes (left, top, right, bottom)."""
    sides = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    shared = float(np.clip(sides, 0.0, None).prod())
    union = float((a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod()) - shared
    return shared / max(union, 1e-12)


def _angle(left: FloatArray, right: FloatArray) -> float:
    return float(np.arctan2(right[1] - left[1], right[0] - left[0]))


def _square(centre: FloatArray, side: float, angle: float, size: int = _MESH_SIDE) -> FloatArray:
    """[2, 3] from the photo to a crop of ``size`` pixels that shows a square turned by ``angle``."""
    cos, sin = np.cos(angle) * size / side, np.sin(angle) * size / side
    linear = np.array([[cos, sin], [-sin, cos]])
    return np.concatenate([linear, (size / 2 - linear @ centre)[:, None]], axis=1)


def _largest_move(before: FloatArray, after: FloatArray) -> float:
    """Largest distance in pixels between a corner of one crop and the same corner of the next."""
    corners = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]) * _MESH_SIDE
    moved = apply_affine(compose_affine(after, invert_affine(before)), corners) - corners
    return float(np.linalg.norm(moved, axis=1).max())


def _upright_bounds(points: FloatArray, angle: float) -> tuple[FloatArray, float]:
    """Centre and longer side of the box about the points whose top is parallel to the eyes."""
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    turned = points @ turn.T
    low, high = turned.min(axis=0), turned.max(axis=0)
    return turn.T @ ((low + high) / 2), float((high - low).max())


def _working_copy(image: ImageArray) -> tuple[ImageArray, FloatArray]:
    """A copy small enough to warp quickly, and the transform from the photo to it."""
    height, width = image.shape[:2]
    scale = min(1.0, _WORKING_SIDE / max(height, width))
    new_width, new_height = max(1, round(width * scale)), max(1, round(height * scale))
    to_small = np.array([[new_width / width, 0.0, 0.0], [0.0, new_height / height, 0.0]])
    if scale == 1.0:
        return image, to_small
    small = cv2.resize(image, (new_width, new_height), interpolation=cv2.INTER_AREA)
    return np.asarray(small, dtype=np.uint8), to_small


def _view(image: ImageArray, side: float, angle: float = 0.0, centre: tuple[float, float] = (0.5, 0.5)) -> FloatArray:
    """Photo to detector input; ``side`` is a part of the longer side, ``centre`` of width and height."""
    height, width = image.shape[:2]
    middle = np.array([width * centre[0], height * centre[1]])
    return _square(middle, side * max(height, width), angle, _DETECTOR_SIDE)


def _zoomed_out(image: ImageArray) -> list[FloatArray]:
    return [_view(image, 1.8)]


def _turned(image: ImageArray) -> list[FloatArray]:
    return [_view(image, 1.2, angle) for angle in (np.pi / 2, -np.pi / 2, np.pi)]


def _tile_sides(image: ImageArray) -> list[float]:
    """Sides in pixels of the squares in which small faces are looked for, each half of the one before."""
    longer = max(image.shape[:2])
    halvings = max(1, math.floor(math.log2(max(longer / _SMALLEST_TILE, 1.0))))
    return [longer / 2.0**step for step in range(1, halvings + 1)]


def _tile_centres(image: ImageArray, side: float) -> list[tuple[float, float]]:
    """Centres (x, y) of squares that cover a photo, half of each shared with the next."""

    def along(length: int) -> list[float]:
        if length <= side:
            return [length / 2]
        count = math.ceil(2.0 * (length / side - 1.0)) + 1
        return [float(place) for place in np.linspace(side / 2, length - side / 2, count)]

    return [(x, y) for y in along(image.shape[0]) for x in along(image.shape[1])]


def _cut(image: ImageArray, centre: tuple[float, float], side: float) -> tuple[ImageArray, FloatArray]:
    """The part of a photo that a square shows, and the transform from the photo to it."""
    left, top = (max(0, math.floor(middle - side / 2)) for middle in centre)
    right, bottom = (math.ceil(middle + side / 2) for middle in centre)
    return image[top:bottom, left:right], np.array([[1.0, 0.0, -left], [0.0, 1.0, -top]])
