"""Textures of an avatar: the photo's own pixels where it saw, its mirror image and the generator elsewhere."""

from .bake import AvatarTextures, bake_skin, bake_textures, photo_on_skin
from .layout import skin_layout
from .photo_view import PhotoView, view_of_photo

__all__ = [
    "AvatarTextures",
    "PhotoView",
    "bake_skin",
    "bake_textures",
    "photo_on_skin",
    "skin_layout",
    "view_of_photo",
]
