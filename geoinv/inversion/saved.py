"""The result of inverting a photo, and its ``.geoinv`` file: safetensors with one JSON header.

The header sits in a single metadata entry, since safetensors does not keep the order of several: the same inversion
always gives the same bytes.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .._version import __version__
from ..camera import CameraPose
from ..conventions import AROUND_SIZE, CROP_SIZE
from ..errors import CheckpointError, ShapeError, UsageError
from ..files import atomic_path
from ..images import IMAGE_SUFFIXES
from ..models.on_mesh import OnMesh
from .kept_photos import (
    AROUND_TYPES,
    DETAIL_TYPES,
    MESH_TYPES,
    PHOTO_TYPES,
    PREFIX,
    OtherPhoto,
    PhotoDetails,
    mesh_as_tensors,
    mesh_of,
    others_as_header,
    others_as_tensors,
    others_of,
    types_of_others,
)

FORMAT = "geoinv-inversion"
FORMAT_VERSION = 1
TUNED_FORMAT_VERSION = 2
"""Version of files with a tuned generator, which readers of version 1 would render with the wrong one."""
DETAILED_FORMAT_VERSION = 3
"""Version of files with a photo's details, which earlier readers would leave out."""
GROUP_FORMAT_VERSION = 4
"""Version of files of several photos, of which earlier readers would show the first alone."""
ON_MESH_FORMAT_VERSION = 5
"""Version of files of heads on the head mesh, whose shape and light earlier readers would leave out."""

SUFFIX = ".geoinv"

_CHANGED = {"photo_light": torch.float32, "photo_codes": torch.float32}  # of the photo, where they are others now
_TUNING = "tuning."  # before the names of a tuned generator's tensors
_REDO = "make it again with `geoinv invert PHOTO`"
_MAKE = "make one with `geoinv invert PHOTO`"


@dataclass(frozen=True)
class BranchFile:
    """A local branch that does not lie beside its generator.

    Args:
        path: Its file.
        sha256: Hash of the file; details mean nothing to any other.
    """

    path: str
    sha256: str


