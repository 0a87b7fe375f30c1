"""Several photos of one person as one inversion: who is in them, and one head fitted to all."""

from __future__ import annotations

from .joint_fit import JointFit, JointSettings, fit_together
from .members import Members, same_person
from .together import Person, invert_together

__all__ = [
    "JointFit",
    "JointSettings",
    "Members",
    "Person",
    "fit_together",
    "invert_together",
    "same_person",
]
