"""Solids for 3D printers: one manifold piece with a flat base, in millimetres, with what is too thin to print named.

Printers count z upwards, so heads are turned: x to the person's left, z up, the face to -y. Boolean operations are
those of the package manifold3d, whose results are manifold by construction.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape, quoteattr

import numpy as np
from numpy.typing import NDArray

from ..conventions import MM_PER_UNIT
from ..errors import GeoinvError, MissingDependencyError, UsageError
from ..files import atomic_path
from .export import colours_of

if TYPE_CHECKING:
    import manifold3d
    import trimesh

MIN_HEIGHT_MM, MAX_HEIGHT_MM = 20.0, 400.0
DEFAULT_HEIGHT_MM = 60.0
MIN_WALL_MM = 1.0
"""Thinnest wall that usual printers and resins hold."""

BASE_Y = -0.45
"""Height in world units where busts are cut flat: below the collar, above the end of the box."""

PRINT_SUFFIXES = (".stl", ".3mf")

_UPRIGHT = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])  # from y up, face to +z
_VOXELS_A_WALL = 5
_VOXELS_HIGH = 300  # at most
_FINER = 4  # by which outlines are drawn finer than voxels, as OpenCV fills their edges too
_STEP = 1.0e-3  # parts of the height, for slices that touch neither end


@dataclass(frozen=True, eq=False)
class ColouredMesh:
    """A closed triangle mesh with a colour for each vertex.

    Args:
        vertices: [V, 3].
        faces: [F, 3] counter-clockwise from outside.
        colours: [V, 3] uint8 sRGB.
    """

    vertices: NDArray[np.float32]
    faces: NDArray[np.int64]
    colours: NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class PrintedSolid:
    """One manifold solid on its base.

    Args:
        mesh: In millimetres, z up, the base at z = 0, the face to -y.
        volume_mm3: What it takes of material.
        thin_fraction: Part of the volume that is thinner than ``MIN_WALL_MM``.
    """

    mesh: ColouredMesh
    volume_mm3: float
    thin_fraction: float

    @property
    def size_mm(self) -> tuple[float, float, float]:
        """Width, depth and height."""
        width, depth, height = np.ptp(self.mesh.vertices, axis=0).round(2).tolist()
        return width, depth, height


def check_printing() -> None:
    """Refuse where the package that printing needs is missing.

    Raises:
        MissingDependencyError: manifold3d is not installed.
    """
    _manifold3d()


def printed_solid(meshes: Sequence[ColouredMesh], *, base_y: float, height_mm: float) -> PrintedSolid:
    """Unite closed meshes, cut them flat at the base, and scale what is left to a height.

    Args:
        meshes: Closed meshes in world units, y up, the face to +z; they may overlap.
        base_y: Height of the base.
        height_mm: Height from base to top.

    Raises:
        UsageError: A height that no printer takes.
        MissingDependencyError: manifold3d is not installed.
        GeoinvError: A mesh that is not closed, or nothing above the base.
    """
    if not MIN_HEIGHT_MM <= height_mm <= MAX_HEIGHT_MM:
        raise UsageError(
            f"a print of {height_mm:g} mm is not made", f"give a height of {MIN_HEIGHT_MM:g} to {MAX_HEIGHT_MM:g} mm"
        )
    package = _manifold3d()
    whole = package.Manifold()
    for mesh in meshes:
        whole += _manifold(mesh)
    whole = whole.trim_by_plane((0.0, 1.0, 0.0), base_y)
    whole = max(whole.decompose(), key=lambda piece: piece.volume(), default=whole)
    if whole.is_empty():
        raise GeoinvError("nothing is left to print above the base", "the inversion is broken; try another photo")
    box = whole.bounding_box()
    scale = height_mm / (box[4] - base_y)
    to_printer = np.concatenate([scale * _UPRIGHT, [[0.0], [0.0], [-scale * base_y]]], axis=1)
    whole = whole.transform(to_printer)
    return PrintedSolid(_mesh_of(whole), float(whole.volume()), _thin_fraction(whole, height_mm))


def solid_of_mesh(mesh: trimesh.Trimesh, height_mm: float) -> PrintedSolid:
    """A head's mesh in millimetres (see :func:`.extract.extract_mesh`) as a print of another height.

    Raises:
        UsageError: A height that no printer takes.
        MissingDependencyError: manifold3d is not installed.
        GeoinvError: Nothing lies above the base.
    """
    vertices = np.asarray(mesh.vertices, np.float32) / np.float32(MM_PER_UNIT)
    closed = ColouredMesh(vertices, np.asarray(mesh.faces, np.int64), colours_of(mesh))
    lowest, highest = vertices[:, 1].min(), vertices[:, 1].max()
    base = max(BASE_Y, float(lowest + 0.02 * (highest - lowest)))  # a little above what is lowest, to be flat
    return printed_solid([closed], base_y=base, height_mm=height_mm)


def stl_bytes(mesh: ColouredMesh) -> bytes:
    """A mesh as binary STL, which holds neither colours nor a unit; readers take millimetres."""
    corners = mesh.vertices[mesh.faces].astype("<f4")
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    records = np.zeros(len(corners), dtype=[("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
    records["normal"], records["corners"] = normals, corners
    return b"geoinv: millimetres, z up".ljust(80) + np.uint32(len(corners)).tobytes() + records.tobytes()


def three_mf_bytes(mesh: ColouredMesh, facts: dict[str, str]) -> bytes:
    """A mesh as 3MF in millimetres, with a colour for each vertex (3MF core and materials extension).

    Args:
        mesh: The mesh.
        facts: Metadata: ``Title``, ``Application``, ``LicenseTerms`` and others that 3MF knows.
    """
    colours, number = np.unique(mesh.colours, axis=0, return_inverse=True)
    of_faces = number.reshape(-1)[mesh.faces]
    text = io.StringIO()
    text.write(_MODEL_HEAD)
    for name, value in facts.items():
        text.write(f"<metadata name={quoteattr(name)}>{escape(value)}</metadata>")
    text.write('<resources><m:colorgroup id="1">')
    text.writelines(f'<m:color color="#{r:02X}{g:02X}{b:02X}"/>' for r, g, b in colours.tolist())
    text.write('</m:colorgroup><object id="2" type="model" pid="1" pindex="0"><mesh><vertices>')
    text.writelines(f'<vertex x="{x:.4f}" y="{y:.4f}" z="{z:.4f}"/>' for x, y, z in mesh.vertices.tolist())
    text.write("</vertices><triangles>")
    text.writelines(
        f'<triangle v1="{a}" v2="{b}" v3="{c}" pid="1" p1="{p}" p2="{q}" p3="{r}"/>'
        for (a, b, c), (p, q, r) in zip(mesh.faces.tolist(), of_faces.tolist(), strict=True)
    )
    text.write('</triangles></mesh></object></resources><build><item objectid="2"/></build></model>')
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as package:
        for name, content in (
            ("[Content_Types].xml", _CONTENT_TYPES),
            ("_rels/.rels", _RELATIONS),
            ("3D/3dmodel.model", text.getvalue()),
        ):
            # the same mesh gives the same bytes, so that no clock is asked
            package.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content, zipfile.ZIP_DEFLATED)
    return file.getvalue()


def check_print_suffix(path: Path) -> str:
    """The lower-case suffix; ``UsageError`` unless prints are written so."""
    suffix = path.suffix.lower()
    if suffix not in PRINT_SUFFIXES:
        raise UsageError(f"cannot write a print to {path}", f"give a path ending in {' or '.join(PRINT_SUFFIXES)}")
    return suffix


def write_print(path: Path, solid: PrintedSolid, facts: dict[str, str]) -> None:
    """Write a solid, whole or not at all: .3mf with colours and ``facts``, .stl without.

    Raises:
        UsageError: Another suffix.
    """
    is_stl = check_print_suffix(path) == ".stl"
    data = stl_bytes(solid.mesh) if is_stl else three_mf_bytes(solid.mesh, facts)
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def _manifold3d() -> Any:
    try:
        import manifold3d
    except ImportError as error:
        raise MissingDependencyError("prints need the package manifold3d", "pip install 'geoinv[print]'") from error
    return manifold3d


def _manifold(mesh: ColouredMesh) -> manifold3d.Manifold:
    package = _manifold3d()
    properties = np.concatenate([mesh.vertices, mesh.colours / 255.0], axis=1).astype(np.float32)
    solid = package.Manifold(package.Mesh(properties, mesh.faces.astype(np.uint32)))
    if solid.status() != package.Error.NoError:
        raise GeoinvError(f"a part of the head is not closed ({solid.status()})", "report this as a bug")
    return -solid if solid.volume() < 0.0 else solid


def _mesh_of(solid: manifold3d.Manifold) -> ColouredMesh:
    """Vertices and colours of a solid; one vertex for each place, as colours do not differ about it."""
    mesh = solid.to_mesh()
    properties, faces = np.asarray(mesh.vert_properties), np.asarray(mesh.tri_verts).astype(np.int64)
    onto = np.arange(len(properties))
    onto[np.asarray(mesh.merge_from_vert, np.int64)] = np.asarray(mesh.merge_to_vert, np.int64)
    used, renumbered = np.unique(onto[faces], return_inverse=True)
    colours = np.rint(255.0 * properties[used, 3:6].clip(0.0, 1.0)).astype(np.uint8)
    return ColouredMesh(properties[used, :3].astype(np.float32), renumbered.reshape(-1, 3).astype(np.int64), colours)


def _thin_fraction(solid: manifold3d.Manifold, height_mm: float) -> float:
    """Part of the volume that no ball of the least wall's width fits into, on a grid of voxels."""
    from scipy import ndimage

    pitch = max(MIN_WALL_MM / _VOXELS_A_WALL, height_mm / _VOXELS_HIGH)
    filled = np.pad(_voxels(solid, pitch, height_mm), 1)
    filled[:, :, 0] = filled[:, :, 1]  # the base stands on the printer's bed
    radius = 0.5 * MIN_WALL_MM / pitch
    core = ndimage.distance_transform_edt(filled) >= radius
    reached = ndimage.distance_transform_edt(~core) <= radius + 0.5
    return float((filled & ~reached).sum() / max(filled.sum(), 1))


