"""The models that a session works with, each loaded once, when it is first needed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import torch

from .conventions import Orbit
from .errors import CheckpointError, MissingDetailsError, MissingDirectionsError, UsageError
from .inversion.saved import BranchFile
from .made_once import made_once
from .notices import notify

if TYPE_CHECKING:
    from .align import FaceAligner
    from .checkpoints.store import ModelInfo
    from .editing import Directions, Reach
    from .models.families import AnyEncoder, AnyGenerator, AnyLocalBranch, OfPlanes
    from .models.generator import TriPlaneGenerator
    from .models.local_branch import LocalBranch

Landmarks = Literal["mediapipe", "face-alignment"]

_NVIDIA_DRIVER = Path("/proc/driver/nvidia/version")  # is there where Linux has loaded it, that is, has such a GPU


def pick_device(device: str) -> torch.device:
    """``auto`` (CUDA where there is one), ``cpu`` or ``cuda[:N]``.

    Raises:
        UsageError: An unknown name, or CUDA where torch has none.
    """
    if device == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        if _NVIDIA_DRIVER.exists():
            notify(f"this machine's GPU is not used, the CPU computes: {_why_no_cuda()}")
        return torch.device("cpu")
    name, _, index = device.partition(":")
    if name not in ("cpu", "cuda") or (index and not (name == "cuda" and index.isdigit())):
        raise UsageError(f"unknown device {device!r}", "use auto, cpu, cuda or cuda:N")
    if name == "cuda" and not torch.cuda.is_available():
        raise UsageError(f"--device {device}: {_why_no_cuda()}", "use --device auto or --device cpu")
    if index and int(index) >= torch.cuda.device_count():
        raise UsageError(f"--device {device}: there are {torch.cuda.device_count()} GPUs", "count from cuda:0")
    return torch.device(device)


def _why_no_cuda() -> str:
    return "this torch is built without CUDA" if torch.version.cuda is None else "torch sees no CUDA GPU"


class LoadedModels:
    """Generator, encoder, local branch, directions and aligner of one model, on one device.

    Args:
        model: A shipped model's name (``mini``) or the path of a generator's safetensors file.
        device: ``auto``, ``cpu`` or ``cuda``.
        seed: Seed of everything random; kept in inversions.
        landmarks: The face detector; ``face-alignment`` needs that package.
        shown_with: Another generator of the model's family, by name or file, that heads are shown with: fine-tuned
            from the model, it shows the same code as a cartoon, for instance. Photos are inverted by the model itself.
        encoder: File or registered name of the encoder; None for the one that lies beside the generator, or else is
            registered for it.
        details: File or registered name of the local branch; None for the one that belongs to generator and encoder.
    """

    def __init__(
        self,
        model: str = "mini",
        device: str = "auto",
        seed: int = 0,
        *,
        landmarks: Landmarks = "mediapipe",
        shown_with: str | os.PathLike[str] | None = None,
        encoder: str | os.PathLike[str] | None = None,
        details: str | os.PathLike[str] | None = None,
    ) -> None:
        self.model = model
        self.device = pick_device(device)
        self.seed = seed
        self.landmarks: Landmarks = landmarks
        self.shown_with = None if shown_with is None else os.fspath(shown_with)
        self._encoder_named = None if encoder is None else os.fspath(encoder)
        self._details_named = None if details is None else os.fspath(details)

    @made_once
    def encoder_file(self) -> Path:
        """The encoder's file, which may be missing.

        Raises:
            UsageError: No encoder of the name that was given is registered.
            CheckpointError: There is no such model, or the registered file is another by now.
        """
        from .checkpoints.registry import encoder_file

        return encoder_file(self.model, self._encoder_named)

    @made_once
    def details_file(self) -> Path:
        """The local branch's file, which may be missing; errors are those of :attr:`encoder_file`."""
        from .checkpoints.registry import details_file

        return details_file(self.model, self.encoder_file, self._details_named)

    @made_once
    def _generator_and_info(self) -> tuple[AnyGenerator, ModelInfo]:
        from .checkpoints.store import load_any_generator

        return load_any_generator(self.model, self.device)

    @property
    def generator(self) -> AnyGenerator:
        """The generator, in evaluation mode."""
        return self._generator_and_info[0]

    @property
    def triplane_generator(self) -> TriPlaneGenerator:
        """The generator, for what only tri-planes can do.

        Raises:
            UsageError: It is of another family, or on the head mesh.
        """
        from .models.anchored_generator import AnchoredGenerator
        from .models.generator import TriPlaneGenerator

        if isinstance(self.generator, AnchoredGenerator):
            raise UsageError(
                f"model {self.info.name} is on the head mesh, and this works with tri-planes alone",
                "give --model a model of EG3D, or one that `geoinv train generator` made",
            )
        if not isinstance(self.generator, TriPlaneGenerator):
            raise UsageError(
                f"model {self.info.name} is not of the tri-plane family, and this works with no other",
                "its photos are inverted by --method hybrid or encoder; for anything else use mini or a model of EG3D",
            )
        return self.generator

    @property
    def generator_of_planes(self) -> OfPlanes:
        """The generator, for what tri-planes can do and generators on the head mesh as well.

        Raises:
            UsageError: It is of another family.
        """
        from .models.anchored_generator import AnchoredGenerator

        return self.generator if isinstance(self.generator, AnchoredGenerator) else self.triplane_generator

    @property
    def triplane_branch(self) -> LocalBranch:
        """The local branch of a tri-plane generator, or of one on the head mesh.

        Raises:
            UsageError: The generator is of another family.
            MissingDetailsError: There is none, or it was trained for others.
            CheckpointError: It is damaged, or of another family than the generator.
        """
        from .models.local_branch import LocalBranch

        _ = self.generator_of_planes
        if not isinstance(self.local_branch, LocalBranch):
            raise CheckpointError(
                f"the local branch of model {self.info.name} is of another family, which this cannot work with",
                "use one that geoinv trained for the generator",
            )
        return self.local_branch

    @property
    def info(self) -> ModelInfo:
        """Name and hash of the generator."""
        return self._generator_and_info[1]

    @made_once
    def _shown_generator_and_info(self) -> tuple[AnyGenerator, ModelInfo] | None:
        if self.shown_with is None:
            return None
        from .checkpoints.store import load_sibling

        return load_sibling(self.shown_with, self.generator.config, self.info.name, self.device)

    @property
    def shown_generator(self) -> AnyGenerator | None:
        """The generator of ``shown_with``; None where heads are shown with the model itself."""
        shown = self._shown_generator_and_info
        return None if shown is None else shown[0]

    @property
    def shown_info(self) -> ModelInfo | None:
        """Name and hash of ``shown_with``; None where heads are shown with the model itself."""
        shown = self._shown_generator_and_info
        return None if shown is None else shown[1]

    @property
    def orbit(self) -> Orbit:
        """The orbit of the generator's cameras."""
        return self.generator.config.orbit

    @made_once
    def encoder(self) -> AnyEncoder:
        """The encoder that belongs to the generator.

        Raises:
            MissingEncoderError: There is none.
            CheckpointError: It is damaged, or was trained for another generator.
        """
        from .checkpoints.store import load_any_encoder

        named = None if self._encoder_named is None else self.encoder_file
        return load_any_encoder(self.model, self.device, file=named)[0]

    @property
    def local_branch(self) -> AnyLocalBranch:
        """The local branch that belongs to generator and encoder, which adds a photo's details.

        Raises:
            MissingDetailsError: There is none, or it was trained for others.
            CheckpointError: It is damaged.
        """
        return self._local_branch_and_info[0]

    @made_once
    def _local_branch_and_info(self) -> tuple[AnyLocalBranch, ModelInfo]:
        from .checkpoints.store import load_any_details

        return load_any_details(self.model, self.device, file=self.details_file, encoder=self.encoder_file)

    @property
    def branch_file(self) -> BranchFile | None:
        """The local branch's file, where it is not the one that lies beside the generator."""
        from .checkpoints.model_files import model_file

        if self.details_file == model_file(self.model, "details"):
            return None
        return BranchFile(str(self.details_file.resolve()), self._local_branch_and_info[1].sha256)

    @made_once
    def _branch_beside(self) -> AnyLocalBranch:
        from .checkpoints.model_files import model_file
        from .checkpoints.store import load_any_details

        beside = model_file(self.model, "details")
        if self.details_file == beside:
            return self.local_branch
        return load_any_details(self.model, self.device, file=beside, encoder=model_file(self.model, "encoder"))[0]

    def local_branch_of(self, file: BranchFile | None) -> AnyLocalBranch:
        """The local branch that an inversion was made with.

        Args:
            file: Its file, where it is not the one that lies beside the generator.

        Raises:
            MissingDetailsError: There is none, it was trained for others, or its file has changed.
            CheckpointError: It is damaged.
        """
        from .checkpoints.store import load_details_of

        if file is None:
            return self._branch_beside
        if Path(file.path) == self.details_file.resolve() and file == self.branch_file:
            return self.local_branch
        return load_details_of(self.model, Path(file.path), file.sha256, self.device)

    @property
    def local_branch_or_notice(self) -> AnyLocalBranch | None:
        """The local branch; None where it cannot be had, which a notice says."""
        try:
            return self.local_branch
        except MissingDetailsError as error:
            notify(f"heads lack their photo's details (method encoder instead of hybrid): {error.message}")
            return None

    @made_once
    def directions(self) -> Directions:
        """The generator's named edits; on the head mesh also ARKit's 52 expressions, which need no file.

        Raises:
            MissingDirectionsError: There is no file of them, or it is another generator's.
            CheckpointError: It is damaged.
        """
        from .editing import Directions, load_directions
        from .editing.expressions import with_units
        from .models.anchored_generator import AnchoredGenerator

        sha256 = self.info.sha256
        if not isinstance(self.generator, AnchoredGenerator):
            return load_directions(self.model, generator_sha256=sha256)
        try:
            named = load_directions(self.model, generator_sha256=sha256)
        except MissingDirectionsError as error:
            notify(f"ARKit's expressions are all that can be edited: {error.message}")
            named = Directions({}, {}, sha256)
        return with_units(named, self.generator)

    @made_once
    def reach(self) -> Reach:
        """The range of each direction's strengths that edits may use."""
        from .editing import measure_reach

        return measure_reach(self.generator, self.directions)

    @property
    def fit_aligner(self) -> FaceAligner | None:
        """The face detector, for heads on the head mesh, which are fitted to its landmarks; None for others."""
        from .models.anchored_generator import AnchoredGenerator

        return self.aligner if isinstance(self.generator, AnchoredGenerator) else None

    @made_once
    def aligner(self) -> FaceAligner:
        """The face detector and cropper."""
        from .align import FaceAligner

        return FaceAligner(backend=self.landmarks)
