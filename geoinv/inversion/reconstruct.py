"""The one road from photos to heads: what ``invert`` writes, ``eval`` measures, training learns from and optimisation
starts at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from ..camera import Camera, CameraPose
from ..errors import CheckpointError
from ..heads import AnyDetailedHead, AnyPlainHead, PhotoAround, ViewPair, detailed_head, plain_head, source_view
from ..images.tensors import at_side, photo_bytes
from ..light import in_one_color
from ..models.anchored_generator import AnchoredGenerator
from ..models.encoder import EncoderOutput, encoder_input
from ..models.on_mesh import OnMesh
from ..models.precision import fast_precision
from .landmark_fit import fitted_to_landmarks

if TYPE_CHECKING:
    from torch import nn

    from ..heads import Alignment
    from ..models.families import AnyGenerator, AnyLocalBranch
    from ..models.render_output import RenderOutput

_OWN_LAYERS = 0.4
"""Part of the encoder's differences between the codes of layers that heads on the mesh take. A generator's own heads
have one code for all layers. Those of real photos differ, and where no photo looked that was haze beside necks and
holes in hair. With 0.4 of it both are gone, identity at +-25 degrees stays (20 portraits, 0.285 and 0.284), and
held-out heads lose 0.05 dB."""


@dataclass(frozen=True, eq=False)
class Reconstructed:
    """Heads of B photos.

    Args:
        head: The heads, with their photos' details where a local branch was given.
        pose: The photos' cameras, B of them.
        seen: The heads without details as their photos see them, where that has been rendered already.
        estimate: What the encoder said of the photos; None where it is another's than ours.
    """

    head: AnyPlainHead | AnyDetailedHead
    pose: CameraPose
    seen: RenderOutput | None = None
    estimate: EncoderOutput | None = None

    @property
    def camera(self) -> Camera:
        """The photos' cameras."""
        return self.pose.camera(self.head.orbit)

    @cached_property
    def plain_view(self) -> RenderOutput:
        """The heads without details as their photos see them, rendered once."""
        return self.head.plain.view(self.camera) if self.seen is None else self.seen

    @cached_property
    def views(self) -> ViewPair:
        """The heads as their photos see them, without and with details, rendered once."""
        if isinstance(self.head, AnyDetailedHead):
            return ViewPair(self.plain_view, self.head.with_details(self.plain_view))
        return ViewPair(self.plain_view, self.plain_view)


def reconstruct(
    pictures: Tensor,
    encoder: nn.Module,
    generator: AnyGenerator,
    branch: AnyLocalBranch | None = None,
    *,
    pose: CameraPose | None = None,
    aligned_pose: CameraPose | None = None,
    persons: Tensor | None = None,
    inside: Tensor | None = None,
    around: PhotoAround | None = None,
    landmarks: Sequence[Tensor | None] | None = None,
    alignment: Alignment = "hybrid",
) -> Reconstructed:
    """Heads of photos by one pass of the encoder, a fit to landmarks where heads are on the head mesh, and one pass of
    the local branch where there is one.

    Args:
        pictures: [B, 3, H, H] aligned photos in [0, 1], on the generator's device.
        encoder: E0: pictures [B, 3, 256, 256] in [-1, 1] -> ``w_plus``, ``camera`` and, on the head
            mesh, shape and light.
        generator: The generator that it was trained for.
        branch: The local branch that was trained for both; None for heads without details.
        pose: The photos' cameras, where they are known; else the encoder's.
        aligned_pose: The cameras by alignment, for an encoder that finds none.
        persons: [B, 1, H, H] in [0, 1], where the photos show the persons; found in the photos by default, and
            everything where the generator paints the background as well.
        inside: [B, 1, H, H] in [0, 1], 0 where the pictures are padded beyond their photos' edges; None where none is.
        around: What the photos show around these pictures; None where no more is known.
        landmarks: [468, 2] landmarks of each photo, (x, y) as parts of its side, that shapes on the mesh are fitted
            to; None where there are none.
        alignment: Kind of the branch's features that are used: both, or one alone.

    Raises:
        CheckpointError: The encoder's codes do not fit the generator, or are not finite.
    """
    device = pictures.device
    with fast_precision(device):
        estimate = encoder(encoder_input(pictures))
    w_plus: Tensor = estimate.w_plus.float()
    expected = (len(pictures), generator.config.num_ws, generator.config.w_dim)
    if tuple(w_plus.shape) != expected:
        raise CheckpointError(
            f"the encoder gives codes {list(w_plus.shape)}, generator {generator.config.name} takes {list(expected)}",
            "use the encoder that was trained for this generator",
        )
    if isinstance(generator, AnchoredGenerator):
        mean = w_plus.mean(dim=1, keepdim=True)
        w_plus = mean + _OWN_LAYERS * (w_plus - mean)
    found = pose or estimate.camera or aligned_pose
    if found is None:
        raise CheckpointError("the encoder finds no cameras", "give the photos' cameras, or an encoder that finds them")
    vectors = found.as_vector().to(device).float()  # [B, 6]
    on_mesh = _on_mesh(estimate, generator)
    is_finite = torch.isfinite(w_plus).all() and torch.isfinite(vectors).all()
    if not is_finite or (on_mesh is not None and not on_mesh.is_finite):
        raise CheckpointError("the encoder's result is not finite", "its weights are damaged: run `geoinv doctor`")
    camera = CameraPose.from_vector(vectors)
    if on_mesh is not None and landmarks is not None:
        orbit, is_known = generator.config.orbit, pose is not None
        on_mesh, camera = fitted_to_landmarks(
            on_mesh, camera, landmarks, orbit, is_camera_fixed=is_known, pictures=pictures
        )
    said = estimate if isinstance(estimate, EncoderOutput) else None
    made = Reconstructed(plain_head(generator, w_plus, on_mesh), camera, estimate=said)
    if branch is None:
        return made
    return with_details(made, pictures, branch, persons=persons, inside=inside, around=around, alignment=alignment)


