"""Ambient occlusion of the average head under each hair style, baked once from depth pictures of many directions."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import shaders
from .assets import FloatArray, IntArray
from .sphere import sphere_directions

SIDE = 192
HALF_EXTENT = 0.75


class OcclusionBaker:
    """A measurement of how open points are to the sky around them.

    Args:
        context: A moderngl context.
        directions: Number of directions from which the head is looked at.
    """

    def __init__(self, context: Any, directions: int = 48) -> None:
        self._context = context
        self._program = context.program(vertex_shader=shaders.BAKE_VERTEX, fragment_shader=shaders.BAKE_FRAGMENT)
        self._depth = context.depth_texture((SIDE, SIDE))
        self._target = context.framebuffer([context.texture((SIDE, SIDE), 4)], self._depth)
        self._directions: FloatArray = sphere_directions(directions).astype(np.float32)

    def bake(
        self,
        occluders: list[tuple[FloatArray, FloatArray, IntArray, Any | None]],
        queries: list[tuple[FloatArray, FloatArray | None]],
        bias: float = 0.008,
    ) -> list[FloatArray]:
        """Openness in [0, 1] of each query's points, [M] each.

        Args:
            occluders: Surfaces that hide the sky: vertices [N, 3], uvs [N, 2], triangles [F, 3], and a texture with
                alpha or None.
            queries: Points [M, 3] with normals [M, 3] (cosine-weighted hemisphere) or None (the whole sphere).
            bias: Distance in world units that a point may lie behind the surface and still be seen.
        """
        import moderngl

        drawn = []
        for vertices, uvs, triangles, texture in occluders:
            table = np.ascontiguousarray(np.concatenate([vertices, uvs], 1), "f4")
            buffers = self._context.buffer(table.tobytes()), self._context.buffer(triangles.astype("i4").tobytes())
            vao = self._context.vertex_array(
                self._program, [(buffers[0], "3f 2f", "in_position", "in_uv")], buffers[1], skip_errors=True
            )
            drawn.append((vao, buffers, texture))
        sums = [np.zeros(len(points), np.float32) for points, _ in queries]
        totals = [np.full(len(points), 1e-6, np.float32) for points, _ in queries]
        self._target.use()
        self._context.enable_only(moderngl.DEPTH_TEST)
        for direction in self._directions:
            axes = self._axes(direction)
            self._target.clear(depth=1.0)
            matrix = np.eye(4, dtype=np.float32)
            matrix[:3, :3] = axes / HALF_EXTENT
            self._program["mvp"].write(np.ascontiguousarray(matrix.T).tobytes())
            for vao, _, texture in drawn:
                self._program["cut"].value = 0.0 if texture is None else 0.5
                if texture is not None:
                    texture.use(0)
                vao.render()
            depth = np.frombuffer(self._depth.read(alignment=1), np.float32).reshape(SIDE, SIDE)
            for (points, normals), total, weight_sum in zip(queries, sums, totals, strict=True):
                weight = np.ones(len(points), np.float32) if normals is None else np.maximum(normals @ direction, 0.0)
                total += weight * self._visible(points, axes, depth, bias)
                weight_sum += weight
        for vao, buffers, _ in drawn:
            vao.release()
            for buffer in buffers:
                buffer.release()
        return [np.clip(total / weights, 0.0, 1.0) for total, weights in zip(sums, totals, strict=True)]

    @staticmethod
    def _axes(direction: FloatArray) -> FloatArray:
        up = np.array([0.0, 1.0, 0.0]) if abs(direction[1]) < 0.9 else np.array([1.0, 0.0, 0.0])
        right = np.cross(up, direction)
        right /= np.linalg.norm(right)
        return np.stack([right, np.cross(direction, right), -direction]).astype(np.float32)

    @staticmethod
    def _visible(points: FloatArray, axes: FloatArray, depth: FloatArray, bias: float) -> FloatArray:
        local = points @ axes.T / HALF_EXTENT
        pixel = np.clip(((local[:, :2] * 0.5 + 0.5) * SIDE).astype(np.int32), 0, SIDE - 1)
        seen = depth[pixel[:, 1], pixel[:, 0]] * 2.0 - 1.0
        return (local[:, 2] - bias / HALF_EXTENT <= seen).astype(np.float32)
