"""An off-screen OpenGL target on EGL: programs, buffers, supersampled read-back.

Runs on a GPU or on Mesa's software renderer (llvmpipe).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..conventions import FOCAL
from ..errors import MissingDependencyError
from . import shaders
from .assets import FloatArray, IntArray

NEAR, FAR = 1.2, 5.0


@dataclass(frozen=True)
class HeadView:
    """A picture of a head.

    Args:
        rgba: [H, W, 4] uint8, straight alpha.
        albedo: [H, W, 3] uint8 colour of the surface without light, with its ambient occlusion, straight.
        depth: [H, W] float32 distance along the optical axis in world units; 0 outside.
        normals: [H, W, 3] float32 unit normals in world axes, by which the surface is lit; 0 outside.
        landmarks5: [5, 2] image positions of eyes, nose and mouth corners: x and y in [0, 1], y down.
        landmarks68: [68, 2] image positions of the iBUG landmarks: x and y in [0, 1], y down.
    """

    rgba: NDArray[np.uint8]
    albedo: NDArray[np.uint8]
    depth: FloatArray
    normals: FloatArray
    landmarks5: FloatArray
    landmarks68: FloatArray


def create_context() -> Any:
    """Create a stand-alone OpenGL 3.3 context.

    Raises:
        MissingDependencyError: moderngl, Pillow or EGL is missing.
    """
    try:
        import moderngl
    except ImportError as error:
        raise MissingDependencyError(
            "synthetic heads need the package moderngl", "pip install 'geoinv[synth]'"
        ) from error
    try:
        return moderngl.create_context(standalone=True, backend="egl")  # type: ignore[arg-type]
    except Exception as error:  # moderngl raises bare Exception for a missing libEGL
        raise MissingDependencyError(
            f"no OpenGL on EGL: {error}", "Debian and Ubuntu: apt install libegl1 libgl1-mesa-dri libgles2"
        ) from error


class Part:
    """A mesh of fixed topology on the GPU whose dynamic attributes are rewritten for each head."""

    def __init__(
        self, context: Any, program: Any, triangles: IntArray, count: int, dynamic: str, static: dict[str, FloatArray]
    ) -> None:
        """Upload the fixed parts of a mesh.

        Args:
            context: A moderngl context.
            program: A moderngl program.
            triangles: [F, 3] vertex indices.
            count: Number of vertices.
            dynamic: Formats, then names of the attributes that :meth:`write` sets, as moderngl spells them:
                ``3f 3f 1f in_position in_normal in_open``.
            static: [count] or [count, k] values by name of each fixed attribute.
        """
        fields = dynamic.split()
        half = len(fields) // 2
        floats = sum(int(field[:-1]) for field in fields[:half])
        self.program = program
        self._count = count
        self._buffer = context.buffer(reserve=count * floats * 4, dynamic=True)
        layout: list[tuple[Any, ...]] = [(self._buffer, " ".join(fields[:half]), *fields[half:])]
        for name, values in static.items():
            width = 1 if values.ndim == 1 else values.shape[1]
            layout.append((context.buffer(np.ascontiguousarray(values, "f4").tobytes()), f"{width}f", name))
        indices = context.buffer(np.ascontiguousarray(triangles, "i4").tobytes())
        self._vao = context.vertex_array(program, layout, indices)

    def write(self, *columns: FloatArray) -> None:
        """Upload the dynamic attributes, each [N] or [N, k]."""
        table = np.concatenate([c[:, None] if c.ndim == 1 else c for c in columns], 1)
        self._buffer.write(np.ascontiguousarray(table, "f4"))

    def draw(self, uniforms: dict[str, Any]) -> None:
        """Set the uniforms that the program has, and draw."""
        set_uniforms(self.program, uniforms)
        self._vao.render()


def set_uniforms(program: Any, uniforms: dict[str, Any]) -> None:
    """Set each uniform that ``program`` uses; a compiler drops the unused ones."""
    for name, value in uniforms.items():
        if name in program:
            if isinstance(value, np.ndarray) and value.ndim == 2:
                is_matrix = value.shape[0] == value.shape[1]  # else an array of vectors; OpenGL wants columns
                program[name].write(np.ascontiguousarray(value.T if is_matrix else value, "f4").tobytes())
            else:
                program[name].value = tuple(float(v) for v in value) if hasattr(value, "__len__") else value


def projection(cam2world: NDArray[np.floating]) -> FloatArray:
    """Matrix [4, 4] from world to OpenGL clip space; y is kept down, so that the top row is read back first."""
    scale = 2.0 * FOCAL
    matrix = np.array(
        [
            [scale, 0, 0, 0],
            [0, scale, 0, 0],
            [0, 0, (FAR + NEAR) / (FAR - NEAR), -2 * FAR * NEAR / (FAR - NEAR)],
            [0, 0, 1, 0],
        ]
    )
    projection: FloatArray = (matrix @ np.linalg.inv(np.asarray(cam2world, np.float64))).astype(np.float32)
    return projection


class Rasteriser:
    """Programs and a supersampled framebuffer with colour, normal, albedo and depth.

    Args:
        resolution: Side of the pictures in pixels.
        supersample: Samples a pixel along each axis.
    """

    def __init__(self, resolution: int, supersample: int) -> None:
        import moderngl

        self.resolution, self.supersample = resolution, supersample
        self.context = create_context()
        ctx = self.context
        self.programs: dict[str, Any] = {
            "skin": ctx.program(vertex_shader=shaders.SKIN_VERTEX, fragment_shader=shaders.SKIN_FRAGMENT),
            "eye": ctx.program(vertex_shader=shaders.EYE_VERTEX, fragment_shader=shaders.EYE_FRAGMENT),
            "solid": ctx.program(vertex_shader=shaders.SOLID_VERTEX, fragment_shader=shaders.SOLID_FRAGMENT),
            "hair": ctx.program(vertex_shader=shaders.HAIR_VERTEX, fragment_shader=shaders.HAIR_FRAGMENT),
        }
        side = resolution * supersample
        self._color, self._normal, self._albedo = (ctx.texture((side, side), 4) for _ in range(3))
        self._depth = ctx.depth_texture((side, side))
        self._target = ctx.framebuffer([self._color, self._normal, self._albedo], self._depth)
        self._blend = (moderngl.ONE, moderngl.ONE_MINUS_SRC_ALPHA)
        self._flags = moderngl.DEPTH_TEST

    def begin(self, cam2world: NDArray[np.floating], uniforms: dict[str, Any]) -> None:
        """Clear the framebuffer, and set the uniforms that all programs have in common."""
        self._target.use()
        self._target.depth_mask = True
        self.context.enable_only(self._flags)
        self.context.front_face = "cw"  # the picture is upside down to OpenGL
        self._target.clear(0.0, 0.0, 0.0, 0.0, depth=1.0)
        shared = {"mvp": projection(cam2world), "eye_position": np.asarray(cam2world)[:3, 3], **uniforms}
        for program in self.programs.values():
            set_uniforms(program, shared)

    @contextmanager
    def culling(self) -> Iterator[None]:
        """Draw only triangles that face the camera, for closed surfaces."""
        import moderngl

        self.context.enable(moderngl.CULL_FACE)
        yield
        self.context.disable(moderngl.CULL_FACE)

    def blending(self) -> None:
        """From here on, blend premultiplied colours and write no depth."""
        import moderngl

        self.context.enable_only(self._flags | moderngl.BLEND)
        self.context.blend_func = self._blend
        self._target.depth_mask = False

    def read(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8], FloatArray, FloatArray]:
        """Averages of the picture's samples, as :class:`HeadView` has them.

        Returns:
            Rgba [H, W, 4], albedo [H, W, 3], nearest depth [H, W] and unit normals [H, W, 3].
        """
        self._target.depth_mask = True
        color, normal, albedo = (self._average(target.read()) for target in (self._color, self._normal, self._albedo))
        side, s = self.resolution * self.supersample, self.supersample
        z = np.frombuffer(self._depth.read(alignment=1), np.float32).reshape(side, side)
        z = np.minimum.reduce([z[i::s, j::s] for i in range(s) for j in range(s)])
        alpha = color[..., 3:]
        straighten = (255.0 / np.maximum(alpha, 1e-3)) * (alpha > 0.5)
        rgba = np.empty(color.shape, np.uint8)
        rgba[..., :3] = np.minimum(color[..., :3] * straighten + 0.5, 255.0)
        rgba[..., 3:] = alpha + 0.5
        flat = np.minimum(albedo[..., :3] * straighten + 0.5, 255.0).astype(np.uint8)
        directions = 2.0 * normal[..., :3] - normal[..., 3:]
        directions /= np.sqrt((directions * directions).sum(-1, keepdims=True)) + 1e-6
        directions *= alpha > 0.5
        depth = 2 * FAR * NEAR / ((FAR + NEAR) - (2 * z - 1) * (FAR - NEAR))
        depth[z >= 1.0] = 0.0
        return rgba, flat, self._fill(depth, rgba[..., 3] > 0), directions

    def _average(self, data: bytes) -> FloatArray:
        side, s = self.resolution * self.supersample, self.supersample
        pixels = np.frombuffer(data, np.uint8).reshape(side, side, 4)
        rows = pixels[0::s].astype(np.uint16)  # whole rows first: they are contiguous, single pixels are not
        for i in range(1, s):
            rows += pixels[i::s]
        total = rows[:, 0::s].copy()
        for j in range(1, s):
            total += rows[:, j::s]
        return total.astype(np.float32) / np.float32(s * s)

    @staticmethod
    def _fill(depth: FloatArray, covered: NDArray[np.bool_]) -> FloatArray:
        """Give covered pixels without depth (thin blended hair) the largest depth next to them, however far away."""
        covered = covered & bool((depth > 0).any())
        while (holes := covered & (depth == 0)).any():
            padded = np.pad(depth, 1)
            size = depth.shape[0]
            around = np.maximum.reduce([padded[i : i + size, j : j + size] for i in range(3) for j in range(3)])
            y, x = np.nonzero(holes)
            if not around[y, x].any():  # a strand that touches nothing with depth takes the deepest of the picture
                depth = np.where(holes, depth.max(), depth)
                break
            depth = np.where(holes, around, depth)
        return depth


def load_strands(context: Any, path: Path, size: int = 512) -> tuple[Any, float]:
    """A hair texture, and the factor that brings its mean linear luminance to 1.

    Args:
        context: A moderngl context.
        path: Picture with alpha.
        size: Side of the texture in pixels.
    """
    import moderngl
    from PIL import Image

    image = Image.open(path).convert("RGBA").resize((size, size), Image.Resampling.LANCZOS)
    pixels = np.asarray(image.transpose(Image.Transpose.FLIP_TOP_BOTTOM))
    luminance = (pixels[..., :3] / 255.0 @ np.array([0.3, 0.6, 0.1])) ** 2.2
    solid = pixels[..., 3] > 128
    mean = float(luminance[solid].mean()) if solid.any() else 1.0
    texture = context.texture((size, size), 4, pixels.tobytes())
    texture.build_mipmaps()
    texture.filter = (moderngl.LINEAR_MIPMAP_LINEAR, moderngl.LINEAR)
    return texture, 1.0 / max(mean, 1e-3)
