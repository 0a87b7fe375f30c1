"""A head at rest as one solid for a printer: skin, eyes, a filled mouth, and hair down to the scalp, united."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..inversion.aligned_photo import check_same_photo
from ..mesh.head_mesh import edges_of
from ..mesh.printing import BASE_Y, DEFAULT_HEIGHT_MM, ColouredMesh, PrintedSolid, check_printing, printed_solid
from .avatar import check_scale
from .hair import hair_solid
from .parts import LEFT_EYE, RIGHT_EYE, SKIN, AvatarPart, FloatArray, IntArray, avatar_parts
from .template import FittedTemplate, fit_template
from .texture import AvatarTextures, bake_textures, view_of_photo

if TYPE_CHECKING:
    from ..align import FaceAligner
    from ..checkpoints.store import ModelInfo
    from ..heads import Head
    from ..inversion import Inversion

_TEXTURE = 1024
_SPLITS = 2  # each triangle of the skin becomes four, twice, so that vertices hold what the texture shows
_INNER_PARTS = ("upper-teeth", "lower-teeth", "tongue")


def make_bust(
    inversion: Inversion,
    head: Head,
    aligner: FaceAligner,
    generator: ModelInfo,
    *,
    height_mm: float = DEFAULT_HEIGHT_MM,
    has_hair: bool = True,
    photo: NDArray[np.uint8] | None = None,
) -> PrintedSolid:
    """The solid of an inversion.

    Args:
        inversion: Result of inverting a photo.
        head: Its head.
        aligner: Face detector with MediaPipe's 468 points.
        generator: The generator that the head is shown with.
        height_mm: Height from base to top.
        has_hair: Whether hair and clothes are part of it.
        photo: [H, W, 3] the photo that was inverted, at its full resolution, for the colours; or None.

    Raises:
        PhotoError: No face is found in the aligned photo, or ``photo`` is not the one that was inverted.
        UsageError: A height that no printer takes, or a head of another scale than the head mesh.
        MissingDependencyError: The package manifold3d is missing.
    """
    check_printing()
    check_scale(head, generator)
    if photo is not None:
        check_same_photo(photo, inversion)
    template = fit_template(inversion, head, aligner)
    textures = bake_textures(template, head, inversion, photo=photo, size=_TEXTURE)
    meshes = [_skin(template, textures), _mouth(template)]
    meshes += [_eye(part, textures.eyes) for part in avatar_parts(template) if part.name in (RIGHT_EYE, LEFT_EYE)]
    view = view_of_photo(inversion, template, None)
    if has_hair and (hair := hair_solid(template, head, view, textures.usual)) is not None:
        meshes.append(hair)
    return printed_solid(meshes, base_y=BASE_Y, height_mm=height_mm)


def _skin(template: FittedTemplate, textures: AvatarTextures) -> ColouredMesh:
    """The skin, closed at the shoulders, its colours from the texture."""
    model = template.model
    part = model.parts[SKIN]
    places = template.at_rest()[: part.vertices.stop].numpy()
    triangles = model.triangles[part.triangles].numpy()
    corners = (model.corner_triangles[part.triangles] - part.corners.start).numpy()
    uvs = textures.skin_uvs
    for _ in range(_SPLITS):
        places, triangles = _split(places, triangles)
        uvs, corners = _split(uvs, corners)
    colours = np.zeros((len(places), 3), np.uint8)
    colours[triangles.reshape(-1)] = _sampled(textures.skin, uvs)[corners.reshape(-1)]
    return ColouredMesh(*_capped(places, triangles, colours))


def _split(values: FloatArray, triangles: IntArray) -> tuple[FloatArray, IntArray]:
    """Values [V, C] with those between added, and each triangle as four."""
    edges = np.sort(edges_of(triangles), axis=1)
    unique, number = np.unique(edges, axis=0, return_inverse=True)
    ab, bc, ca = (len(values) + number.reshape(3, -1)).astype(np.int64)
    a, b, c = triangles.T
    four = np.stack([[a, ab, ca], [ab, b, bc], [ca, bc, c], [ab, bc, ca]])  # [4, 3, F]
    between = 0.5 * (values[unique[:, 0]] + values[unique[:, 1]])
    return np.concatenate([values, between]).astype(np.float32), four.transpose(2, 0, 1).reshape(-1, 3)


def _capped(
    places: FloatArray, triangles: IntArray, colours: NDArray[np.uint8]
) -> tuple[FloatArray, IntArray, NDArray[np.uint8]]:
    """The mesh closed by a fan over its one open edge, which lies below the base."""
    directed = edges_of(triangles)
    key = directed[:, 0] * len(places) + directed[:, 1]
    is_open = ~np.isin(directed[:, 1] * len(places) + directed[:, 0], key)
    start, end = directed[is_open].T
    middle = places[start].mean(axis=0, keepdims=True)
    fan = np.stack([end, start, np.full_like(start, len(places))], axis=1)
    colour = colours[start[:1]]
    return np.concatenate([places, middle]), np.concatenate([triangles, fan]), np.concatenate([colours, colour])


def _mouth(template: FittedTemplate) -> ColouredMesh:
    """What fills the mouth, where powder or resin would be caught: the hull of teeth and tongue."""
    places = template.at_rest().numpy()
    rows = np.concatenate([np.arange(*template.model.parts[name].vertices.indices(10**9)) for name in _INNER_PARTS])
    vertices, faces = _hull(places[rows])
    return ColouredMesh(vertices, faces, np.full((len(vertices), 3), (110, 50, 50), np.uint8))


def _eye(part: AvatarPart, texture: NDArray[np.uint8]) -> ColouredMesh:
    """An eyeball: the hull of its vertices, twice as fine, on their sphere."""
    centre = part.positions.mean(axis=0)
    values, triangles = np.concatenate([part.positions, part.uvs], axis=1), part.triangles
    for _ in range(_SPLITS):
        values, triangles = _split(values, triangles)
    places, uvs = values[:, :3], values[:, 3:]
    radius = np.linalg.norm(part.positions - centre, axis=1).mean()
    outward = places - centre
    places = centre + radius * outward / np.linalg.norm(outward, axis=1, keepdims=True)
    return ColouredMesh(*_capped(places.astype(np.float32), triangles, _sampled(texture, uvs)))


def _hull(points: FloatArray) -> tuple[FloatArray, IntArray]:
    """Convex hull of points [N, 3]: its vertices and faces, outward."""
    from scipy.spatial import ConvexHull

    hull = ConvexHull(points)
    faces = hull.simplices.astype(np.int64)
    corners = points[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    inward = (normals * hull.equations[:, :3]).sum(axis=1) < 0.0
    faces[inward] = faces[inward][:, ::-1]
    used, renumbered = np.unique(faces, return_inverse=True)
    return np.asarray(points[used], np.float32), np.asarray(renumbered.reshape(-1, 3), np.int64)


def _sampled(texture: NDArray[np.uint8], uvs: FloatArray) -> NDArray[np.uint8]:
    """Colours [N, 3] of a texture at places [N, 2] whose origin is at the lower left: of the nearest texel."""
    height, width = texture.shape[:2]
    column = (uvs[:, 0] * width).astype(int).clip(0, width - 1)
    row = ((1.0 - uvs[:, 1]) * height).astype(int).clip(0, height - 1)
    return np.asarray(texture[row, column])
