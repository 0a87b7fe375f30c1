"""Rendering synthetic heads: ``HeadRenderer`` builds a head from its parameters and draws it from any camera."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..conventions import BOX_LIMIT, FOCAL
from ..light import shade
from .assets import FloatArray, RealArray, find_assets, find_base_data
from .dentition import Dentition
from .geometry import HeadGeometry, HeadShape, Proxy, Surface
from .glasses import FRAME_STYLES, build_frame
from .landmarks import five_points
from .masks import beard_masks, scalp_mask
from .occlusion import OcclusionBaker
from .palettes import BROWS, HAIR_FEMALE, HAIR_MALE
from .parameters import HeadParameters, Light
from .rasteriser import HeadView, Part, Rasteriser, load_strands
from .skins import SkinLibrary
from .trunk import trunk_caps

HAIR_STYLES = tuple(dict.fromkeys(name for name in HAIR_MALE + HAIR_FEMALE if name not in ("shaved", "buzz")))
LASHES = "eyelashes01"
_DYNAMIC = "3f 3f 1f in_position in_normal in_open"
_DYNAMIC_SKIN = "3f 3f 1f 1f in_position in_normal in_open in_scalp"
_TONGUE_COLOR = (0.42, 0.13, 0.12)
_TONGUE = "helper-tongue"


def _light_uniforms(light: Light) -> dict[str, Any]:
    at_main = shade(torch.from_numpy(light.total)[None], torch.from_numpy(light.direction)[None, None])[0, 0]
    return {
        "light": light.soft,
        "main_direction": light.direction,
        "lamp_color": light.lamp,
        "gleam_color": 0.7 * at_main.numpy(),
    }


@dataclass(frozen=True)
class Head:
    """A built head: its parameters and its shape in world units."""

    parameters: HeadParameters
    shape: HeadShape


class HeadRenderer:
    """A renderer of heads with moderngl on EGL; one thread alone may use it.

    Args:
        assets: Folder of the MakeHuman system assets; None takes the environment variable GEOINV_ASSETS.
        resolution: Side of the pictures in pixels.
        supersample: Samples a pixel along each axis.

    Raises:
        MissingDependencyError: The assets, the base mesh, moderngl or EGL is missing.
    """

    def __init__(self, assets: Path | str | None = None, resolution: int = 256, supersample: int = 2) -> None:
        root = find_assets(assets)
        names = [("hair", name) for name in HAIR_STYLES] + [("eyebrows", name) for name in BROWS]
        self._proxies = {name: Proxy(root / kind / name) for kind, name in [*names, ("eyelashes", LASHES)]}
        self._dentition = Dentition(root)
        self.geometry = HeadGeometry(find_base_data(), [*self._proxies.values(), self._dentition])
        self._raster = Rasteriser(resolution, supersample)
        context = self._raster.context
        self._skins = SkinLibrary(context, root, 1024 if resolution > 160 else 512)
        self._strands = {
            name: load_strands(context, root / kind / name / "diffuse.png")
            for kind, name in [*names, ("eyelashes", LASHES)]
        }
        average = self.geometry.average()
        self._bake(average)
        self._make_parts(average)
        self._current: Head | None = None

    def build(self, parameters: HeadParameters) -> Head:
        """Build the shape of a head from its parameters."""
        return Head(parameters, self.geometry.shape(parameters.targets, parameters.expression))

    def render(self, head: Head, cam2world: NDArray[np.floating]) -> HeadView:
        """Draw a head.

        Args:
            head: What :meth:`build` returned.
            cam2world: [4, 4] camera in OpenCV axes.
        """
        if head is not self._current:
            self._upload(head)
            self._current = head
        p = head.parameters
        self._raster.begin(cam2world, _light_uniforms(p.light))
        self._draw_opaque(p)
        self._raster.blending()
        self._draw_blended(p)
        rgba, albedo, depth, normals = self._raster.read()
        landmarks = self.project(head.shape.landmarks, cam2world)
        eyes_nose_mouth = self.project(five_points(head.shape.landmarks), cam2world)
        return HeadView(rgba, albedo, depth, normals, eyes_nose_mouth, landmarks)

    @staticmethod
    def project(points: NDArray[np.floating], cam2world: NDArray[np.floating]) -> FloatArray:
        """Image positions [N, 2] of world points: x and y in [0, 1], y down.

        Args:
            points: [N, 3] in world units.
            cam2world: [4, 4] camera in OpenCV axes.
        """
        pose = np.asarray(cam2world, np.float64)
        local = (points - pose[:3, 3]) @ pose[:3, :3]
        return (local[:, :2] / local[:, 2:] * FOCAL + 0.5).astype(np.float32)

    def _bake(self, average: HeadShape) -> None:
        """Measure how open skin, eyes and hair are to the sky under each hair style (None is bald)."""
        baker = OcclusionBaker(self._raster.context)
        skin = self.geometry.surfaces["skin"]
        points = average.vertices[skin.source]
        normals = skin.normals(average.vertices)
        eyes = [self.geometry.surfaces[f"eye-{side}"] for side in "rl"]
        eye_points = np.concatenate([average.vertices[eye.source] for eye in eyes])
        eye_normals = np.concatenate([eye.normals(average.vertices) for eye in eyes])
        body = (points, skin.uvs, skin.triangles, None)
        self._skin_open: dict[str | None, FloatArray] = {}
        self._eye_open: dict[str | None, FloatArray] = {}
        self._hair_open: dict[str, FloatArray] = {}
        self._hair_cover: dict[str | None, FloatArray] = {}
        for name in (None, *HAIR_STYLES):
            occluders: list[Any] = [body]
            queries: list[tuple[FloatArray, FloatArray | None]] = [(points, normals), (eye_points, eye_normals)]
            if name is not None:
                proxy = self._proxies[name]
                surface = proxy.surface
                hair = average.world(proxy.fit(average.base, self.geometry.index))[surface.source]
                occluders.append((hair, surface.uvs, surface.triangles, self._strands[name][0]))
                queries.append((hair, None))
            baked = baker.bake(occluders, queries)
            self._skin_open[name] = (0.12 + 0.88 * np.clip(baked[0] * 1.08, 0.0, 1.0) ** 0.8).astype(np.float32)
            hidden = np.clip((0.8 - self._skin_open[name] / self._skin_open[None]) / 0.3, 0.0, 1.0)
            self._hair_cover[name] = np.ones(len(points), np.float32) if name is None else hidden.astype(np.float32)
            self._eye_open[name] = (0.25 + 0.75 * np.clip(baked[1] * 1.3, 0.0, 1.0)).astype(np.float32)
            if name is not None:
                self._hair_open[name] = np.clip(0.25 + 1.7 * baked[2], 0.0, 1.0)

    def _make_parts(self, average: HeadShape) -> None:
        context, programs = self._raster.context, self._raster.programs
        skin = self.geometry.surfaces["skin"]
        rest = average.neutral[skin.source]
        is_ear = np.isin(skin.source, self.geometry.ear_vertices)
        static = {
            "in_uv": skin.uvs,
            "in_rest": rest,
            "in_beard": beard_masks(rest, average.landmarks) * ~is_ear[:, None],
        }
        scalp = scalp_mask(rest) * ~is_ear
        # under hair, the scalp is painted only where that hair covers it: elsewhere it would be a smear before the hair
        self._scalp = {name: scalp * cover for name, cover in self._hair_cover.items()}
        closed = np.concatenate([skin.triangles, trunk_caps(skin, average.neutral)])
        self._skin_part = Part(context, programs["skin"], closed, len(rest), _DYNAMIC_SKIN, static)
        self._eye_parts = []
        for side in "rl":
            eye = self.geometry.surfaces[f"eye-{side}"]
            layout = "3f 3f 1f 3f in_position in_normal in_open in_local"
            self._eye_parts.append(Part(context, programs["eye"], eye.triangles, len(eye.source), layout, {}))
        tongue = self.geometry.surfaces[_TONGUE]
        colors = np.tile(np.asarray(_TONGUE_COLOR, np.float32), (len(tongue.source), 1))
        static = {"in_color": colors}
        self._tongue_part = Part(context, programs["solid"], tongue.triangles, len(colors), _DYNAMIC, static)
        teeth = self._dentition.surface
        layout = "3f 3f 1f 3f in_position in_normal in_open in_color"
        self._teeth_part = Part(context, programs["solid"], teeth.triangles, len(teeth.source), layout, {})
        self._proxy_parts = {}
        for name, proxy in self._proxies.items():
            s = proxy.surface
            part = Part(context, programs["hair"], s.triangles, len(s.source), _DYNAMIC, {"in_uv": s.uvs})
            self._proxy_parts[name] = part
        vertices, _, triangles = build_frame(FRAME_STYLES["round"], 1.0, average.landmarks[:2], 0.3, rest[:2])
        layout = "3f 3f 1f 3f in_position in_normal in_open in_color"
        self._glasses_part = Part(context, programs["solid"], triangles, len(vertices), layout, {})

    def _upload(self, head: Head) -> None:
        p, shape, surfaces = head.parameters, head.shape, self.geometry.surfaces

        def write(part: Part, surface: Surface, vertices: FloatArray, *rest: FloatArray) -> None:
            part.write(vertices[surface.source], surface.normals(vertices), *rest)

        write(self._skin_part, surfaces["skin"], shape.vertices, self._skin_open[p.hair], self._scalp[p.hair])
        openness = self._eye_open[p.hair]
        start = 0
        for part, side, (centre, radius) in zip(self._eye_parts, "rl", self.geometry.eye_frames(shape), strict=True):
            surface = surfaces[f"eye-{side}"]
            local = (shape.vertices[surface.source] - centre) / radius
            write(part, surface, shape.vertices, openness[start : start + len(local)], local)
            start += len(local)
        mouth = float(np.clip(0.35 + 0.9 * p.mouth_open, 0.0, 0.8))
        tongue = surfaces[_TONGUE]
        write(self._tongue_part, tongue, shape.vertices, np.full(len(tongue.source), 0.8 * mouth, np.float32))
        teeth = shape.world(self._dentition.fit_look(shape.base, self.geometry.index, p.teeth))
        openness = mouth * self._dentition.openness
        write(self._teeth_part, self._dentition.surface, teeth, openness, self._dentition.colors(p.teeth))
        for name in self._proxies_of(p):
            proxy = self._proxies[name]
            vertices = shape.world(proxy.fit(shape.base, self.geometry.index)).astype(np.float32)
            openness = self._hair_open.get(name, np.ones(len(proxy.surface.source), np.float32))
            write(self._proxy_parts[name], proxy.surface, vertices, openness)
        if p.glasses is not None:
            self._upload_glasses(p, shape)

    def _upload_glasses(self, p: HeadParameters, shape: HeadShape) -> None:
        eyes = np.stack([centre for centre, _ in self.geometry.eye_frames(shape)])
        bridge = float(shape.landmarks[27:29, 2].mean())
        brows = float(shape.landmarks[17:27, 2].max())
        ears = shape.landmarks[[0, 16]] + np.array([[-0.012, 0.012, -0.045], [0.012, 0.012, -0.045]])
        assert p.glasses is not None
        vertices, normals, _ = build_frame(
            FRAME_STYLES[p.glasses], p.glasses_size, eyes, max(bridge + 0.012, brows + 0.004), ears
        )
        color = np.tile(p.glasses_color.astype(np.float32), (len(vertices), 1))
        inside = np.clip(vertices, -BOX_LIMIT, BOX_LIMIT)
        self._glasses_part.write(inside, normals, np.ones(len(vertices), np.float32), color)

    @staticmethod
    def _proxies_of(p: HeadParameters) -> list[str]:
        return [name for name in (p.hair, p.brows, LASHES) if name is not None]

    def _draw_opaque(self, p: HeadParameters) -> None:
        if p.hair is not None:  # first, so that the costly skin behind it is never shaded
            self._draw_hair(p.hair, p.hair_color, solid=True)
        self._skins.texture.use(0)
        skin = self._skins.blend(p) | {
            "beard": p.beard,
            "beard_length": p.beard_length if p.beard.max() > 0.5 else 0.0,
            "collar_height": p.collar_height,
            "v_neck": p.v_neck,
            "cloth_color": p.cloth_color,
            "hair_color": p.hair_color,
            "gloss": p.gloss,
            "buzz": p.buzz,
            "tuck": 0.0 if p.hair is None else 0.014,
            "beard_density": float(p.beard.max()),
            "redness": p.redness,
            "freckles": p.freckles,
        }
        for part in self._eye_parts:
            part.draw({"iris_color": p.eye_color, "gaze": p.gaze})
        for part in (self._tongue_part, self._teeth_part):
            part.draw({"gloss": 0.08})
        if p.glasses is not None:
            self._glasses_part.draw({"gloss": 0.5})
        with self._raster.culling():
            self._skin_part.draw(skin)

    def _draw_blended(self, p: HeadParameters) -> None:
        brow_color = p.hair_color * 0.65 * (1.0 - 0.5 * float(p.hair_color.mean() > 0.2)) + 0.003
        self._draw_strands(p.brows, brow_color, p.brow_strength, pull=4e-4)
        self._draw_strands(LASHES, np.array([0.008, 0.007, 0.006]), 0.35 + 0.6 * p.lash_strength, pull=2e-4)
        if p.hair is not None:
            self._draw_hair(p.hair, p.hair_color, solid=False)

    def _draw_hair(self, name: str, color: RealArray, *, solid: bool) -> None:
        texture, detail = self._strands[name]
        texture.use(0)
        cut = {"cut_low": 0.5, "cut_high": 2.0} if solid else {"cut_low": 0.03, "cut_high": 0.5}
        uniforms = {
            "hair_color": color,
            "strength": 1.0,
            "detail": detail,
            "gloss": 0.025,
            "pull": 0.0,
            "edge_fade": 1.0,
        }
        self._proxy_parts[name].draw(uniforms | cut)

    def _draw_strands(self, name: str, color: RealArray, strength: float, *, pull: float) -> None:
        texture, _ = self._strands[name]
        texture.use(0)
        uniforms = {
            "hair_color": color,
            "strength": strength,
            "detail": 1.0,
            "gloss": 0.0,
            "pull": pull,
            "edge_fade": 0.0,
        }
        self._proxy_parts[name].draw(uniforms | {"cut_low": 0.02, "cut_high": 1.01})
