"""The models that a session works with, each loaded once, when it is first needed."""

from __future__ import annotations

import os
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import torch

from .conventions import Orbit
from .errors import UsageError

if TYPE_CHECKING:
    from torch import nn

    from .align import FaceAligner
    from .checkpoints.store import ModelInfo
    from .editing import Directions
    from .models.details import LocalBranch
    from .models.generator import TriPlaneGenerator

Landmarks = Literal["mediapipe", "face-alignment"]


def pick_device(device: str) -> torch.device:
    """``auto`` (CUDA where there is one), ``cpu`` or ``cuda[:N]``.

    Raises:
        UsageError: An unknown name, or CUDA where torch has none.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    name, _, index = device.partition(":")
    if name not in ("cpu", "cuda") or (index and not (name == "cuda" and index.isdigit())):
        raise UsageError(f"unknown device {device!r}", "use auto, cpu, cuda or cuda:N")
    if name == "cuda" and not torch.cuda.is_available():
        reason = "this torch is built without CUDA" if torch.version.cuda is None else "torch sees no CUDA GPU"
        raise UsageError(f"--device {device}: {reason}", "use --device auto or --device cpu")
    if index and int(index) >= torch.cuda.device_count():
        raise UsageError(f"--device {device}: there are {torch.cuda.device_count()} GPUs", "count from cuda:0")
    return torch.device(device)


class LoadedModels:
    """Generator, encoder, local branch, directions and aligner of one model, on one device.

    Args:
        model: A shipped model's name (``mini``) or the path of a generator's safetensors file.
        device: ``auto``, ``cpu`` or ``cuda``.
        seed: Seed of everything random; kept in inversions.
        landmarks: The face detector; ``face-alignment`` needs that package.
        shown_with: Another generator of the model's family, by name or file, that heads are shown with: fine-tuned
            from the model, it shows the same code as a cartoon, for instance. Photos are inverted by the model itself.
    """

    def __init__(
        self,
        model: str = "mini",
        device: str = "auto",
        seed: int = 0,
        *,
        landmarks: Landmarks = "mediapipe",
        shown_with: str | os.PathLike[str] | None = None,
    ) -> None:
        self.model = model
        self.device = pick_device(device)
        self.seed = seed
        self.landmarks: Landmarks = landmarks
        self.shown_with = None if shown_with is None else os.fspath(shown_with)
        torch.manual_seed(seed)

    @cached_property
    def _generator_and_info(self) -> tuple[TriPlaneGenerator, ModelInfo]:
        from .checkpoints.store import load_generator

        generator, info = load_generator(self.model, self.device)
        return generator.eval().requires_grad_(False), info

    @property
    def generator(self) -> TriPlaneGenerator:
        """The generator, in evaluation mode."""
        return self._generator_and_info[0]

    @property
    def info(self) -> ModelInfo:
        """Name and hash of the generator."""
        return self._generator_and_info[1]

    @cached_property
    def _shown_generator_and_info(self) -> tuple[TriPlaneGenerator, ModelInfo] | None:
        if self.shown_with is None:
            return None
        from .checkpoints.store import load_sibling

        generator, info = load_sibling(self.shown_with, self.generator.config, self.info.name, self.device)
        return generator.eval().requires_grad_(False), info

    @property
    def shown_info(self) -> ModelInfo | None:
        """Name and hash of ``shown_with``; None where heads are shown with the model itself."""
        shown = self._shown_generator_and_info
        return None if shown is None else shown[1]

    @property
    def orbit(self) -> Orbit:
        """Where the cameras of the generator stand."""
        return self.generator.config.orbit

    @cached_property
    def encoder(self) -> nn.Module:
        """The encoder that belongs to the generator."""
        from .checkpoints.store import load_encoder

        loaded = load_encoder(self.model, self.device)
        encoder: nn.Module = loaded[0] if isinstance(loaded, tuple) else loaded
        return encoder.eval().requires_grad_(False)

    @cached_property
    def local_branch(self) -> LocalBranch | None:
        """The local branch that belongs to the generator, which adds a photo's details; None where it has none."""
        from .checkpoints.store import load_details

        loaded = load_details(self.model, self.device)
        return None if loaded is None else loaded[0]

    @cached_property
    def directions(self) -> Directions:
        """The generator's named edits."""
        from .editing import load_directions

        return load_directions(self.model, generator_sha256=self.info.sha256)

    @cached_property
    def aligner(self) -> FaceAligner:
        """The face detector and cropper."""
        from .align import FaceAligner

        return FaceAligner(backend=self.landmarks)