@dataclass(frozen=True, eq=False)
class Inversion:
    """A head in a generator's latent space, with the camera and the photo it came from.

    Args:
        w_plus: [1, num_ws, w_dim] float32 on the CPU, one code per layer of the generator.
        camera: [6] yaw, pitch, roll in radians and shift in world units (see :class:`geoinv.CameraPose`), of the
            aligned photo.
        photo: [512, 512, 3] uint8, the aligned photo.
        crop: [2, 3] affine map from pixels of the photo to pixels of the aligned photo.
        source: File name of the photo, without its folder.
        source_size: Width and height of the photo in pixels.
        removed_roll_deg: The roll that alignment took out of the photo; add it to the camera's for the photo's own.
        generator: Name of the generator.
        generator_sha256: Hash of the generator's weights; a code means nothing to any other.
        metrics: Metrics of the inversion by name (``psnr_db``, ...).
        edits: Strengths of the edits that are already in ``w_plus``, by name.
        method: ``encoder``, ``hybrid``, ``optimise`` or ``pti``; ``group`` of several photos of one person.
        steps: Number of optimisation steps.
        tuning: Float16 differences of the generator's tensors by name; the generator renders with these added.
        details: Details that the photo shows beyond the code, or None.
        branch: The local branch that they are for; None for the one that lies beside the generator.
        others: More photos of the same person, whose first one decides expression, light and view.
        seed: Seed of the run.
        version: Version of geoinv that made it.
        on_mesh: Shape and light of a head on the head mesh, on the CPU; None for generators without one.
        photo_light: [1, 9, 3] the photo's own light, where the head is shown under another.
        photo_codes: [1, S] the shape code of the photo, where the head is edited: movements end at the full one, so
            what edits added does not tell where they began.
        around: [384, 384, 3] uint8, the photo around the crop, for heads with its details; None where no more is known.
    """

    w_plus: Tensor
    camera: Tensor
    photo: NDArray[Any]
    crop: NDArray[Any]
    source: str
    source_size: tuple[int, int]
    generator: str
    generator_sha256: str
    removed_roll_deg: float = 0.0
    metrics: dict[str, float] = field(default_factory=dict)
    edits: dict[str, float] = field(default_factory=dict)
    method: str = "encoder"
    steps: int = 0
    tuning: dict[str, Tensor] = field(default_factory=dict)
    details: PhotoDetails | None = None
    branch: BranchFile | None = None
    others: tuple[OtherPhoto, ...] = ()
    seed: int = 0
    version: str = __version__
    on_mesh: OnMesh | None = None
    photo_light: Tensor | None = None
    photo_codes: Tensor | None = None
    around: NDArray[Any] | None = None

    def __post_init__(self) -> None:
        if self.w_plus.ndim != 3 or self.w_plus.shape[0] != 1:
            raise ShapeError(f"w_plus must be [1, num_ws, w_dim], got {list(self.w_plus.shape)}")
        if tuple(self.camera.shape) != (6,):
            raise ShapeError(f"camera must be [6], got {list(self.camera.shape)}")
        if self.photo.shape != (CROP_SIZE, CROP_SIZE, 3) or self.photo.dtype != np.uint8:
            raise ShapeError(f"photo must be uint8 [{CROP_SIZE}, {CROP_SIZE}, 3], got {list(self.photo.shape)}")
        if self.around is not None and self.around.shape != (AROUND_SIZE, AROUND_SIZE, 3):
            raise ShapeError(f"around must be [{AROUND_SIZE}, {AROUND_SIZE}, 3], got {list(self.around.shape)}")
        if self.crop.shape != (2, 3):
            raise ShapeError(f"crop must be [2, 3], got {list(self.crop.shape)}")
        own = None if self.on_mesh is None else self.on_mesh.codes.as_vector().shape
        if self.photo_codes is not None and self.photo_codes.shape != own:
            raise ShapeError(f"photo_codes must be as the codes on the mesh, {own}, got {list(self.photo_codes.shape)}")
        for other in self.others:
            if other.w_plus.shape != self.w_plus.shape or (other.details is None) != (self.details is None):
                raise ShapeError(f"the photos {self.source} and {other.source} have other codes, or details of one")

    @property
    def pose(self) -> CameraPose:
        """The camera of the aligned photo, batch size 1."""
        return CameraPose.from_vector(self.camera[None])

    @property
    def angles_deg(self) -> tuple[float, float, float]:
        """Yaw, pitch and roll of the camera in the photo as it was taken, in degrees.

        Yaw is positive where the face turns to image left, pitch where it is seen from above, roll where the head
        leans counter-clockwise. The roll that alignment removed is added back.
        """
        yaw, pitch, roll = (float(angle) for angle in torch.rad2deg(self.camera[:3]))
        return yaw, pitch, roll + self.removed_roll_deg

    @property
    def inside(self) -> NDArray[np.bool_]:
        """[512, 512] which pixels of the aligned photo show the photo; the others are padding, which shows nothing."""
        from ..align.crop import inside_photo  # here, because it loads OpenCV

        return inside_photo(self.crop, self.source_size, CROP_SIZE)

    @property
    def outside_fraction(self) -> float:
        """Fraction of the aligned photo that lies outside of the photo, 0 to 1."""
        return 1.0 - float(self.inside.mean())

    def edited(self, w_plus: Tensor, edits: dict[str, float], on_mesh: OnMesh | None = None) -> Inversion:
        """Inversion of the same photo and camera with another code, and another shape and light where it is on the
        mesh; ``edits`` are added to those already made."""
        total = dict(self.edits)
        for name, strength in edits.items():
            total[name] = total.get(name, 0.0) + strength
        codes = self.photo_codes
        if codes is None and on_mesh is not None and self.on_mesh is not None:
            codes = self.on_mesh.codes.as_vector()
        w_plus = w_plus.detach().float().cpu()
        return replace(self, w_plus=w_plus, edits=total, on_mesh=on_mesh or self.on_mesh, photo_codes=codes)

    @property
    def _format_version(self) -> int:
        if self.on_mesh is not None:
            return ON_MESH_FORMAT_VERSION
        if self.others:
            return GROUP_FORMAT_VERSION
        if self.details is not None:
            return DETAILED_FORMAT_VERSION
        return TUNED_FORMAT_VERSION if self.tuning else FORMAT_VERSION

    def to_bytes(self) -> bytes:
        """The contents of a ``.geoinv`` file; equal inversions give equal bytes."""
        from safetensors.torch import save

        header = {
            "format": FORMAT,
            "format_version": self._format_version,
            "geoinv_version": self.version,
            "source": self.source,
            "source_size": list(self.source_size),
            "generator": self.generator,
            "generator_sha256": self.generator_sha256,
            "removed_roll_deg": self.removed_roll_deg,
            "metrics": self.metrics,
            "edits": self.edits,
            "method": self.method,
            "steps": self.steps,
            "seed": self.seed,
        }
        if self.branch is not None:
            header["branch"] = asdict(self.branch)
        if self.others:
            header["others"] = others_as_header(self.others)
        tensors = {
            "w_plus": self.w_plus.detach().float().cpu().contiguous(),
            "camera": self.camera.detach().float().cpu().contiguous(),
            "photo": torch.from_numpy(np.ascontiguousarray(self.photo)),
            "crop": torch.from_numpy(np.ascontiguousarray(self.crop, dtype=np.float64)),
            **{_TUNING + name: value.to(torch.float16).cpu().contiguous() for name, value in self.tuning.items()},
            **others_as_tensors(self.others),
        }
        if self.details is not None:
            tensors |= {name: getattr(self.details, name).half().cpu().contiguous() for name in DETAIL_TYPES}
        if self.on_mesh is not None:
            tensors |= mesh_as_tensors(self.on_mesh)
        changed = {name: getattr(self, name) for name in _CHANGED}
        tensors |= {n: part.detach().float().cpu().contiguous() for n, part in changed.items() if part is not None}
        if self.around is not None:
            tensors["around"] = torch.from_numpy(np.ascontiguousarray(self.around))
        return save(tensors, metadata={"geoinv": json.dumps(header, sort_keys=True)})

    def save(self, path: str | Path) -> Path:
        """Write a ``.geoinv`` file, whole or not at all, replacing an older one; returns its path."""
        path = Path(path)
        contents = self.to_bytes()
        with atomic_path(path) as temporary:
            temporary.write_bytes(contents)
        return path

    @classmethod
    def load(cls, path: str | Path) -> Inversion:
        """Read a ``.geoinv`` file.

        Raises:
            UsageError: No such file.
            CheckpointError: Cut, damaged, or not an inversion.
        """
        path = Path(path)
        if not path.is_file():
            what = "is a folder" if path.is_dir() else "no such file"
            raise UsageError(f"{what}: {path}", f"give a {SUFFIX} file made by `geoinv invert PHOTO`")
        tensors, header = _read(path)
        _check(path, tensors, header)
        try:
            return cls(
                w_plus=tensors["w_plus"],
                camera=tensors["camera"],
                photo=tensors["photo"].numpy(),
                crop=tensors["crop"].numpy(),
                source=str(header["source"]),
                source_size=(int(header["source_size"][0]), int(header["source_size"][1])),
                generator=str(header["generator"]),
                generator_sha256=str(header["generator_sha256"]),
                removed_roll_deg=float(header["removed_roll_deg"]),
                metrics={str(name): float(value) for name, value in header["metrics"].items()},
                edits={str(name): float(value) for name, value in header["edits"].items()},
                method=str(header.get("method", "encoder")),
                steps=int(header.get("steps", 0)),
                tuning={name[len(_TUNING) :]: value for name, value in tensors.items() if name.startswith(_TUNING)},
                details=PhotoDetails(**{n: tensors[n] for n in DETAIL_TYPES}) if "residual" in tensors else None,
                branch=_branch_of(header),
                others=others_of(header.get("others", ()), tensors),
                seed=int(header["seed"]),
                version=str(header["geoinv_version"]),
                on_mesh=mesh_of(tensors),
                photo_light=tensors.get("photo_light"),
                photo_codes=tensors.get("photo_codes"),
                around=tensors["around"].numpy() if "around" in tensors else None,
            )
        except (ShapeError, LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
            raise CheckpointError(f"{path} is damaged ({error})", _REDO) from error


def _branch_of(header: dict[str, Any]) -> BranchFile | None:
    branch = header.get("branch")
    return None if branch is None else BranchFile(str(branch["path"]), str(branch["sha256"]))


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and header of a file that claims to be an inversion."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        contents = path.read_bytes()  # safetensors opens no file whose name is not UTF-8
        every_tensor = load(contents)
        metadata = _metadata(contents)
        if "geoinv" not in metadata:
            raise CheckpointError(f"{path} is not a geoinv inversion", _REDO)
        header = json.loads(metadata["geoinv"])
    except SafetensorError as error:
        if path.suffix.lower() == SUFFIX:
            raise CheckpointError(f"{path} is cut or damaged", _REDO) from error
        hint = f"to make one: `geoinv invert {path}`" if path.suffix.lower() in IMAGE_SUFFIXES else _MAKE
        raise CheckpointError(f"{path} is not a geoinv inversion", hint) from error
    except (json.JSONDecodeError, RecursionError) as error:
        raise CheckpointError(f"{path} is damaged (its header is not JSON)", _REDO) from error
    except OSError as error:
        raise CheckpointError(
            f"cannot read {path}: {error.strerror or error}", "check the file's permissions"
        ) from error
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise CheckpointError(f"{path} is not a geoinv inversion", _REDO)
    known = {**PHOTO_TYPES, **DETAIL_TYPES, **MESH_TYPES, **_CHANGED, **AROUND_TYPES}
    families = (_TUNING, PREFIX)
    tensors = {name: value for name, value in every_tensor.items() if name in known or name.startswith(families)}
    return tensors, header


def _metadata(contents: bytes) -> dict[str, str]:
    """The text entries of a safetensors file that was found to be whole: its header is JSON, its length comes first."""
    length = int.from_bytes(contents[:8], "little")
    return dict(json.loads(contents[8 : 8 + length]).get("__metadata__") or {})


def _check(path: Path, tensors: dict[str, Tensor], header: dict[str, Any]) -> None:
    """Check format, names, types and finite numbers; the dataclass checks shapes."""
    version = header.get("format_version")
    known = (
        FORMAT_VERSION,
        TUNED_FORMAT_VERSION,
        DETAILED_FORMAT_VERSION,
        GROUP_FORMAT_VERSION,
        ON_MESH_FORMAT_VERSION,
    )
    if version not in known:
        raise CheckpointError(
            f"{path} has format {version}, this geoinv reads {ON_MESH_FORMAT_VERSION}",
            "use the geoinv that made it, or make it again",
        )
    tuning = {name: torch.float16 for name in tensors if name.startswith(_TUNING)}
    is_on_mesh = version == ON_MESH_FORMAT_VERSION
    is_group = version == GROUP_FORMAT_VERSION or (is_on_mesh and bool(header.get("others")))
    has_details = version == DETAILED_FORMAT_VERSION or ((is_group or is_on_mesh) and "residual" in tensors)
    wanted = PHOTO_TYPES | tuning | (DETAIL_TYPES if has_details else {}) | (MESH_TYPES if is_on_mesh else {})
    wanted |= AROUND_TYPES if "around" in tensors else {}
    wanted |= {name: dtype for name, dtype in _CHANGED.items() if is_on_mesh and name in tensors}
    if is_group:
        has_around = PREFIX + "around" in tensors
        wanted |= types_of_others(has_details=has_details, is_on_mesh=is_on_mesh, has_around=has_around)
    for name, dtype in wanted.items():
        if name not in tensors:
            raise CheckpointError(f"{path} is damaged (no {name})", _REDO)
        if tensors[name].dtype != dtype:
            raise CheckpointError(f"{path} is damaged ({name} is {tensors[name].dtype})", _REDO)
        if dtype.is_floating_point and not bool(torch.isfinite(tensors[name]).all()):
            raise CheckpointError(f"{path} is damaged ({name} is not finite)", _REDO)
