"""The colours of a toon: skin of one tone, brows and lips stronger against it, eyes that are drawn.

Each colour depends on the head's own colour at a point and on which place of the average head the point is, and on
nothing else. So a toon looks the same from all sides. Light is none of it: these are colours without light.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

from ...models.anchor import PART_VALUES
from ...models.anchored_generator import AnchoredGenerator, LitHeads
from ...ops.anchored_rays import read_anchor
from ...shape import ARKIT_UNITS, load_head_model
from ...shape.irises import eyeball

_SATURATION, _SKIN_SATURATION, _IRIS_SATURATION = 1.1, 1.2, 1.7
_GAMMA = 0.9  # below 1: brighter
_BROW_CONTRAST, _LIP_CONTRAST = 1.6, 1.5
_DARKEST = 0.04  # what contrast makes of the darkest hair over an eye
_KEPT_SHADE = 0.15  # slope of skin's shades about its tone
_BLUSH = (0.05, -0.015, -0.01)
_SKIN_HUES, _SKIN_DARKEST = 0.3, 0.5  # how far skin is from its tone: in colour over luminance, in luminance
_FOREHEAD = 0.09  # world units from the brows up to where brown hair would be taken for skin

_EYE, _BROW, _LIPS = (0.05, 0.034, 0.06), (0.06, 0.02, 0.06), (0.075, 0.04, 0.08)
_CHEEK = (0.06, 0.05, 0.1)

_WHITE, _IRIS_LIGHT, _RIM, _PUPIL = (0.97, 0.97, 0.95), 0.42, 0.45, 0.03
_IRIS, _PUPIL_SIZE, _GLINT = 0.46, 0.22, 0.1  # radii, in radii of the eyeball
_GLINT_AT = (0.13, 0.11)  # to +x and up
_BALL = 0.4  # part from which a place is of an eyeball: cells of the anchor mix it with the lid's
_LASH = (0.1, 0.07, 0.06)
_LASH_WIDTH = 0.009  # world units
_CLOSED = 0.6  # weight of a blink from which nothing of the eyeball shows

_PROBES, _PROBED = 9, 0.03  # points through the skin, and world units to both sides of a landmark


class ToonColors:
    """Colours of the toons of heads.

    Args:
        generator: The generator of the heads.
    """

    def __init__(self, generator: AnchoredGenerator) -> None:
        self._generator = generator
        model, device = generator.anchor.model, generator.w_avg.device
        average = model.vertices(model.mean_codes())
        self._average = generator.anchor(average)
        self._marks = average_landmarks().to(device)
        balls = [eyeball(model, average, side) for side in ("right", "left")]
        self._balls = torch.cat([middle for middle, _ in balls])  # [2, 3]
        self._iris_radius = balls[0][1]

    def of(self, heads: LitHeads) -> ColorsOfHeads:
        """Colours of the toons of these heads."""
        return ColorsOfHeads(self._generator, self._marks, self._balls, heads, self._tone(heads), self._irises(heads))

    def _tone(self, heads: LitHeads) -> Tensor:
        """[B, 1, 3] the median colour of cheeks, forehead and bridge of the nose."""
        return self._painted_at(heads, _bare_skin(self._marks)).median(dim=1, keepdim=True).values.clamp_min(0.02)

    def _irises(self, heads: LitHeads) -> Tensor:
        """[B, 1, 3] the median colour of the irises."""
        around = torch.linspace(0.0, 2.0 * torch.pi, 9, device=self._marks.device)[:-1]
        ring = torch.stack([around.cos(), around.sin(), torch.full_like(around, 1.0 / 0.23)], dim=-1)
        places = self._balls[:, None] + self._iris_radius * F.normalize(ring, dim=-1)
        found = self._painted_at(heads, places.flatten(0, 1))
        return found.median(dim=1, keepdim=True).values.clamp_min(0.02)

    def _painted_at(self, heads: LitHeads, places: Tensor) -> Tensor:
        """Colours [B, P, 3] that are painted at places [P, 3] of the average head, seen from the front."""
        count = len(heads.light)
        whole, face = (volume.expand(count, -1, -1, -1, -1) for volume in (self._average.whole, self._average.face))
        on_average = heads._replace(rays=heads.rays._replace(volumes=self._average._replace(whole=whole, face=face)))
        depths = torch.linspace(_PROBED, -_PROBED, _PROBES, device=places.device)  # from outside inwards
        probes = places[:, None] + depths[:, None] * places.new_tensor([0.0, 0.0, 1.0])
        points = probes.flatten(0, 1).expand(count, -1, -1)
        density, colors = (
            part.unflatten(1, probes.shape[:2])
            for part in self._generator.query(on_average, points.contiguous(), is_lit=False)
        )
        opacity = 1.0 - torch.exp(-density * (2.0 * _PROBED / (_PROBES - 1)))
        passed = torch.cumprod(1.0 - opacity, dim=-1) / (1.0 - opacity).clamp_min(1e-6)
        seen = (opacity * passed)[..., None]
        mean: Tensor = (seen * colors).sum(dim=2) / seen.sum(dim=2).clamp_min(1e-3)
        return mean


@dataclass(frozen=True)
class ColorsOfHeads:
    """Colours of the toons of B heads.

    Args:
        generator: The generator of the heads.
        marks: [68, 3] landmarks of the average head.
        balls: [2, 3] middles of its right and left eyeball.
        heads: The heads.
        tone: [B, 1, 3] of their skins.
        irises: [B, 1, 3] colours of their irises.
    """

    generator: AnchoredGenerator
    marks: Tensor
    balls: Tensor
    heads: LitHeads
    tone: Tensor
    irises: Tensor

    def __call__(self, points: Tensor, colors: Tensor) -> Tensor:
        """Colours [B, N, 3] of the toons, in [0, 1].

        Args:
            points: [B, N, 3] points of the heads, world units.
            colors: [B, N, 3] in [0, 1] what the heads show there without light, not premultiplied.
        """
        known = read_anchor(self.heads.rays.volumes, points)
        place = points + known[..., :3]
        is_left = torch.sigmoid(200.0 * place[..., :1])
        closed = torch.lerp(self._blink("Right"), self._blink("Left"), is_left)
        face = torch.lerp(self._face(place, colors, closed), colors.new_tensor(_LASH), self._lashes(points))
        of_ball = torch.sigmoid(16.0 * (known[..., 7:] / PART_VALUES["left-eye"] - _BALL))
        return torch.lerp(face, self._eyes(place), of_ball * (1.0 - closed)).clamp(0.0, 1.0)

    def _blink(self, side: str) -> Tensor:
        """[B, 1, 1] in [0, 1] whether the eye of the person's ``side`` is closed."""
        weight = self.heads.codes.expression[:, ARKIT_UNITS.index(f"eyeBlink{side}")]
        return torch.sigmoid(20.0 * (weight - _CLOSED))[:, None, None]

    def _face(self, place: Tensor, colors: Tensor, closed: Tensor) -> Tensor:
        marks, tone = self.marks, self.tone
        eye = sum_of(closeness(place, middle, _EYE) for middle in eye_middles(marks))
        brow = sum_of(closeness(place, marks[part].mean(dim=0), _BROW) for part in (slice(17, 22), slice(22, 27)))
        lips = closeness(place, marks[48:68].mean(dim=0), _LIPS)
        cheek = sum_of(closeness(place, middle, _CHEEK) for middle in _cheeks(marks))
        tone_light, light = luminance(tone), luminance(colors).clamp_min(1e-3)
        brightness = light / tone_light
        skin = torch.exp(-((colors / light - tone / tone_light) / _SKIN_HUES).square().sum(dim=-1, keepdim=True))
        skin = skin * torch.sigmoid(14.0 * (brightness - _SKIN_DARKEST))
        skin = skin * torch.sigmoid(40.0 * (marks[17:27, 1].mean() + _FOREHEAD - place[..., 1:2]))
        plain = tone * (1.0 + _KEPT_SHADE * (brightness - 1.0))
        is_drawn = torch.maximum(brow, lips)
        color = torch.lerp(colors, plain, skin * (1.0 - is_drawn))
        for part, contrast in ((brow, _BROW_CONTRAST), (lips, _LIP_CONTRAST)):
            color = torch.lerp(color, (tone + contrast * (color - tone)).clamp_min(_DARKEST), part)
        color = torch.lerp(color, 0.92 * tone, (3.0 * eye).clamp_max(1.0) * closed)
        color = color + cheek * skin * color.new_tensor(_BLUSH)
        grey = luminance(color)
        color = grey + (color - grey) * (_SATURATION + (_SKIN_SATURATION - _SATURATION) * skin)
        return color.clamp(_DARKEST, 1.0).pow(_GAMMA)

    def _lashes(self, points: Tensor) -> Tensor:
        """[B, N, 1] in [0, 1] the dark lines along the rims of the upper lids.

        They are found on the head itself: where a lid is closed, places of the average head are mixed up.
        """
        model = self.generator.anchor.model
        marks = model.landmarks68.on(self.generator.vertices(self.heads.codes))
        return sum_of(_along(points, marks[:, rows]) for rows in ([36, 37, 38, 39], [42, 43, 44, 45]))

    def _eyes(self, place: Tensor) -> Tensor:
        """Colours [B, N, 3] of eyeballs that are drawn: white, iris with a dark rim, pupil, and a light in it."""
        is_left = (place[..., :1] > 0.0).float()
        look = F.normalize(place - torch.lerp(self.balls[0], self.balls[1], is_left), dim=-1)
        aside = look[..., :2].norm(dim=-1, keepdim=True)
        grey = luminance(self.irises)
        tint = ((self.irises - grey) * _IRIS_SATURATION / grey + 1.0).clamp(0.2, 1.8)  # of luminance 1
        shade = _IRIS_LIGHT * (1.0 - 1.2 * look[..., 1:2])  # darker above, as under lids
        rim = torch.lerp(torch.ones_like(aside), torch.full_like(aside, _RIM), _beyond(aside, _IRIS - 0.07))
        color = torch.lerp(tint * shade * rim, aside.new_tensor(_WHITE), _beyond(aside, _IRIS))
        color = torch.lerp(torch.full_like(color, _PUPIL), color, _beyond(aside, _PUPIL_SIZE))
        away = (look[..., :2] - look.new_tensor(_GLINT_AT)).norm(dim=-1, keepdim=True)
        return torch.lerp(torch.ones_like(color), color, _beyond(away, _GLINT))


