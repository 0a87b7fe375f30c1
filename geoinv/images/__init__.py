"""Pictures: read from files and written to them, and as tensors."""

from .photos import IMAGE_SUFFIXES, MAX_PIXELS, MIN_SIDE, list_images, read_image, to_array, to_tensor, write_image

__all__ = [
    "IMAGE_SUFFIXES",
    "MAX_PIXELS",
    "MIN_SIDE",
    "list_images",
    "read_image",
    "to_array",
    "to_tensor",
    "write_image",
]
