"""Photo -> AlignedFace: detection, landmarks, EG3D's crop with the roll removed, and what to expect of it."""

from .aligner import Backend, FaceAligner, LandmarkBackend
from .face import AlignedFace, Face
from .overlay import draw_overlay

__all__ = ["AlignedFace", "Backend", "Face", "FaceAligner", "LandmarkBackend", "draw_overlay"]