@cache
def average_landmarks() -> Tensor:
    """[68, 3] landmarks of the average head in iBUG's order, world units."""
    model = load_head_model()
    return model.landmarks68.on(model.vertices(model.mean_codes()))[0]


def eye_middles(landmarks: Tensor) -> Tensor:
    """[2, 3] the middles of the openings of both eyes, of landmarks [68, 3]."""
    return torch.stack([landmarks[36:42].mean(dim=0), landmarks[42:48].mean(dim=0)])


def closeness(points: Tensor, middle: Tensor, radii: tuple[float, float, float]) -> Tensor:
    """[B, N, 1] in (0, 1]: 1 at the middle [3], 1 / e where points [B, N, 3] are a radius away."""
    return torch.exp(-((points - middle) / points.new_tensor(radii)).square().sum(dim=-1, keepdim=True))


def luminance(colors: Tensor) -> Tensor:
    """Luminance [..., 1] of colours [..., 3]."""
    return (colors * colors.new_tensor((0.3, 0.59, 0.11))).sum(dim=-1, keepdim=True)


def sum_of(parts: Iterable[Tensor]) -> Tensor:
    """Sum of closenesses [B, N, 1], at most 1."""
    return torch.stack(list(parts)).sum(dim=0).clamp(0.0, 1.0)