def _voxels(solid: manifold3d.Manifold, pitch: float, height_mm: float) -> NDArray[np.bool_]:
    """[nx, ny, nz] which voxels the solid fills, slice by slice."""
    import cv2

    low, high = np.asarray(solid.bounding_box()).reshape(2, 3)
    columns, rows = (int(np.ceil((high - low)[axis] / pitch)) + 2 for axis in (0, 1))
    heights = np.arange(0.5 * pitch, height_mm * (1.0 - _STEP), pitch)
    filled = np.zeros((columns, rows, len(heights)), bool)
    for number, height in enumerate(heights):
        picture = np.zeros((rows * _FINER, columns * _FINER), np.uint8)
        outlines = [
            np.rint(16.0 * _FINER * ((np.asarray(outline)[:, :2] - low[:2]) / pitch + 0.5)).astype(np.int32)
            for outline in solid.slice(float(height)).to_polygons()
        ]
        if outlines:
            cv2.fillPoly(picture, outlines, 1, cv2.LINE_8, 4)
        filled[:, :, number] = picture[_FINER // 2 :: _FINER, _FINER // 2 :: _FINER].T
    return filled


_MODEL_HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<model unit="millimeter" xml:lang="en-US" '
    'xmlns="http://schemas.microsoft.com/3dmanufacturing/core/2015/02" '
    'xmlns:m="http://schemas.microsoft.com/3dmanufacturing/material/2015/02">'
)
_CONTENT_TYPES = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="model" ContentType="application/vnd.ms-package.3dmanufacturing-3dmodel+xml"/></Types>'
)
_RELATIONS = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    '<Relationship Target="/3D/3dmodel.model" Id="rel0" '
    'Type="http://schemas.microsoft.com/3dmanufacturing/2013/01/3dmodel"/></Relationships>'
)
