"""What an inversion keeps of its photos: the details of each, and all of those beside the first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..camera import CameraPose
from ..conventions import AROUND_SIZE, CROP_SIZE
from ..errors import ShapeError
from ..models.on_mesh import OnMesh
from ..shape import HeadCodes


@dataclass(frozen=True, eq=False)
class PhotoDetails:
    """Input of the local branch, for the head before any edit (:class:`geoinv.models.source_view.SourceView`).

    Args:
        residual: [3, H, H] float16, H a multiple of S, the photo minus the reconstruction, where both show the person.
        surface: [S, S] float16, the reconstruction's depth along the optical axis in world units, 0 where not solid.
        color: [3, S, S] float16, the reconstruction in [0, 1], premultiplied by alpha.
    """

    residual: Tensor
    surface: Tensor
    color: Tensor

    def __post_init__(self) -> None:
        side, whole = self.surface.shape[-1], self.residual.shape[-1]
        shapes = [tuple(part.shape) for part in (self.residual, self.surface, self.color)]
        if shapes != [(3, whole, whole), (side, side), (3, side, side)] or whole % max(side, 1):
            raise ShapeError(f"residual [3, H, H], surface [S, S] and color [3, S, S] do not fit: {shapes}")


@dataclass(frozen=True, eq=False)
class OtherPhoto:
    """Another photo of an inversion's person.

    Args:
        w_plus: [1, num_ws, w_dim] float32, the person with this photo's expression and light.
        camera: [6] of the aligned photo, as that of :class:`geoinv.Inversion`.
        photo: [512, 512, 3] uint8, the aligned photo.
        crop: [2, 3] affine map from pixels of the photo to pixels of the aligned photo.
        source: File name of the photo, without its folder.
        source_size: Width and height of the photo in pixels.
        details: What it shows beyond the code; None where the first photo has none either.
        on_mesh: Shape and light of a head on the head mesh; None for generators without one.
        around: [384, 384, 3] uint8, the photo around the crop; None where no more is known of any of the photos.
    """

    w_plus: Tensor
    camera: Tensor
    photo: NDArray[Any]
    crop: NDArray[Any]
    source: str
    source_size: tuple[int, int]
    details: PhotoDetails | None = None
    on_mesh: OnMesh | None = None
    around: NDArray[Any] | None = None

    def __post_init__(self) -> None:
        shapes = tuple(self.camera.shape), self.photo.shape, self.crop.shape
        if shapes != ((6,), (CROP_SIZE, CROP_SIZE, 3), (2, 3)) or self.w_plus.ndim != 3 or self.w_plus.shape[0] != 1:
            raise ShapeError(f"another photo's w_plus, camera, photo and crop do not fit: {shapes}")
        if self.around is not None and self.around.shape != (AROUND_SIZE, AROUND_SIZE, 3):
            raise ShapeError(f"another photo's around is {list(self.around.shape)}")

    @property
    def pose(self) -> CameraPose:
        """The camera of the aligned photo, batch size 1."""
        return CameraPose.from_vector(self.camera[None])

    @property
    def inside(self) -> NDArray[np.bool_]:
        """[512, 512] which pixels of the aligned photo show the photo; the others are padding."""
        from ..align.crop import inside_photo  # here, because it loads OpenCV

        return inside_photo(self.crop, self.source_size, CROP_SIZE)


PHOTO_TYPES = {"w_plus": torch.float32, "camera": torch.float32, "photo": torch.uint8, "crop": torch.float64}
"""Types of the tensors of each photo in a file, by name."""
MESH_TYPES = {"shape": torch.float32, "light": torch.float32}
"""Types of the tensors of each photo's head on the head mesh."""
DETAIL_TYPES = {"residual": torch.float16, "surface": torch.float16, "color": torch.float16}
"""Types of the tensors of each photo's details."""
AROUND_TYPES = {"around": torch.uint8}
"""Types of the tensor of what is around each photo's crop."""
PREFIX = "others."
"""Before the names of the tensors of other photos, each with one photo after another."""