def _beyond(value: Tensor, border: float) -> Tensor:
    """0 below the border, 1 beyond it, soft about it."""
    return torch.sigmoid(60.0 * (value - border))


def _along(points: Tensor, line: Tensor) -> Tensor:
    """[B, N, 1] in (0, 1]: 1 on lines through [B, K, 3], 1 / e where points [B, N, 3] are a lash's width away."""
    starts, steps = line[:, None, :-1], line[:, None, 1:] - line[:, None, :-1]  # [B, 1, K - 1, 3]
    way = points[..., None, :] - starts
    part = ((way * steps).sum(dim=-1) / steps.square().sum(dim=-1)).clamp(0.0, 1.0)
    away = (way - part[..., None] * steps).norm(dim=-1).amin(dim=-1, keepdim=True)
    return torch.exp(-(away / _LASH_WIDTH).square())


def _cheeks(landmarks: Tensor) -> Tensor:
    """[2, 3] below the outer corners of the eyes, as low as the wings of the nose."""
    low = landmarks[31:36, 1].mean()
    return torch.stack([torch.stack([landmarks[corner, 0], low, landmarks[corner, 2]]) for corner in (36, 45)])


def _bare_skin(landmarks: Tensor) -> Tensor:
    """[9, 3] points that beards and hair leave free most often: bridge of the nose, below the eyes, forehead."""
    below_eyes = landmarks[[41, 40, 47, 46]] - landmarks.new_tensor([0.0, 0.06, -0.005])
    forehead = landmarks[[21, 22]] + landmarks.new_tensor([0.0, 0.06, 0.005])
    return torch.cat([landmarks[27:30], below_eyes, forehead])