def _on_mesh(estimate: object, generator: AnyGenerator) -> OnMesh | None:
    """Shape and light that an encoder gives; None where heads are on no mesh.

    The light is taken in one colour. What real faces show below their jaws is redder than on heads of the sampler, and
    E0 took that for magenta light from below in every photo: from the side there were pink bands. Held-out heads, whose
    lights are of several colours, gain 0.015 dB in all views even so.

    Raises:
        CheckpointError: The generator's heads are on the mesh, and the encoder gives no shape.
    """
    if not isinstance(generator, AnchoredGenerator):
        return None
    if not isinstance(estimate, EncoderOutput) or estimate.on_mesh is None:
        raise CheckpointError(
            f"the encoder gives no shape, and generator {generator.config.name} is on the head mesh",
            "use the encoder that was trained for this generator",
        )
    return OnMesh(estimate.on_mesh.codes, in_one_color(estimate.on_mesh.light))


def with_details(
    made: Reconstructed,
    pictures: Tensor,
    branch: AnyLocalBranch,
    *,
    persons: Tensor | None = None,
    inside: Tensor | None = None,
    around: PhotoAround | None = None,
    alignment: Alignment = "hybrid",
) -> Reconstructed:
    """Heads with the details that their photos show beyond their codes; arguments are those of :func:`reconstruct`."""
    seen = made.plain_view
    if not made.head.plain.generator.config.has_alpha:
        persons = torch.ones_like(pictures[:, :1])  # it paints the background as well: all of the photo counts
    if persons is None:
        persons = persons_in(at_side(pictures, seen.color.shape[-1]))
    source = source_view(made.head.plain, branch, pictures, seen, persons, inside)
    head = detailed_head(made.head.plain, branch, source, alignment=alignment, seen=seen, around=around)
    shown = seen if head.plain is made.head.plain else head.plain.view(seen.camera)  # else cut to the photo's outline
    return Reconstructed(head, made.pose, shown, made.estimate)


def persons_in(photos: Tensor) -> Tensor:
    """[B, 1, H, H] in [0, 1]: where photos [B, 3, H, H] in [0, 1] show a person.

    A reconstruction may be wider than its person, and then stands before the photo's background.
    """
    from ..align.person import person_mask

    masks = [torch.from_numpy(person_mask(photo_bytes(photo[None]))).float() for photo in photos]
    mask = torch.stack(masks)[:, None].to(photos.device)
    return functional.avg_pool2d(mask, 3, stride=1, padding=1, count_include_pad=False)
