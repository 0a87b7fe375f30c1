"""The ways to invert a photo, by name. A new one is an object in ``METHODS``: library, command line and help read it.

Nothing heavy is imported here before a method runs, so that the command line can list the names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from ..errors import MissingEncoderError, UsageError
from ..notices import notify

if TYPE_CHECKING:
    from ..align import AlignedFace
    from ..camera import CameraPose
    from ..models.families import AnyEncoder, AnyGenerator, AnyLocalBranch, OfPlanes
    from .encode import Inverted, Provenance
    from .optimise.refine import OnStep, Refinement


class Models(Protocol):
    """The networks that methods work with, each loaded when it is first asked for."""

    @property
    def generator(self) -> AnyGenerator: ...

    @property
    def generator_of_planes(self) -> OfPlanes: ...

    @property
    def encoder(self) -> AnyEncoder: ...

    @property
    def local_branch(self) -> AnyLocalBranch: ...

    @property
    def local_branch_or_notice(self) -> AnyLocalBranch | None: ...


@dataclass(frozen=True)
class GivenPhoto:
    """The input of a method.

    Args:
        face: The aligned photo.
        provenance: Origin of the inversion, which is kept in it.
        pose: The camera, where it is known.
    """

    face: AlignedFace
    provenance: Provenance
    pose: CameraPose | None = None


class Method(Protocol):
    """A way to invert a photo."""

    @property
    def name(self) -> str:
        """Its name in ``METHODS``, kept in inversions."""

    @property
    def is_optimised(self) -> bool:
        """Whether it runs in steps, and so takes a budget."""

    def prepare(self, models: Models) -> None:
        """Load what it needs.

        Raises:
            CheckpointError: Something is missing, damaged or does not fit.
        """

    def invert(
        self, models: Models, photo: GivenPhoto, refinement: Refinement | None = None, on_step: OnStep | None = None
    ) -> Inverted:
        """Invert a photo.

        Args:
            models: The networks.
            photo: The photo.
            refinement: Budget and weights, for methods that run in steps.
            on_step: Called after each step. Ctrl-C ends the steps; the best so far is returned.
        """


@dataclass(frozen=True)
class SinglePass:
    """The encoders: one pass, with or without the photo's details."""

    name: str
    has_details: bool
    is_optimised: bool = False

    def prepare(self, models: Models) -> None:
        """Load the encoder, and the local branch for details."""
        _ = models.encoder, models.local_branch if self.has_details else None

    def invert(
        self, models: Models, photo: GivenPhoto, refinement: Refinement | None = None, on_step: OnStep | None = None
    ) -> Inverted:
        """Invert a photo; there are no steps."""
        from .encode import encode_face

        encoder, branch = models.encoder, models.local_branch if self.has_details else None
        return encode_face(photo.face, models.generator, encoder, photo.provenance, pose=photo.pose, branch=branch)


@dataclass(frozen=True)
class Optimised:
    """Steps of descent from the encoder's head where there is an encoder, else from the mean head."""

    name: str
    tunes_generator: bool
    is_optimised: bool = True

    def prepare(self, models: Models) -> None:
        """Load the generator: the encoder may be missing."""
        _ = models.generator_of_planes

    def invert(
        self, models: Models, photo: GivenPhoto, refinement: Refinement | None = None, on_step: OnStep | None = None
    ) -> Inverted:
        """Invert a photo within the refinement's budget."""
        from ..align.hull import landmark_hull
        from .encode import encode_face, mean_face
        from .optimise.refine_inversion import refine_inversion

        face = photo.face
        try:
            start = encode_face(face, models.generator_of_planes, models.encoder, photo.provenance, pose=photo.pose)
        except MissingEncoderError:
            notify("the model has no encoder: optimisation starts from its mean head")
            start = mean_face(face, models.generator_of_planes, photo.provenance, pose=photo.pose)
        mask = landmark_hull(face.landmarks, face.image.shape[:2])
        made = refine_inversion(start, mask, models.generator_of_planes, self.complete(refinement), on_step)
        return replace(made, inversion=replace(made.inversion, method=self.name))

    def complete(self, refinement: Refinement | None = None) -> Refinement:
        """A refinement as this method does it; by default with the usual budget and weights."""
        from .optimise.refine import Refinement

        return replace(refinement or Refinement(), tunes_generator=self.tunes_generator)


_ALL: tuple[Method, ...] = (
    SinglePass("hybrid", has_details=True),
    SinglePass("encoder", has_details=False),
    Optimised("optimise", tunes_generator=False),
    Optimised("pti", tunes_generator=True),
)
METHODS: Mapping[str, Method] = {method.name: method for method in _ALL}

DEFAULT = "hybrid"
WITHOUT_DETAILS = "encoder"
"""The method that takes the default's place where a model has no local branch."""


def method_named(name: str) -> Method:
    """A method by its name.

    Raises:
        UsageError: There is none; the hint lists the names.
    """
    if name not in METHODS:
        raise UsageError(f"unknown method {name!r}", f"there are: {', '.join(METHODS)}")
    return METHODS[name]


def optimised_method(name: str) -> Optimised:
    """A method that runs in steps, by its name.

    Raises:
        UsageError: There is none, or it takes a single pass.
    """
    method = method_named(name)
    if not isinstance(method, Optimised):
        raise UsageError(f"method {name} takes a single pass", "give optimise or pti")
    return method


def default_method(models: Models) -> Method:
    """The default; where the model has no local branch, the encoder alone, and a notice says so.

    Raises:
        MissingEncoderError: The model has no encoder.
    """
    _ = models.encoder  # first: without it, the local branch does not matter
    return METHODS[DEFAULT if models.local_branch_or_notice is not None else WITHOUT_DETAILS]
