"""Named directions in the latent space of one generator, kept as one safetensors file beside it."""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from torch import Tensor

from ..errors import CheckpointError, MissingDirectionsError, ShapeError, UsageError
from ..files import atomic_path
from ..models.on_mesh import OnMesh
from ..shape import HeadCodes

FORMAT = "geoinv directions 1"
ON_MESH_FORMAT = "geoinv directions 2"
"""Format of files whose directions move shape and light on the head mesh, which earlier readers would leave out."""

_SHAPE, _LIGHT = "/shape", "/light"  # after the name of a direction


@dataclass(frozen=True)
class Directions:
    """The named edits of a generator's heads.

    Args:
        vectors: Name -> [num_ws, w_dim]: adding it once to w_plus makes an edit that everybody sees.
        descriptions: Name -> what strength +1 does, for people.
        generator_sha256: Hash of the generator's file.
        moves: Name -> what it adds to shape code and light, batch size 1, of generators on the head mesh.
    """

    vectors: Mapping[str, Tensor]
    descriptions: Mapping[str, str]
    generator_sha256: str
    moves: Mapping[str, OnMesh] = field(default_factory=dict)

    def __post_init__(self) -> None:
        shapes = {tuple(vector.shape) for vector in self.vectors.values()}
        if len(shapes) > 1 or any(len(shape) != 2 for shape in shapes):
            raise ValueError(f"directions must have one shape [num_ws, w_dim], got {sorted(shapes)}")

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the directions, in alphabetical order."""
        return tuple(sorted(self.vectors))

    def name_of(self, attribute: str) -> str:
        """The direction's name for an attribute that may be written with spaces or hyphens and in any case.

        Raises:
            UsageError: There is none; the hint names near ones.
        """
        known = {plain_name(own): own for own in self.vectors}
        plain = plain_name(attribute)
        if plain in known:
            return known[plain]
        near = [known[match] for match in difflib.get_close_matches(plain, known, n=3, cutoff=0.5)]
        hint = f"did you mean {' or '.join(near)}? (geoinv edit --list shows all)" if near else ""
        raise UsageError(f"unknown attribute {attribute!r}", hint or f"there are: {', '.join(self.names)}")


def directions_path(model: str | os.PathLike[str]) -> Path:
    """Path of a generator's directions: beside it, see :func:`geoinv.checkpoints.model_files.model_file`."""
    from ..checkpoints.model_files import model_file

    return model_file(os.fspath(model), "directions")


def load_directions(model: str | os.PathLike[str] = "mini", *, generator_sha256: str | None = None) -> Directions:
    """The directions of a generator.

    Args:
        model: Name of a shipped model, or a generator's path (see :func:`directions_path`).
        generator_sha256: Hash of the generator in use; directions of another one are refused.

    Raises:
        MissingDirectionsError: No such file, or one of another generator.
        CheckpointError: A damaged file.
    """
    path = directions_path(model)
    if not path.is_file():
        raise MissingDirectionsError(
            f"no edit directions for {os.fspath(model)}: {path} is missing", "make them: geoinv train directions"
        )
    directions = read_directions(path)
    if generator_sha256 is not None and directions.generator_sha256 != generator_sha256:
        raise MissingDirectionsError(
            f"{path} belongs to another generator ({directions.generator_sha256[:12]}, not {generator_sha256[:12]})",
            "make them anew: geoinv train directions",
        )
    return directions


def read_directions(path: Path) -> Directions:
    """The directions of one file.

    Raises:
        CheckpointError: Not a directions file, or a damaged one.
    """
    from safetensors import SafetensorError, safe_open

    from ..checkpoints.model_format import read_header

    header = read_header(path)
    if header.get("format") not in (FORMAT, ON_MESH_FORMAT):
        raise CheckpointError(f"{path} is not a file of edit directions", "geoinv train directions makes one")
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
        if not all(tensor.isfinite().all() for tensor in tensors.values()):
            raise ValueError("it holds numbers that are not finite")
        vectors = {name: tensor for name, tensor in tensors.items() if not name.endswith((_SHAPE, _LIGHT))}
        moves = {}
        if header["format"] == ON_MESH_FORMAT:
            moves = {
                name: OnMesh(HeadCodes.from_vector(tensors[name + _SHAPE]), tensors[name + _LIGHT]) for name in vectors
            }
        return Directions(vectors, dict(header["descriptions"]), str(header["generator_sha256"]), moves)
    except (OSError, KeyError, TypeError, ValueError, ShapeError, SafetensorError) as error:
        raise CheckpointError(
            f"cannot read the edit directions {path}: {error}", "make them anew: geoinv train directions"
        ) from error


def save_directions(path: Path, directions: Directions) -> None:
    """Write a directions file, whole or not at all."""
    from safetensors.torch import save

    header = {
        "format": ON_MESH_FORMAT if directions.moves else FORMAT,
        "generator_sha256": directions.generator_sha256,
        "descriptions": dict(directions.descriptions),
    }
    # One entry: safetensors does not keep the order of several, and equal directions shall give equal bytes.
    metadata = {"geoinv": json.dumps(header, sort_keys=True)}
    tensors = {name: directions.vectors[name] for name in directions.names}
    for name, move in directions.moves.items():
        tensors |= {name + _SHAPE: move.codes.as_vector(), name + _LIGHT: move.light}
    tensors = {name: tensor.detach().cpu().float().contiguous() for name, tensor in tensors.items()}
    with atomic_path(path) as temporary:
        temporary.write_bytes(save(tensors, metadata=metadata))


def check_direction_is_new(path: Path, name: str, generator_sha256: str, *, overwrite: bool) -> None:
    """Refuse to replace a direction that is there, before the work of finding another.

    Raises:
        UsageError: The file has a direction of that name.
        CheckpointError: The file is damaged, or of another generator.
    """
    known = _directions_to_join(path, generator_sha256)
    if plain_name(name) in known.vectors and not overwrite:
        raise UsageError(
            f"{path} has a direction {plain_name(name)}", "give --overwrite to replace it, or another --out"
        )


def add_direction(path: Path, name: str, vector: Tensor, description: str, *, generator_sha256: str) -> str:
    """Put a direction among those of a file, which is made if needed; returns its name there.

    Args:
        path: The directions' file.
        name: Name of the direction, which the file has with hyphens.
        vector: [num_ws, w_dim], the direction.
        description: Effect of strength +1, for people.
        generator_sha256: Hash of the generator's file.

    Raises:
        CheckpointError: The file is damaged, or of another generator.
    """
    known, plain = _directions_to_join(path, generator_sha256), plain_name(name)
    vectors = {**known.vectors, plain: vector}
    save_directions(path, replace(known, vectors=vectors, descriptions={**known.descriptions, plain: description}))
    return plain


def plain_name(name: str) -> str:
    """A name as files have it: small letters, hyphens between words."""
    return name.strip().lower().replace("_", "-").replace(" ", "-")


def _directions_to_join(path: Path, generator_sha256: str) -> Directions:
    if not path.is_file():
        return Directions({}, {}, generator_sha256)
    known = read_directions(path)
    if known.generator_sha256 != generator_sha256:
        raise CheckpointError(
            f"{path} belongs to another generator ({known.generator_sha256[:12]}, not {generator_sha256[:12]})",
            "give another --out, or move it away",
        )
    return known