def mesh_as_tensors(on_mesh: OnMesh) -> dict[str, Tensor]:
    """Tensors of shape and light for a file."""
    parts = {"shape": on_mesh.codes.as_vector(), "light": on_mesh.light}
    return {name: part.detach().float().cpu().contiguous() for name, part in parts.items()}


def mesh_of(tensors: Mapping[str, Tensor]) -> OnMesh | None:
    """Shape and light of a file; None where it has none.

    Raises:
        ShapeError: Their shapes do not fit.
    """
    return OnMesh(HeadCodes.from_vector(tensors["shape"]), tensors["light"]) if "shape" in tensors else None


def types_of_others(*, has_details: bool, is_on_mesh: bool, has_around: bool) -> dict[str, torch.dtype]:
    """Types of the tensors in a file, by name."""
    types = PHOTO_TYPES | (DETAIL_TYPES if has_details else {}) | (MESH_TYPES if is_on_mesh else {})
    types |= AROUND_TYPES if has_around else {}
    return {PREFIX + name: dtype for name, dtype in types.items()}


def others_as_tensors(others: Sequence[OtherPhoto]) -> dict[str, Tensor]:
    """Tensors of other photos for a file; none where there are none."""
    if not others:
        return {}
    tensors = {
        "others.w_plus": torch.cat([other.w_plus.detach().float().cpu() for other in others]),
        "others.camera": torch.stack([other.camera.detach().float().cpu() for other in others]),
        "others.photo": torch.from_numpy(np.stack([other.photo for other in others])),
        "others.crop": torch.from_numpy(np.stack([np.asarray(other.crop, np.float64) for other in others])),
    }
    meshes = [mesh_as_tensors(other.on_mesh) for other in others if other.on_mesh is not None]
    for name in MESH_TYPES if meshes else ():
        tensors[PREFIX + name] = torch.cat([mesh[name] for mesh in meshes])
    details = [other.details for other in others if other.details is not None]
    for name in DETAIL_TYPES if details else ():
        tensors[PREFIX + name] = torch.stack([getattr(each, name).half().cpu() for each in details])
    around = [torch.from_numpy(other.around) for other in others if other.around is not None]
    if len(around) == len(others):
        tensors[PREFIX + "around"] = torch.stack(around)
    return tensors


def others_as_header(others: Sequence[OtherPhoto]) -> list[dict[str, Any]]:
    """What a file's header says of other photos."""
    return [{"source": other.source, "source_size": list(other.source_size)} for other in others]


def others_of(header: Sequence[Mapping[str, Any]], tensors: Mapping[str, Tensor]) -> tuple[OtherPhoto, ...]:
    """Other photos of a file whose tensors have the types of :func:`types_of_others`.

    Raises:
        ShapeError: Shapes or numbers of photos do not fit.
    """
    parts = {name.removeprefix(PREFIX): value for name, value in tensors.items() if name.startswith(PREFIX)}
    counts = {name: len(value) for name, value in parts.items()}
    if set(counts.values()) - {len(header)}:
        raise ShapeError(f"{len(header)} other photos, and tensors of {counts}")
    meshes = mesh_of(parts)
    return tuple(
        OtherPhoto(
            w_plus=parts["w_plus"][index : index + 1],
            camera=parts["camera"][index],
            photo=parts["photo"][index].numpy(),
            crop=parts["crop"][index].numpy(),
            source=str(said["source"]),
            source_size=(int(said["source_size"][0]), int(said["source_size"][1])),
            details=PhotoDetails(**{name: parts[name][index] for name in DETAIL_TYPES})
            if "residual" in parts
            else None,
            on_mesh=None if meshes is None else meshes[index : index + 1],
            around=parts["around"][index].numpy() if "around" in parts else None,
        )
        for index, said in enumerate(header)
    )
