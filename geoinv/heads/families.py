"""Heads of whatever family their generator is of."""

from __future__ import annotations

from typing import overload

from torch import Tensor

from ..images.tensors import at_side
from ..models.anchored_generator import AnchoredGenerator
from ..models.families import AnyGenerator, AnyLocalBranch, OfPlanes
from ..models.local_branch import LocalBranch
from ..models.on_mesh import OnMesh
from ..models.render_output import RenderOutput
from ..models.source_view import SourceView
from ..models.stylesdf.generator import StyleSdfGenerator
from ..models.stylesdf.local_branch import StyleSdfLocalBranch
from ..models.triplanenet.plane_offsets import PlaneOffsets
from . import offset
from .anchored import AnchoredHead
from .around import PhotoAround
from .detailed import Alignment, DetailedHead
from .edit import Edit
from .offset import OffsetHead
from .plain import PlainHead
from .stylesdf import StyleSdfDetailedHead, StyleSdfHead

OfPlanesHead = PlainHead | AnchoredHead
AnyPlainHead = OfPlanesHead | StyleSdfHead
AnyDetailedHead = DetailedHead | OffsetHead | StyleSdfDetailedHead


@overload
def plain_head(generator: OfPlanes, w_plus: Tensor, on_mesh: OnMesh | None = None) -> OfPlanesHead: ...
@overload
def plain_head(generator: AnyGenerator, w_plus: Tensor, on_mesh: OnMesh | None = None) -> AnyPlainHead: ...
def plain_head(generator: AnyGenerator, w_plus: Tensor, on_mesh: OnMesh | None = None) -> AnyPlainHead:
    """Heads of codes [B, num_ws, w_dim] by themselves; ``on_mesh`` is for generators on the head mesh alone, and None
    takes the shape and light that the codes mean."""
    if isinstance(generator, AnchoredGenerator):
        given = on_mesh or generator.on_mesh(w_plus)
        return AnchoredHead(generator, w_plus, codes=given.codes, light=given.light)
    return StyleSdfHead(generator, w_plus) if isinstance(generator, StyleSdfGenerator) else PlainHead(generator, w_plus)


def detailed_head(
    plain: AnyPlainHead,
    branch: AnyLocalBranch,
    source: SourceView,
    *,
    edit: Edit | None = None,
    alignment: Alignment = "hybrid",
    seen: RenderOutput | None = None,
    around: PhotoAround | None = None,
) -> AnyDetailedHead:
    """Heads with the details of their photos, cut to their outlines; see :class:`DetailedHead` for the arguments."""
    if isinstance(plain, PlainHead | AnchoredHead) and isinstance(branch, LocalBranch):
        return DetailedHead(
            plain, branch, source, edit=edit, alignment=alignment, seen=seen, is_cut=True, around=around
        )
    if isinstance(plain, PlainHead) and isinstance(branch, PlaneOffsets):
        return OffsetHead(plain, branch, source, edit=edit, alignment=alignment)
    if isinstance(plain, StyleSdfHead) and isinstance(branch, StyleSdfLocalBranch):
        return StyleSdfDetailedHead(plain, branch, source, is_edited=edit is not None, alignment=alignment)
    raise TypeError("a local branch of another family than the head's")


def source_view(
    plain: AnyPlainHead,
    branch: AnyLocalBranch,
    pictures: Tensor,
    seen: RenderOutput,
    persons: Tensor,
    inside: Tensor | None = None,
) -> SourceView:
    """What photos show of their heads beyond their codes.

    Args:
        plain: The heads.
        branch: The local branch that is to add it.
        pictures: [B, 3, H, H] the aligned photos in [0, 1].
        seen: The heads in the photos' views.
        persons: [B, 1, H, H] in [0, 1], where the pictures show the persons, for heads without a background.
        inside: [B, 1, H, H] in [0, 1], 0 where the pictures are padded; None where none is.
    """
    if isinstance(plain, StyleSdfHead):
        return plain.source_view(pictures, seen)
    if isinstance(branch, PlaneOffsets):
        return offset.source_view(pictures, seen)
    side = seen.color.shape[-1]
    return SourceView.from_photo(at_side(pictures, side), at_side(persons, side), seen, inside)
