"""What photos show around the crops that the encoders see: hair, neck and clothes, carried onto heads as it is."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..camera import Camera, pixel_centres
from ..camera.visibility import ramp, visibility
from ..conventions import AROUND
from ..images.tensors import at_side, wholly
from ..models.local_branch import QueryRays
from ..models.source_view import SourceView, faded, inner, sampled
from .anchored import AnchoredHead
from .outline import PhotoOutline, person_in
from .tone import PhotoTone

_EDGE = 0.06  # of the crop's side, from its edge inwards, over which what the encoders say of the photo ends


@dataclass(frozen=True)
class PhotoAround:
    """Pictures of what is around the crops of B photos, which are the middle of them (:mod:`geoinv.align.around`).

    Args:
        photo: [B, 3, H, H] in [0, 1].
        person: [B, 1, H, H] in [0, 1], where they show the persons; beyond the photos' edges, as at the nearest edge.
        inside: [B, 1, H, H] in [0, 1], 0 where they are padded beyond the photos' edges.
    """

    photo: Tensor
    person: Tensor
    inside: Tensor


class AroundView:
    """Views of heads that show as much of them as pictures around the crops do; made by the rays beside the crops.

    Args:
        head: The heads without details, as their photos see them.
        source: The photos' crops.
        around: What is around these.
    """

    def __init__(self, head: AnchoredHead, source: SourceView, around: PhotoAround) -> None:
        crop = source.depth.shape[-1]
        side = round(AROUND * crop)
        self.camera: Camera = source.camera.zoomed(1.0 / AROUND)
        self._crop = slice((side - crop) // 2, (side - crop) // 2 + crop)
        photo, person, inside = (part.to(source.depth) for part in (around.photo, around.person, around.inside))
        self._photo, self._person = at_side(photo, side), at_side(person, side)
        self._inside = wholly(inside, side)
        self._in_crop = person_in(source)
        pixels = pixel_centres(side, source.depth.device)
        beside = torch.ones(side, side, dtype=torch.bool, device=source.depth.device)
        beside[self._crop, self._crop] = False
        self._beside = beside.flatten()
        pixels = pixels[self._beside].expand(len(source.depth), -1, -1)
        origins, directions = self.camera.rays(pixels)
        seen = head.trace(origins, directions)
        points = origins + directions * seen.distance[..., None]
        cosine = (directions * self.camera.axis[:, None]).sum(dim=-1)
        depth = torch.where(seen.alpha > 0.5, seen.distance * cosine, 0.0)
        self._colors = seen.features[..., :3]
        self._rays = head.on_places(QueryRays(pixels, points, points, head.surface_colors(seen), seen.alpha), None)
        self.depth = self._whole(source.depth, depth[..., None]) * self._inside

    def shown_at(self, places: Tensor) -> tuple[Tensor, Tensor]:
        """World points [B, N, 3] -> their positions in the crops [B, N, 2], in [0, 1] where these show them, and how
        surely the pictures around show them [B, N, 1]."""
        views = len(places)
        camera, depth = self.camera.expand(views), self.depth.expand(views, -1, -1, -1)
        positions = camera.project(places)[0]
        return (positions - 0.5) * AROUND + 0.5, visibility(places, depth, camera)

    def left(self, of_crop: Tensor, tone: PhotoTone) -> Tensor:
        """[B, 3, S, S] what the photos show beyond the heads' colours.

        Args:
            of_crop: [B, 3, H, H] the same of the crops.
            tone: Tones of the photos, which colours beside the crops have already.
        """
        rays = self._rays
        assert rays.homes is not None  # the head mesh knows them
        albedo = (rays.color / rays.alpha[..., None].clamp(min=1e-3)).clamp(0.0, 1.0)
        alpha = rays.alpha[..., None]
        shown = torch.minimum(self._colors * tone.factors(albedo, rays.homes[..., 1]), alpha)
        photo = self._photo.flatten(2).transpose(1, 2)[:, self._beside]
        weight = inner((self._person > 0.5).float()) * faded(self._inside)
        beside = (photo * alpha - shown) * weight.flatten(2).transpose(1, 2)[:, self._beside]
        return self._whole(at_side(of_crop, self._in_crop.shape[-1]), beside)

    @property
    def outline(self) -> PhotoOutline:
        """Outlines of the persons in all of the pictures: finer in the crops."""
        person, crop = self._person > 0.5, (..., self._crop, self._crop)
        person[crop] = torch.where(self._inside[crop] > 0.5, self._in_crop, person[crop])
        return PhotoOutline.beside(person, self.camera, self._in_crop.shape[-1])

    def _whole(self, of_crop: Tensor, beside: Tensor) -> Tensor:
        """Maps [B, C, S, S] of maps of the crops and values [B, N, C] of the rays beside them."""
        batch, channels = of_crop.shape[:2]
        side = self._photo.shape[-1]
        maps: Tensor = of_crop.new_zeros(batch, channels, side * side)
        maps[:, :, self._beside] = beside.transpose(1, 2)
        maps = maps.unflatten(2, (side, side))
        maps[..., self._crop, self._crop] = of_crop
        return maps


def sampled_around(maps: Tensor, positions: Tensor) -> Tensor:
    """Values [B, N, C] of maps of pictures around crops [B, C, S, S] at positions in the crops [B, N, 2]."""
    return sampled(maps, (positions - 0.5) / AROUND + 0.5)


def well_within(positions: Tensor) -> Tensor:
    """[B, N, 1] in [0, 1] how far positions [B, N, 2] in crops are from their edges: 0 there and beyond."""
    inset = (0.5 - (positions - 0.5).abs()).amin(dim=-1, keepdim=True)
    return ramp(inset, 0.0, _EDGE)
