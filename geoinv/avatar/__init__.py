"""Avatars: the head mesh model fitted to a photo, as files that engines open."""

from .avatar import Avatar, make_avatar
from .export import AVATAR_FORMATS, AvatarFormat, write_avatar
from .parts import AvatarPart, avatar_parts
from .template import FittedTemplate, fit_template

__all__ = [
    "AVATAR_FORMATS",
    "Avatar",
    "AvatarFormat",
    "AvatarPart",
    "FittedTemplate",
    "avatar_parts",
    "fit_template",
    "make_avatar",
    "write_avatar",
]
