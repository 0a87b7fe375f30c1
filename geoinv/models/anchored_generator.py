"""The generator on a head mesh: w_plus -> shape, light and planes of the average head -> views under any light.

w_plus -> shape code -> vertices -> anchor volume          what the mesh knows, differentiable in the code
w_plus -> canonical planes                                 what is painted on the average head
a ray composites albedo, gloss and normal; light is applied once, to what was composited:
color = albedo * shade(normal) ^ (1 / 2.2) + gloss * shade(reflected) ^ (1 / 2.2)
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import partial
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..camera import Camera, pixel_centres
from ..errors import ShapeError
from ..light import shaded_color
from ..ops.anchored_rays import (
    FEATURES,
    PLANES,
    AnchoredHeads,
    AnchorVolumes,
    CanonicalSpace,
    cell_densities,
    change_by_film,
    decode_points,
    is_empty,
    march_anchored,
    read_anchor,
    render_anchored,
)
from ..ops.render_rays import RayOutput
from ..ops.render_rays.volume import density_of
from ..ops.view_rays import light_rays
from ..shape import HeadCodes, in_proportion
from .anchor import Anchor, shared_anchor
from .config import EXPRESSION_SIZE, AnchorConfig, GeneratorConfig
from .decoder import PointDecoder
from .drawn_surface import DrawnSurface
from .fewer_rays import between, traced_where_needed
from .layers import Linear
from .on_mesh import OnMesh
from .plane_generator import PlaneGenerator
from .render_output import RenderOutput, among, every, seen_rays

_FAR = 6.0  # spreads from the mean, beyond which a painting code says nothing more
_LEAST_SPREAD = 0.02
_LEAST_SPREAD_OF_MOVEMENTS = 0.25  # about that of a common one: magnified more, a blink gave some people other hair
_PLACE_STEPS = 6  # displacements change slowly from place to place: each step halves what is left, or better
_AIR = 12.0
"""Raw density that heads lose wherever they are shown, beside what was learned: the air about hair is never learned to
be quite empty. At true z, pictures of held-out heads with their surroundings had 25.2 dB without it and 25.6 dB with
14; over the heads alone, 24.7 and 24.6 dB, as the edges of hair get thinner."""
_FIRST_SHOWN, _SECOND_SHOWN = 6 / 5, 2 / 3
"""Samples of the two passes of heads that are shown, in those of the configuration. Surfaces are steep on the mesh:
against 128 and 64 samples, views of two heads with 48 and 16 differ by 47.0 and 40.5 dB, and 28 and 87 pixels by more
than 0.1; with 40 and 24, which take a quarter longer, by 47.2 and 41.3 dB, and 47 and 99 pixels."""
_HARDLY = 1e-4  # alpha of rays that see nothing, so that what they say weighs something where no other ray is near
_WHITE = math.sqrt(4.0 * math.pi)  # the first harmonic's coefficient of a light that leaves colours as they are


class LitHeads(NamedTuple):
    """B heads, made once from their codes; any number of views is taken from them.

    Args:
        rays: What rays read.
        light: [B, 9, 3] light (:mod:`geoinv.light`).
        codes: Their shape codes.
    """

    rays: AnchoredHeads
    light: Tensor
    codes: HeadCodes


@dataclass(frozen=True)
class AnchoredView(RenderOutput):
    """Views with what their rays composited before any light.

    Args:
        composited: [B, 7, H, W] albedo, gloss and normal, premultiplied.
        drawn: [B, 1, H, W] in [0, 1], how far they are drawn from a mesh; None where nothing is.
    """

    composited: Tensor = field(kw_only=True)
    drawn: Tensor | None = field(default=None, kw_only=True)

    @property
    def surface_color(self) -> Tensor:
        """The albedo: details lie on surfaces, whatever light falls on them."""
        return self.composited[:, :3]


class AnchoredGenerator(PlaneGenerator):
    """Mapping, shape and light, backbone and point decoder, built from a configuration alone; its heads stand on the
    shipped head mesh model. Its planes are of the average head."""

    plane_count = PLANES
    painted_mean: Tensor  # [painted_size]
    painted_spread: Tensor  # [painted_size]

    def __init__(self, config: GeneratorConfig) -> None:
        if config.anchor is None:
            raise ValueError("a generator without an anchor")
        super().__init__(config)
        self.anchor_config: AnchorConfig = config.anchor
        anchor, w_dim = config.anchor, config.w_dim
        told = config.backbone.out_channels // self.plane_count + len(anchor.space.distance_scales) + 1
        self.decoder = PointDecoder(told, config.decoder_hidden, FEATURES)
        self.tone = Linear(anchor.painted_size, config.decoder_hidden)
        self.shape_head = nn.Sequential(
            nn.Linear(w_dim, anchor.shape_hidden),
            nn.SiLU(),
            nn.Linear(anchor.shape_hidden, anchor.shape_hidden),
            nn.SiLU(),
            nn.Linear(anchor.shape_hidden, anchor.code_size),
        )
        self.light_head = nn.Sequential(
            nn.Linear(w_dim, anchor.light_hidden), nn.SiLU(), nn.Linear(anchor.light_hidden, 27)
        )
        self.look_head = nn.Linear(w_dim, anchor.look_size)
        self.register_buffer("painted_mean", torch.zeros(anchor.painted_size))
        self.register_buffer("painted_spread", torch.ones(anchor.painted_size))
        self._start()

    @torch.no_grad()
    def _start(self) -> None:
        """Begin with the mesh under white light, in the colour of skin, without gloss and with the mesh's normals."""
        output = self.decoder.net[2]
        assert isinstance(output, Linear)
        output.bias.copy_(torch.tensor([0.0, 0.2, -0.3, -0.6, -4.0, 0.0, 0.0, 0.0]))
        output.weight[0] *= 0.1  # what is added to the mesh's density
        output.weight[1:] *= 0.2
        self.tone.weight.zero_()
        light = self.light_head[2]
        assert isinstance(light, nn.Linear)
        light.weight.mul_(0.1)
        light.bias.zero_()[:3] = _WHITE

    @property
    def _shown_space(self) -> CanonicalSpace:
        """The space of heads that are shown, see ``_AIR``; training marches through the learned one."""
        space = self.anchor_config.space
        return replace(space, floor=space.floor - _AIR)

    @property
    def anchor(self) -> Anchor:
        """The anchor that all generators of this configuration share."""
        return shared_anchor(self.anchor_config, self.w_avg.device)

    def shape_codes(self, w_plus: Tensor) -> HeadCodes:
        """Shape codes of heads; the mean of w_plus [B, num_ws, w_dim] decides, as it says which head it is."""
        return HeadCodes.from_vector(self.shape_head(w_plus.mean(dim=1)))

    def vertices(self, codes: HeadCodes) -> Tensor:
        """[B, V, 3] vertices of the mesh that heads with these codes stand on: in the generator's proportions."""
        model, proportions = self.anchor.model, self.config.proportions
        vertices = model.vertices(codes)
        return vertices if proportions is None else in_proportion(model, vertices, proportions)

    def light(self, w_plus: Tensor) -> Tensor:
        """[B, 9, 3] light on heads of w_plus [B, num_ws, w_dim], linear RGB (:mod:`geoinv.light`)."""
        light: Tensor = self.light_head(w_plus.mean(dim=1)).unflatten(1, (9, 3))
        return light

    def on_mesh(self, w_plus: Tensor) -> OnMesh:
        """Shape and light that w_plus [B, num_ws, w_dim] means."""
        return OnMesh(self.shape_codes(w_plus), self.light(w_plus))

    def look(self, w_plus: Tensor) -> Tensor:
        """[B, look_size] what heads of w_plus [B, num_ws, w_dim] look like apart from shape and light, as numbers."""
        look: Tensor = self.look_head(w_plus.mean(dim=1))
        return look

    def _painted(self, w: Tensor) -> Tensor:
        """[..., painted_size] look and expression that w [..., w_dim] means, as numbers."""
        expression = self.shape_head(w)[..., -EXPRESSION_SIZE:]
        return torch.cat([self.look_head(w), expression], dim=-1)

    @torch.no_grad()
    def set_painted_scale(self, w: Tensor) -> None:
        """Set what :meth:`painting_codes` subtracts and divides by, from w [N, w_dim] of many heads."""
        painted = self._painted(w)
        self.painted_mean.copy_(painted.mean(dim=0))
        self.painted_spread.copy_(painted.std(dim=0).clamp_min(_LEAST_SPREAD))
        self.painted_spread[-EXPRESSION_SIZE:].clamp_(min=_LEAST_SPREAD_OF_MOVEMENTS)

    def painting_codes(self, w_plus: Tensor, shown: HeadCodes | None = None) -> Tensor:
        """w_plus [B, num_ws, w_dim] -> what planes are painted from [B, num_ws, painted_size]: look and expression.

        The expression is that of ``shown``, the shape of the heads, so that no teeth are painted on lips that are
        closed; None for the one that w_plus means. Each number has mean 0 and variance 1 over heads, those of rare
        movements less. Of w itself most is shape, and planes that were painted from it told heads apart by their shapes
        and learned them by heart.
        """
        painted = self._painted(w_plus)
        if shown is not None:
            expression = shown.as_vector()[:, None, -EXPRESSION_SIZE:].to(painted)
            look = painted[..., :-EXPRESSION_SIZE]
            painted = torch.cat([look, expression.expand(-1, look.shape[1], -1)], dim=-1)
        codes: Tensor = ((painted - self.painted_mean) / self.painted_spread).clamp(-_FAR, _FAR)
        return codes

    def planes(self, w_plus: Tensor) -> Tensor:
        """w_plus [B, num_ws, w_dim] -> float32 planes [B, P, C, R, R], P being ``plane_count``."""
        return super().planes(self.painting_codes(w_plus))

    def known_parts(self) -> tuple[nn.Module, ...]:
        """Networks that learn without pictures: the mapping, and what reads shape, light and look from w."""
        return self.backbone["mapping"], self.shape_head, self.light_head, self.look_head

    def anchored(self, w_plus: Tensor, vertices: Tensor, shown: HeadCodes | None = None) -> AnchoredHeads:
        """What rays read of heads of w_plus [B, num_ws, w_dim] on meshes with vertices [B, V, 3]; ``shown`` is as in
        :meth:`painting_codes`."""
        return self.painted(w_plus, self.anchor(vertices), shown)

    def painted(self, w_plus: Tensor, volumes: AnchorVolumes, shown: HeadCodes | None = None) -> AnchoredHeads:
        """What rays read of heads of w_plus [B, num_ws, w_dim] in anchor volumes that are known."""
        codes = self.painting_codes(w_plus, shown)
        hidden_bias = self.decoder.weights().hidden_bias + self.tone(codes.mean(dim=1))
        return AnchoredHeads(super().planes(codes), volumes, hidden_bias)

    def heads(self, w_plus: Tensor, *, codes: HeadCodes | None = None, light: Tensor | None = None) -> LitHeads:
        """Heads of w_plus [B, num_ws, w_dim].

        Args:
            w_plus: Codes.
            codes: Their shape; None for the one that w_plus means.
            light: [B, 9, 3]; None for the one that w_plus means.
        """
        codes = self.shape_codes(w_plus) if codes is None else codes
        vertices = self.vertices(codes)
        light = self.light(w_plus) if light is None else light
        return LitHeads(self.anchored(w_plus, vertices, codes), light, codes)

    def query(
        self, heads: LitHeads, points: Tensor, film: Tensor | None = None, *, is_lit: bool = True
    ) -> tuple[Tensor, Tensor]:
        """Density per world unit [B, N] and RGB in [0, 1] [B, N, 3] at world points [B, N, 3]; zero outside the box.

        Args:
            heads: Heads.
            points: Places.
            film: [B, N, 2 * decoder_hidden] scales and shifts what colours read in the decoder.
            is_lit: Whether colours are under the heads' light, without gloss; else they are the albedo.
        """
        raw, features = decode_points(heads.rays, points, self.decoder.weights(), self._shown_space, film)
        inside = (points.abs() <= 0.5 * self.config.render.box_side).all(dim=-1)
        if heads.rays.empty is not None:
            inside = inside & ~is_empty(heads.rays.empty, points)
        color = features[..., :3]
        if is_lit:
            color = shaded_color(color, heads.light, F.normalize(features[..., 4:], dim=-1))
        return density_of(raw) * inside, color.clamp(0.0, 1.0)

    def march(
        self,
        heads: AnchoredHeads,
        origins: Tensor,
        directions: Tensor,
        distances: Tensor,
        film: Tensor | None = None,
    ) -> RayOutput:
        """Composite given samples: rays [B, N, 3], ascending distances [B, N, S] -> albedo, gloss and normal.

        ``film`` [B, N, 2 * decoder_hidden] scales and shifts what each ray's colours read in the decoder.
        """
        decoder, space = self.decoder.weights(), self.anchor_config.space
        return march_anchored(heads, origins, directions, distances, decoder, space, film=film)

    def render_rays(self, heads: AnchoredHeads, origins: Tensor, directions: Tensor) -> RayOutput:
        """Two-pass volume rendering of rays [B, N, 3] (unit directions) -> albedo, gloss and normal."""
        decoder, sampling, space = self.decoder.weights(), self.sampling, self._shown_space
        first, second = round(_FIRST_SHOWN * sampling.num_samples), round(_SECOND_SHOWN * sampling.num_importance)
        sampling = replace(sampling, num_samples=first, num_importance=second)
        return render_anchored(heads, origins, directions, decoder, sampling, space)

    def cell_densities(self, heads: AnchoredHeads) -> Tensor:
        """[B, G, G, G] the most raw density at the corners of the cells of the box, of heads that are shown."""
        return cell_densities(heads, self.decoder.weights(), self._shown_space)

    def render(
        self,
        heads: LitHeads,
        camera: Camera,
        *,
        resolution: int | None = None,
    ) -> AnchoredView:
        """Views of heads; where no gradient is asked for, views of one head trace few of the rays of smooth surfaces.

        Args:
            heads: B heads, or one for several views of it.
            camera: Cameras of V views, V = B, or any V where B = 1.
            resolution: Side of the picture; by default the configuration's.

        Raises:
            ShapeError: The numbers of heads and cameras do not fit.
        """
        count, views = len(heads.light), len(camera)
        if count not in (1, views):
            raise ShapeError(f"{count} heads cannot be seen by {views} cameras: give one camera each, or one head")
        side = resolution or self.config.neural_resolution
        origins, directions = camera.rays(pixel_centres(side, camera.cam2world.device))
        cosine = (directions * camera.axis[:, None]).sum(dim=-1)  # [V, side * side]
        if count > 1 or torch.is_grad_enabled():
            rays = (part.reshape(count, -1, 3) for part in (origins, directions))
            output = self.render_rays(heads.rays, *rays)
        else:
            grids = (part.unflatten(1, (side, side)) for part in (origins, directions))
            output = traced_where_needed(partial(self.render_rays, heads.rays), *grids)
        depth = output.distance.reshape(views, -1) * cosine
        alpha, depth = (part.reshape(views, 1, side, side) for part in (output.alpha, depth))
        return _lit_view(output.features, directions, alpha, depth, camera, heads.light)

    def with_film(self, heads: LitHeads, view: AnchoredView, film: Tensor) -> AnchoredView:
        """A view of heads whose colours are read under a film, once a ray where its surface is.

        The film's change of albedo, gloss and normal is computed at the rays that it is given for, and brought to those
        between them: a whole second rendering with the film in every sample took ten times as long.

        Args:
            heads: The heads, as :meth:`render` took them.
            view: Their view without film.
            film: [V, n * n, 2 * decoder_hidden] of every (side / n)-th ray along rows and columns, the first ones
                included; scales and shifts what colours read in the decoder.
        """
        side, few = view.depth.shape[-1], math.isqrt(film.shape[1])
        surface, directions = view.surface
        points, alpha = (every(part, film.shape[1]) for part in (surface, _by_ray(view.alpha)))
        if len(heads.light) == 1:
            points, film = points.reshape(1, -1, 3), film.flatten(0, 1)[None]
        decoder, space = self.decoder.weights(), self.anchor_config.space
        numbers = seen_rays(alpha.reshape(len(points), -1))
        change = change_by_film(heads.rays, points[:, numbers], decoder, space, film[:, numbers])
        change = among(change, numbers, points.shape[1])
        weight = alpha + _HARDLY
        maps = (
            part.transpose(1, 2).unflatten(2, (few, few))
            for part in (change.reshape(*alpha.shape[:2], -1) * weight, weight)
        )
        change, weight = (between(part, side) for part in maps)
        composited = view.composited + change / weight * view.alpha
        return _lit_view(_by_ray(composited), directions, view.alpha, view.depth, view.camera, heads.light)

    def with_surface(self, heads: LitHeads, view: AnchoredView, surface: DrawnSurface) -> AnchoredView:
        """Views of heads in which a mesh stands in place of some of what the volume has; alpha stays."""
        left = 1.0 - surface.share
        composited = view.composited * left + surface.looks * view.alpha
        depth = view.depth * left + surface.depth
        lit = _lit_view(_by_ray(composited), view.surface[1], view.alpha, depth, view.camera, heads.light)
        return replace(lit, drawn=surface.share)

    def places(self, volumes: AnchorVolumes, points: Tensor) -> Tensor:
        """Where the average head has the places [B, N, 3] of heads with these volumes."""
        return points + read_anchor(volumes, points)[..., :3]

    def same_places(self, points: Tensor, volumes_from: AnchorVolumes, volumes_to: AnchorVolumes) -> Tensor:
        """World points [B, N, 3] of other heads at the places that ``points`` are of heads with ``volumes_from``.

        Displacements of the other heads are known at their own places only, so these are found by iteration.
        """
        homes, found = self.places(volumes_from, points), points
        for _ in range(_PLACE_STEPS):
            found = homes - read_anchor(volumes_to, found)[..., :3]
        return found


