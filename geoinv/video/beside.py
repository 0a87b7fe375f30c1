"""The clip beside the avatar that does the same: a video to judge the performance by."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..avatar import Avatar
from ..avatar.parts import EYELIDS
from ..present.video import write_video
from ..progress import OnCount
from ..shape import HeadCodes, HeadModel, load_head_model
from ..shape.picture import draw_mesh
from .capture import Captured
from .frame_fit import placed
from .performance import LOG_SCALE, Performance, X, Y
from .reading import Clip

MAX_HEIGHT = 480
"""Rows of the video; larger frames are reduced."""

_BACKGROUND = 54.0
_FINER = 2


def write_beside(
    path: Path,
    clip: Clip,
    captured: Captured,
    avatar: Avatar,
    *,
    on_frame: OnCount | None = None,
) -> None:
    """Write a video of frames and avatar side by side; frames are read, drawn and written one by one.

    Args:
        path: Ends in .mp4.
        clip: The clip.
        captured: What was found in it.
        avatar: Gives the colours.
        on_frame: Called with the number of frames written so far.
    """
    model, performance = load_head_model(), captured.performance
    colours = vertex_colours(avatar, len(model.mean) + len(model.teeth.colours))

    def pictures() -> Iterator[NDArray[np.uint8]]:
        for number, frame in zip(range(len(performance)), clip.frames(), strict=False):
            yield _beside(frame, performance, number, model, captured.person, colours)

    write_video(path, pictures(), fps=performance.fps, on_frame=on_frame)


def vertex_colours(avatar: Avatar, count: int) -> Tensor:
    """[count, 3] RGB in [0, 1] of an avatar's vertices, read off its textures."""
    colours = np.zeros((count, 3), np.float32)
    for part in avatar.parts:
        if part.name == EYELIDS:
            continue  # the model has none
        if part.colours is not None:
            colours[part.rows] = part.colours
            continue
        texture = avatar.textures[part.material]
        height, width = texture.shape[:2]
        columns = np.clip((part.uvs[:, 0] * width).astype(int), 0, width - 1)
        rows = np.clip(((1.0 - part.uvs[:, 1]) * height).astype(int), 0, height - 1)
        colours[part.rows] = texture[rows, columns] / np.float32(255.0)
    return torch.from_numpy(colours)


def _beside(
    frame: NDArray[np.uint8],
    performance: Performance,
    number: int,
    model: HeadModel,
    person: HeadCodes,
    colours: Tensor,
) -> NDArray[np.uint8]:
    """One picture [H, 2 W, 3]."""
    height, width = frame.shape[:2]
    scale = min(1.0, MAX_HEIGHT / height)
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    pose = performance.pose[number].astype(np.float64)
    pose[[X, Y]] *= scale
    pose[LOG_SCALE] += np.log(scale)
    camera, to_frame = placed(pose)
    expression = torch.from_numpy(performance.expression[number])[None]
    codes = HeadCodes(person.identity, expression, torch.zeros(1, 2))  # eyes turn by their units, as in the avatar
    finer = (size[0] * _FINER, size[1] * _FINER)
    drawn = draw_mesh(model, codes, camera, to_frame * _FINER, finer, colours=colours)
    drawn = np.asarray(cv2.resize(drawn, size, interpolation=cv2.INTER_AREA), np.uint8)
    opacity = drawn[..., 3:] / np.float32(255.0)
    head = np.rint(drawn[..., :3] + _BACKGROUND * (1.0 - opacity)).astype(np.uint8)
    shown = np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), np.uint8)
    return np.concatenate([shown, head], axis=1)
