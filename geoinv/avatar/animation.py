"""An avatar's performance as a glTF animation: weights of morph targets, and the turn of neck and head."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ..errors import ShapeError
from ..mesh.gltf import GltfBuffer, Json
from ..shape import ARKIT_UNITS
from .rig import HEAD, NECK

_NECK_PART = 0.5
"""Part of the head's turn that the neck makes; both turn about one axis, so the whole turn is the head's."""


@dataclass(frozen=True, eq=False)
class Animation:
    """What an avatar does, at T times.

    Args:
        times: [T] seconds, ascending from 0.
        expression: [T, 52] weights of ARKit's units.
        head_turns: [T, 3, 3] turns of the head from rest, in the world's axes.
        name: Name in the file.
    """

    times: NDArray[np.float32]
    expression: NDArray[np.float32]
    head_turns: NDArray[np.float32]
    name: str = "performance"

    def __post_init__(self) -> None:
        shapes = (self.expression.shape, self.head_turns.shape)
        if shapes != ((len(self.times), len(ARKIT_UNITS)), (len(self.times), 3, 3)):
            raise ShapeError(
                f"expression [T, 52] and head_turns [T, 3, 3] do not fit {len(self.times)} times: {shapes}"
            )


def animation_entry(animation: Animation, buffer: GltfBuffer, meshes: Sequence[Json], first_joint: int) -> Json:
    """The entry of ``animations``, whose arrays are added to the buffer.

    Args:
        animation: What the avatar does.
        buffer: Binary part of the file.
        meshes: Meshes of the file, the n-th of which is that of the n-th node.
        first_joint: Node of the first joint.
    """
    times = buffer.add(np.asarray(animation.times, "<f4"), "SCALAR", target=None, has_bounds=True)
    samplers: list[Json] = []
    channels: list[Json] = []

    def channel(node: int, path: str, output: int) -> None:
        channels.append({"sampler": len(samplers), "target": {"node": node, "path": path}})
        samplers.append({"input": times, "output": output, "interpolation": "LINEAR"})

    for node, mesh in enumerate(meshes):
        names = mesh.get("extras", {}).get("targetNames", [])
        weights = np.zeros((len(animation.times), len(names)), "<f4")
        for column, name in enumerate(names):
            if name in ARKIT_UNITS:
                weights[:, column] = animation.expression[:, ARKIT_UNITS.index(name)]
        if weights.any():
            channel(node, "weights", buffer.add(weights.reshape(-1), "SCALAR", target=None))
    turns = Rotation.from_matrix(animation.head_turns).as_rotvec()
    for joint, part in ((NECK, _NECK_PART), (HEAD, 1.0 - _NECK_PART)):
        quaternions = Rotation.from_rotvec(part * turns).as_quat()  # x, y, z, w, as glTF has them
        channel(first_joint + joint, "rotation", buffer.add(np.asarray(quaternions, "<f4"), "VEC4", target=None))
    return {"name": animation.name, "samplers": samplers, "channels": channels}