def _lit_view(
    composited: Tensor, directions: Tensor, alpha: Tensor, depth: Tensor, camera: Camera, light: Tensor
) -> AnchoredView:
    """Views [V, 1, S, S] under the light [B, 9, 3], of what their rays composited, V * S * S rows of 7."""
    views, side = len(camera), depth.shape[-1]
    composited, directions = (part.reshape(views, side * side, -1) for part in (composited, directions))
    color = light_rays(composited, directions, light)
    color, composited = (part.transpose(1, 2).unflatten(2, (side, side)) for part in (color, composited))
    normals = composited[:, 4:]
    return AnchoredView(torch.minimum(color, alpha), alpha, depth, camera, own_normals=normals, composited=composited)


def _by_ray(maps: Tensor) -> Tensor:
    """[V, C, S, S] -> [V, S * S, C]."""
    return maps.flatten(2).transpose(1, 2)


def lit_rays(output: RayOutput, directions: Tensor, light: Tensor) -> RayOutput:
    """Rays with display colours [B, N, 3], as pictures clip them, and after them colours without light [B, N, 3], in
    place of albedo, gloss and normal."""
    color = torch.minimum(light_rays(output.features, directions, light), output.alpha[..., None])
    return replace(output, features=torch.cat([color, output.features[..., :3]], dim=-1))
