"""Avatars: the head mesh model fitted to a photo, as files that engines open."""

from .parts import AvatarPart, avatar_parts
from .template import FittedTemplate, fit_template

__all__ = ["AvatarPart", "FittedTemplate", "avatar_parts", "fit_template"]
