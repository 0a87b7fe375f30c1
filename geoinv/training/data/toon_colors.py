"""The colours of a toon: skin as one tone with a soft edge of shade, brows and lips stronger against it, eyes clear.

Each colour depends on the head's own colour at a point and on which place of the face the point is, and on nothing
else. So a toon looks the same from all sides.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from ...models.generator import TriPlaneGenerator
from .toon_shape import closeness, eye_middles

_LUMINANCE = (0.3, 0.59, 0.11)
_SATURATION, _SKIN_SATURATION, _EYE_SATURATION = 1.0, 1.22, 0.85
_GAMMA = 0.84  # below 1: brighter
_BROW_CONTRAST, _LIP_CONTRAST, _EYE_CONTRAST = 1.5, 1.45, 0.8
_DARKEST = 0.04  # what contrast makes of the darkest hair over an eye
_KEPT_SHADE = 0.3  # slope of skin's shades about its tone
_BAND, _BAND_AT, _BAND_STEEPNESS = 0.1, 0.86, 14.0  # the soft edge between lit skin and skin in the shade
_BLUSH = (0.05, -0.02, -0.01)
_SKIN_HUES, _SKIN_DARKEST = 0.22, 0.52  # how far skin is from its tone: in colour over luminance, in luminance

_FOREHEAD = 0.09  # world units from the brows up to where brown hair would be taken for skin

_EYE, _BROW, _LIPS = (0.045, 0.026, 0.06), (0.06, 0.02, 0.06), (0.075, 0.04, 0.08)
_CHEEK, _LIGHT_IN_EYE = (0.06, 0.05, 0.1), (0.0075, 0.0075, 0.04)
_LIGHT_OFFSET = (0.011, 0.012, 0.0)
_PROBES, _PROBED = 9, 0.03  # points through the skin, and world units to both sides of a landmark


class ToonColors:
    """Colours of the toons of heads.

    Args:
        generator: A generator with a warp, which tells which place of the face a point is.
        planes: [B, 3, C, R, R] of the heads, which tell the tone of their skins.
        w_plus: [B, num_ws, w_dim] codes of the heads.
        landmarks: [68, 3] landmarks of the average head in iBUG's order, world units.
    """

    def __init__(self, generator: TriPlaneGenerator, planes: Tensor, w_plus: Tensor, landmarks: Tensor) -> None:
        self._warp = generator.warp
        self._box_side, self._w_plus, self._landmarks = generator.config.render.box_side, w_plus, landmarks
        self._tone = self._skin_tone(generator, planes)

    def _skin_tone(self, generator: TriPlaneGenerator, planes: Tensor) -> Tensor:
        """[B, 1, 3] the median colour of cheeks, forehead and bridge of the nose."""
        places = self._warp.places_on_head(
            _bare_skin(self._landmarks).expand(len(self._w_plus), -1, -1), self._w_plus, box_side=self._box_side
        )
        depths = torch.linspace(_PROBED, -_PROBED, _PROBES, device=places.device)  # from outside inwards
        probes = places[:, :, None] + depths[:, None] * places.new_tensor([0.0, 0.0, 1.0])
        density, colors = (
            part.unflatten(1, probes.shape[1:3]) for part in generator.query(planes, probes.flatten(1, 2))
        )
        opacity = 1.0 - torch.exp(-density * (2.0 * _PROBED / (_PROBES - 1)))
        passed = torch.cumprod(1.0 - opacity, dim=-1) / (1.0 - opacity).clamp_min(1e-6)
        seen = (opacity * passed)[..., None]
        skin = (seen * colors).sum(dim=2) / seen.sum(dim=2).clamp_min(1e-3)
        tone: Tensor = skin.median(dim=1, keepdim=True).values
        return tone.clamp_min(0.02)

    def __call__(self, points: Tensor, colors: Tensor) -> Tensor:
        """Colours [B, N, 3] of the toons, in [0, 1].

        Args:
            points: [B, N, 3] points of the heads, world units.
            colors: [B, N, 3] in [0, 1] what the heads show there, not premultiplied.
        """
        place = self._warp.places_painted(points, self._w_plus, box_side=self._box_side)
        marks, tone = self._landmarks, self._tone
        eyes = eye_middles(marks)
        eye = sum_of(closeness(place, middle, _EYE) for middle in eyes)
        brow = sum_of(closeness(place, marks[part].mean(dim=0), _BROW) for part in (slice(17, 22), slice(22, 27)))
        lips = closeness(place, marks[48:68].mean(dim=0), _LIPS)
        cheek = sum_of(closeness(place, middle, _CHEEK) for middle in _cheeks(marks))
        tone_light, light = luminance(tone), luminance(colors).clamp_min(1e-3)
        brightness = light / tone_light
        skin = torch.exp(-((colors / light - tone / tone_light) / _SKIN_HUES).square().sum(dim=-1, keepdim=True))
        skin = skin * torch.sigmoid(14.0 * (brightness - _SKIN_DARKEST))
        skin = skin * torch.sigmoid(40.0 * (marks[17:27, 1].mean() + _FOREHEAD - place[..., 1:2]))
        plain = tone * (
            1.0
            + _KEPT_SHADE * (brightness - 1.0)
            + _BAND * (torch.tanh(_BAND_STEEPNESS * (brightness - _BAND_AT)) - 0.8)
        )
        is_drawn = torch.maximum(eye, torch.maximum(brow, lips))
        color = torch.lerp(colors, plain, 0.9 * skin * (1.0 - is_drawn))
        for part, contrast in ((brow, _BROW_CONTRAST), (lips, _LIP_CONTRAST)):
            color = torch.lerp(color, (tone + contrast * (color - tone)).clamp_min(_DARKEST), part)
        color = torch.lerp(color, color * _clear(luminance(color)), _EYE_CONTRAST * eye).clamp(_DARKEST, 1.0)
        offset = marks.new_tensor(_LIGHT_OFFSET)
        glint = sum_of(closeness(place, middle + offset, _LIGHT_IN_EYE) for middle in eyes)
        color = torch.lerp(color, torch.ones_like(color), glint * (1.0 - skin) * torch.sigmoid(20.0 * (0.42 - light)))
        grey = luminance(color)
        saturation = torch.lerp(
            _SATURATION + (_SKIN_SATURATION - _SATURATION) * skin, grey.new_tensor(_EYE_SATURATION), eye
        )
        color = grey + (color - grey) * saturation
        return (color + cheek * skin * color.new_tensor(_BLUSH)).clamp(0.0, 1.0).pow(_GAMMA)


def luminance(colors: Tensor) -> Tensor:
    """Luminance [..., 1] of colours [..., 3]."""
    return (colors * colors.new_tensor(_LUMINANCE)).sum(dim=-1, keepdim=True)


def sum_of(parts: Iterable[Tensor]) -> Tensor:
    """Sum of closenesses [B, N, 1], at most 1."""
    return torch.stack(list(parts)).sum(dim=0).clamp(0.0, 1.0)


def _clear(light: Tensor) -> Tensor:
    """Factor for luminances: what is dark becomes darker, what is light lighter, as white and iris of an eye."""
    low, high = (torch.sigmoid(9.0 * torch.tensor(end - 0.4)) for end in (0.0, 1.0))
    return (torch.sigmoid(9.0 * (light - 0.4)) - low) / (high - low) / light.clamp_min(1e-2)


def _cheeks(landmarks: Tensor) -> Tensor:
    """[2, 3] below the outer corners of the eyes, as low as the wings of the nose."""
    low = landmarks[31:36, 1].mean()
    return torch.stack([torch.stack([landmarks[corner, 0], low, landmarks[corner, 2]]) for corner in (36, 45)])


def _bare_skin(landmarks: Tensor) -> Tensor:
    """[9, 3] points that beards and hair leave free most often: bridge of the nose, below the eyes, forehead."""
    below_eyes = landmarks[[41, 40, 47, 46]] - landmarks.new_tensor([0.0, 0.06, -0.005])
    forehead = landmarks[[21, 22]] + landmarks.new_tensor([0.0, 0.06, 0.005])
    return torch.cat([landmarks[27:30], below_eyes, forehead])
