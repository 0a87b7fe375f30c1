"""Textures of an avatar: the photo's own pixels where it saw, its mirror image and the generator elsewhere."""

from .bake import AvatarTextures, bake_textures
from .layout import skin_layout
from .photo_view import person_in_crop

__all__ = ["AvatarTextures", "bake_textures", "person_in_crop", "skin_layout"]
