"""The head mesh model: a head of one topology from a few codes, landmarks on it, and fitting it to a photo.

``load_head_model()`` needs nothing but the one file in ``weights``. ``model.vertices(codes)`` and ``model.normals``
are differentiable; ``fit_landmarks`` finds codes and camera of a photo from MediaPipe's 468 points, ``fit_person`` one
identity from several photos.
"""

from .arkit import ARKIT_UNITS, expression_code
from .attached_mesh import AttachedMesh
from .codes import HeadCodes
from .detector_habits import DetectorHabits
from .fit import FitConfig, HeadFit, fit_landmarks
from .model import HeadModel, Part
from .model_file import load_head_model, save_head_model
from .person_fit import PhotoPoints, fit_person
from .proportions import Proportions, in_proportion
from .surface_points import SurfacePoints

__all__ = [
    "ARKIT_UNITS",
    "AttachedMesh",
    "DetectorHabits",
    "FitConfig",
    "HeadCodes",
    "HeadFit",
    "HeadModel",
    "Part",
    "PhotoPoints",
    "Proportions",
    "SurfacePoints",
    "expression_code",
    "fit_landmarks",
    "fit_person",
    "in_proportion",
    "load_head_model",
    "save_head_model",
]
