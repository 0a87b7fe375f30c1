"""Pictures: read from files and written to them, and as tensors."""

from .photos import IMAGE_SUFFIXES, MAX_PIXELS, MIN_SIDE, Photo, list_images, photo_from_bytes, read_image, read_photo
from .writing import write_image

__all__ = [
    "IMAGE_SUFFIXES",
    "MAX_PIXELS",
    "MIN_SIDE",
    "Photo",
    "list_images",
    "photo_from_bytes",
    "read_image",
    "read_photo",
    "write_image",
]
