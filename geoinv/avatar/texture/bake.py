"""Baking the textures of an avatar from its photo and its generator."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from ...errors import UsageError
from ...notices import notify
from ..parts import LEFT_EYE, RIGHT_EYE
from ..template import FittedTemplate, all_vertices
from .albedo import shade_of_skin
from .eye_photo import EyesInPhoto
from .eye_texture import draw_eye
from .eyelid_texture import draw_eyelids
from .gaze import EyeLook, look_of_eyes
from .generator_layer import generator_layer
from .layers import Layer
from .layout import skin_layout
from .mouth import draw_tongue, teeth_colours
from .person_colours import ExpectedSkin, colours_of_person
from .photo_layer import mirrored_layer, photo_layer
from .photo_view import PhotoView, view_of_photo
from .picture_source import PictureSource
from .rasterise import signed_areas
from .regions import UsualColours, skin_regions
from .seen import seen_weights
from .skin import compose_skin
from .surface import HeadSurface, Sighting

if TYPE_CHECKING:
    from ...heads import Head
    from ...inversion import Inversion

_LEAST_SIZE, _MOST_SIZE = 64, 8192
_GUESSED_LIGHT = (
    "the light is guessed from the shading of the skin and taken out: highlights, cast shadows and its colour stay"
)
_NO_LIGHT = "the photo shows too little skin to tell its light, which stays in the texture"
_SIGHT_SIDE = 1024  # pixels of the test of what the photo shows


@dataclass(frozen=True, eq=False)
class AvatarTextures:
    """Textures of an avatar, sRGB, [H, W, 3] uint8 with the top row first.

    Args:
        skin: [S, S, 3] of the skin.
        skin_uvs: [C, 2] place of each corner of the skin (in the order of ``model.parts["skin"].corners``) in it, the
            origin at its lower left. It is not MakeHuman's place: the face gets more texels.
        seen: [C] float32, how much of each corner the photo showed: 1 all, 0 nothing.
        eyes: [512, 1024, 3] of both eyes, the right one first, in the map of :mod:`geoinv.avatar.parts`.
        tongue: [256, 256, 3] of the tongue, in its map there.
        eyelids: [256, 512, 3] of closed lids, in the map of :mod:`geoinv.avatar.eyelids`.
        teeth: [T, 3] float32, sRGB in [0, 1] of the fine teeth's vertices.
        gaze: Radians that the photo's right and left eye turn to world +x and up; the textures look straight ahead.
        usual: Colours of the person's skin and hair, or None where the photo shows too little skin.
    """

    skin: NDArray[np.uint8]
    skin_uvs: NDArray[np.float32]
    seen: NDArray[np.float32]
    eyes: NDArray[np.uint8]
    tongue: NDArray[np.uint8]
    eyelids: NDArray[np.uint8]
    teeth: NDArray[np.float32]
    gaze: tuple[tuple[float, float], tuple[float, float]]
    usual: UsualColours | None


@dataclass(frozen=True, eq=False)
class PhotoOnSkin:
    """What a picture shows of the skin of a fitted mesh.

    Args:
        surface: The skin in the picture.
        view: The picture, as it was taken.
        source: Its pixels, no finer than the texture needs them.
        sighting: What of the surface it sees.
        weight: [V] how surely, of each vertex of the surface.
        usual: Colours of the person's skin and hair, or None where the photo shows too little skin.
    """

    surface: HeadSurface
    view: PhotoView
    source: PictureSource
    sighting: Sighting
    weight: NDArray[np.float64]
    usual: UsualColours | None


def photo_on_skin(template: FittedTemplate, view: PhotoView, size: int) -> PhotoOnSkin:
    """What a picture shows of the skin of a fitted mesh, for a texture of ``size`` texels a side.

    Raises:
        UsageError: A size of less than 64 or more than 8192 texels.
    """
    if not _LEAST_SIZE <= size <= _MOST_SIZE:
        raise UsageError(f"a texture of {size} texels a side is not made", f"give {_LEAST_SIZE} to {_MOST_SIZE}")
    regions = skin_regions(template.model)
    surface = HeadSurface.of(template.model, template.in_photo())
    sighting = surface.seen_by(view.camera, _SIGHT_SIDE)
    source = view.source.shrunk_to(_texels_of_view(sighting, surface, size))
    weight = seen_weights(surface, sighting, view.shows_person, regions)
    usual = colours_of_person(surface, sighting, view, source, regions, weight)
    return PhotoOnSkin(surface, view, source, sighting, weight, usual)


def bake_textures(
    template: FittedTemplate,
    head: Head,
    inversion: Inversion,
    *,
    photo: NDArray[np.uint8] | None = None,
    size: int = 2048,
    is_symmetric: bool = True,
    is_albedo: bool = False,
) -> AvatarTextures:
    """Bake textures: the photo's own pixels where it saw, its mirror image and the generator elsewhere.

    Args:
        template: Mesh fitted to the inversion.
        head: Head of the inversion.
        inversion: Photo, crop and camera.
        photo: [H, W, 3] RGB uint8, the photo that was inverted, at its full resolution; None takes the crop of 512 px
            that the inversion keeps.
        size: Texels along a side of the skin's texture.
        is_symmetric: Whether what one side of the face hides is completed from the other.
        is_albedo: Whether light is taken out of the skin, as far as it can be told from the photo.

    Raises:
        ShapeError: The photo is no RGB uint8.
        UsageError: Another size of the photo than was inverted, or an absurd one of the texture.
    """
    return bake_view(
        template,
        head,
        view_of_photo(inversion, template, photo),
        size=size,
        is_symmetric=is_symmetric,
        is_albedo=is_albedo,
    )


def bake_view(
    template: FittedTemplate,
    head: Head,
    view: PhotoView,
    *,
    size: int,
    is_symmetric: bool = True,
    is_albedo: bool = False,
) -> AvatarTextures:
    """Bake textures from any picture of a head; see :func:`bake_textures`.

    Args:
        template: Fitted mesh.
        head: Head for what the picture does not show.
        view: The picture.
        size: Texels along a side of the skin's texture.
        is_symmetric: Whether what one side of the face hides is completed from the other.
        is_albedo: Whether light is taken out.

    Raises:
        UsageError: A size of less than 64 or more than 8192 texels.
    """
    shown = photo_on_skin(template, view, size)
    return bake_skin(template, head, shown, size=size, is_symmetric=is_symmetric, is_albedo=is_albedo)


def bake_skin(
    template: FittedTemplate,
    head: Head,
    on_skin: PhotoOnSkin,
    *,
    size: int,
    is_symmetric: bool = True,
    is_albedo: bool = False,
) -> AvatarTextures:
    """Bake textures, given what a picture shows of the skin; other arguments as of :func:`bake_view`."""
    model, regions = template.model, skin_regions(template.model)
    surface, view, source, sighting = on_skin.surface, on_skin.view, on_skin.source, on_skin.sighting
    weight, usual = on_skin.weight, on_skin.usual
    skin = ExpectedSkin(surface, sighting, source, regions, weight)
    shown = photo_layer(surface, sighting, source, view.shows_person, regions, skin)
    layers: list[Layer] = [shown]
    if is_symmetric:
        layers.append(mirrored_layer(surface, sighting, source, view.shows_person, skin, shown))
    layers.append(generator_layer(surface, head, template.pose, regions, skin))
    look = look_of_eyes(model, surface, sighting, view.camera, source)
    shade = shade_of_skin(surface, shown.colours, shown.weight, regions) if is_albedo else None
    if is_albedo:
        notify(_NO_LIGHT if shade is None else _GUESSED_LIGHT)
    texture = compose_skin(surface, layers, regions, usual, size, shade)
    return AvatarTextures(
        skin=texture,
        skin_uvs=skin_layout(),
        seen=shown.weight[surface.topology.corner_vertices].astype(np.float32),
        eyes=_eyes(template, surface, view, source, look, is_drawn=is_albedo),
        tongue=draw_tongue(model),
        eyelids=draw_eyelids(model, surface, texture),
        teeth=teeth_colours(model, surface, sighting, view.camera, source, None if usual is None else usual.skin),
        gaze=look.each,
        usual=usual,
    )


def _eyes(
    template: FittedTemplate,
    surface: HeadSurface,
    view: PhotoView,
    source: PictureSource,
    look: EyeLook,
    *,
    is_drawn: bool,
) -> NDArray[np.uint8]:
    """Texture of both eyes; they are only drawn where the photo shows none, or its light is not wanted."""
    drawn = draw_eye(look)
    if is_drawn or not look.is_seen:
        return np.concatenate([drawn, drawn], axis=1)
    vertices = surface.vertices.copy()
    for name, gaze in zip((RIGHT_EYE, LEFT_EYE), look.each, strict=True):
        own = template.model.parts[name].vertices
        codes = replace(template.codes, gaze=torch.tensor([gaze]))
        vertices[own] = all_vertices(template.model, codes)[0, own].double().numpy()
    looking = replace(surface, vertices=vertices)
    sighting = looking.seen_by(view.camera, _SIGHT_SIDE)
    return EyesInPhoto(template.model, looking, sighting, view.camera, source).over(drawn)


def _texels_of_view(sighting: Sighting, surface: HeadSurface, size: int) -> float:
    """Texels of the face along the side of the photo's view, by which the photo need be no finer."""
    triangles = surface.topology.triangles
    faces_camera = (sighting.cosine[triangles] > 0.8).all(axis=1)
    uvs = skin_layout().astype(np.float64)[surface.topology.corner_triangles] * size
    wanted, seen = (np.abs(signed_areas(at[faces_camera])) for at in (uvs, sighting.places[triangles]))
    ratio = wanted / np.maximum(seen, 1e-12)
    return float(np.sqrt(np.percentile(ratio, 75))) if faces_camera.any() else float(size)
