"""Errors that geoinv raises on purpose: a one-line message, a hint, and the exit code of the command line.

Anything else that escapes is a bug and keeps its traceback.
"""

from __future__ import annotations


class GeoinvError(Exception):
    """Base of all deliberate errors.

    Args:
        message: What is wrong, in one line, naming the file or argument.
        hint: What to do about it, in one line.
    """

    exit_code = 1

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(GeoinvError):
    """An argument or option that cannot be honoured (unknown attribute, existing output, no CUDA)."""

    exit_code = 2


class CheckpointError(GeoinvError):
    """Weights or a ``.geoinv`` file that are missing, damaged, or made for another model."""

    exit_code = 3


class MissingEncoderError(CheckpointError):
    """A generator that has no encoder; optimisation can start from its mean head instead."""


class MissingDetailsError(CheckpointError):
    """No local branch that belongs to a generator and its encoder: none is there, or it was trained for others."""


class MissingDirectionsError(CheckpointError):
    """A generator without edit directions of its own: none are there, or they belong to another."""


class NativeBuildError(GeoinvError):
    """A native kernel that was demanded and could not be built."""

    exit_code = 4


class PhotoError(GeoinvError):
    """A photo that cannot be used: unreadable, too small, too large, or without a face."""

    exit_code = 5


class MissingDependencyError(GeoinvError):
    """An optional package, system library or asset folder that is not there."""

    exit_code = 6


class ShapeError(GeoinvError):
    """A tensor of the wrong shape, named in the message."""


def reason_of(error: OSError) -> str:
    """Return why the system refused, for the middle of a message: ``no such file or directory``."""
    return (error.strerror or str(error)).lower()


def unreadable(path: object, error: OSError) -> PhotoError:
    """Return the error of a photo, or of a list of photos, that the system refuses to read."""
    return PhotoError(f"cannot read {path}: {reason_of(error)}", "check the path and its permissions")
