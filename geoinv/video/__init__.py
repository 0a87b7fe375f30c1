"""Performances from videos: ``capture(open_clip(path))`` gives expression, gaze and pose of a face, frame by frame.

``performing_avatar`` makes the avatar, ``write_performance`` writes it as an animated .glb, ``write_live_link`` the
curves as a table, ``write_beside`` a video of both.
"""

from .beside import write_beside
from .capture import Captured, capture
from .live_link import write_live_link
from .performance import Performance
from .reading import Clip, open_clip
from .results import performing_avatar, write_performance

__all__ = [
    "Captured",
    "Clip",
    "Performance",
    "capture",
    "open_clip",
    "performing_avatar",
    "write_beside",
    "write_live_link",
    "write_performance",
]
