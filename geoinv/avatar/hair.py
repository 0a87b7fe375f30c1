"""Hair and clothes: what the head's volume has outside of the template, as a second mesh with its own colours.

The surface of the volume is cut where it comes near the template, in the face earlier than elsewhere, and its edge is
drawn under the skin so that no gap shows. What the photo did not see takes the colours of what it saw beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..conventions import BOX_LIMIT, MM_PER_UNIT
from ..mesh.extract import surface_colors
from ..mesh.head_mesh import averaged, compacted, edges_of, neighbours_of, pieces_of, vertex_normals
from ..mesh.printing import ColouredMesh
from ..mesh.simplify import fewer_faces, simplified
from .hair_surface import hair_surface, seen_by_photo
from .nearness import CLOSE, Nearness
from .parts import FloatArray, IntArray
from .template import FittedTemplate
from .texture import PhotoView
from .texture.regions import UsualColours
from .texture.surface_fields import smoothstep

if TYPE_CHECKING:
    from ..heads import Head

DEFAULT_TRIANGLES = 12_000

SOLID_TRIANGLES = 60_000

_MM = 1.0 / MM_PER_UNIT
_GAP_OF_SKIN = 16.0 * _MM  # the same of what has the colour of skin
_ROUNDS = 6  # of smoothing that colour: about three cells
_FIRM = 6.0 * _MM  # from the edge, beyond which depth counts no more: edges are smoothed as outlines, not as hills
_ROUNDS_OF_EDGE = 24  # of smoothing where hair ends: about twice that far
_LEAST_HOLE = 0.02  # world units squared: smaller holes, 27 cm2, are hair that lies close
_TUCKED_DEPTH, _TUCKED_OVER = 2.0 * _MM, 8.0 * _MM
_RISES_OVER = 2.5  # of its height, over which hair rises from its edge above the eyes
_ABOVE_EYES = (0.06, 0.12)  # y from below eyebrows to temples
_ENDS = (-0.38, -0.24)  # y below and above the lower edge of photos: what hangs there lies down on the body
_LEAST_AREA = 0.03  # world units squared of a piece: 40 cm2, as much as a stray piece of a collar has
_COARSE = 160.0  # pixels along the photo's view in which colours are read: about the mesh's step
_ABOVE_CLOTHES = (-0.26, -0.18)  # y, over which clothes end: ears and jaw are higher
_OTHER = (90.0, 130.0)  # distance from the hair's colour of what is none: ear-rings, and what is behind hair
_SEEN_HOLD, _SCALP_HOLD, _UNSEEN_HOLD = 20.0, 2e-2, 1e-4  # by which vertices keep colours against their neighbours


@dataclass(frozen=True, eq=False)
class Hair:
    """A mesh of V vertices, open where it meets the head.

    Args:
        positions: [V, 3] in world units, about the head at rest.
        normals: [V, 3] outward.
        triangles: [F, 3] counter-clockwise from outside.
        colours: [V, 3] sRGB in [0, 1].
        nearest: [V] vertex of the template whose joints move each vertex.
    """

    positions: FloatArray
    normals: FloatArray
    triangles: IntArray
    colours: FloatArray
    nearest: IntArray


def hair_of(
    template: FittedTemplate,
    head: Head,
    view: PhotoView,
    usual: UsualColours | None,
    *,
    triangles: int = DEFAULT_TRIANGLES,
) -> Hair | None:
    """Hair and clothes of a head; None where there is nothing outside of the template.

    Args:
        template: The template fitted to the head.
        head: The head.
        view: The aligned photo, of the template's camera.
        usual: Colours of the person's skin and hair, or None where they are not known.
        triangles: Number of triangles to reduce to, about.
    """
    near = Nearness(template)
    vertices, faces = hair_surface(near, template, head, view, usual)
    outside = _outside(near, head, view, vertices, faces, _laid_down(vertices, near.distance(vertices)), usual)
    vertices, faces = _kept(vertices, faces, outside)
    vertices, faces = _large_pieces(vertices, faces)
    if len(faces) == 0:
        return None
    if len(faces) > triangles:
        vertices, faces = reduced_surface(vertices, faces, triangles)
    fitted = _fitted(near, vertices, faces)
    colours = _colours(near, head, view, usual, vertices, faces, fitted)
    resting = fitted - near.expression(vertices)
    return Hair(resting, vertex_normals(resting, faces), faces, colours, near.nearest(vertices))


def hair_solid(
    template: FittedTemplate,
    head: Head,
    view: PhotoView,
    usual: UsualColours | None,
    *,
    triangles: int = SOLID_TRIANGLES,
) -> ColouredMesh | None:
    """Hair and clothes as one closed mesh about the head at rest; None where there are none.

    It is the whole surface of the volume, which beyond the hair lies under the skin. Arguments as of :func:`hair_of`.
    """
    near = Nearness(template)
    vertices, faces = hair_surface(near, template, head, view, usual)
    vertices, faces = simplified(vertices, faces, triangles)
    distance = near.distance(vertices)
    height = _laid_down(vertices, distance)
    outside = _outside(near, head, view, vertices, faces, height, usual)
    if not (outside > 0.0).any():
        return None
    # of the hair's own place, and the rest of the place under the skin; thin hair on scalps would cross the skin
    sure = smoothstep(outside, 0.0, _FIRM).astype(np.float32)
    is_end = outside <= 0.0
    on_scalp = averaged(near.scalp(vertices), faces, _ROUNDS) * _away_from(vertices[is_end], vertices)
    share = np.maximum(sure, on_scalp)
    rising = _rising(near.lifted(vertices, -distance), height, is_end)
    wanted = share * np.maximum(rising, CLOSE) - (1.0 - share) * _TUCKED_DEPTH
    fitted = near.lifted(vertices, wanted - distance)
    colours = _colours(near, head, view, usual, vertices, faces, fitted)
    return ColouredMesh(fitted - near.expression(vertices), faces, np.rint(255.0 * colours).astype(np.uint8))


def _outside(
    near: Nearness,
    head: Head,
    view: PhotoView,
    vertices: FloatArray,
    faces: IntArray,
    height: FloatArray,
    usual: UsualColours | None,
) -> FloatArray:
    """[V] how far the volume's surface is hair or clothes: above 0 where it is, beyond what is the template itself.

    Generators make ears and foreheads larger than they are: what looks like skin is none the farther out. The photo
    tells it where it saw the surface, also above the usual hairline: partings and receding hairlines are the
    skin's. Scalps that it did not see are left alone, as generators know the colour of hair no better than its shape.
    ``height`` [V] is that of the vertices over the skin.
    """
    gap = near.gap(vertices)
    unsure = np.flatnonzero((height > gap) & (height < _GAP_OF_SKIN))
    if usual is not None and usual.hairiness > 0.0 and len(unsure):
        normals = vertex_normals(vertices, faces)
        seen = seen_by_photo(view, vertices, normals)[unsure]
        of_photo, of_head = (
            usual.likeness_to_skin(colours)
            for colours in (
                _photo_colours(view, vertices[unsure]),
                surface_colors(head, vertices[unsure], normals[unsure]),
            )
        )
        likeness = np.zeros(len(vertices))
        likeness[unsure] = seen * of_photo + (1.0 - seen) * (1.0 - near.scalp(vertices)[unsure]) * of_head
        skin_like = averaged(likeness, faces, _ROUNDS).astype(np.float32)
        gap += skin_like * (np.float32(_GAP_OF_SKIN) - gap).clip(0.0)
    outside = averaged((height - gap).clip(-_FIRM, _FIRM), faces, _ROUNDS_OF_EDGE)
    return _without_holes(vertices, faces, outside)


def _laid_down(points: FloatArray, distance: FloatArray) -> FloatArray:
    """[N] heights over the skin that points [N, 3] at distances [N] should have: less towards hair's lower end."""
    return np.where(distance > 0.0, distance * smoothstep(points[:, 1], *_ENDS).astype(np.float32), distance)


def _photo_colours(view: PhotoView, points: FloatArray) -> FloatArray:
    """[N, 3] what the photo shows at points [N, 3], 0 to 255, as coarse as the mesh."""
    places = view.camera.project(torch.from_numpy(points)[None])[0][0].numpy()
    return np.asarray(view.source.shrunk_to(_COARSE).colours(places), np.float32)


def _fitted(near: Nearness, points: FloatArray, faces: IntArray) -> FloatArray:
    """[N, 3] the points above the skin, and those near the mesh's open edge drawn down to a little under it."""
    distance = near.distance(points)
    ends = _edge_vertices(faces)
    share = _away_from(points[ends], points)
    height = _rising(near.lifted(points, -distance), _laid_down(points, distance), ends)
    wanted = share * np.maximum(height, CLOSE) - (1.0 - share) * _TUCKED_DEPTH
    return near.lifted(points, wanted - distance)


def _rising(feet: FloatArray, height: FloatArray, ends: IntArray | NDArray[np.bool_]) -> FloatArray:
    """[N] heights [N] over places [N, 3] on the skin, less near those where hair ends, above the eyes.

    Generators' hair overhangs foreheads and temples: cut off there, it would stand out like the brim of a hat.
    """
    above_eyes = smoothstep(feet[:, 1], *_ABOVE_EYES).astype(np.float32)
    lower = height * _away_from(feet[ends], feet, np.maximum(_RISES_OVER * height, CLOSE))
    return np.where(height > 0.0, height + above_eyes * (lower - height), height)


def _away_from(ends: FloatArray, points: FloatArray, over: FloatArray | float = _TUCKED_OVER) -> FloatArray:
    """[N] from 0 where hair ends, [E, 3], to 1 ``over`` so far from there: how far points [N, 3] are."""
    from scipy.spatial import cKDTree

    if len(ends) == 0:
        return np.ones(len(points), np.float32)
    inner = 1.0 - (cKDTree(ends).query(points)[0] / over).clip(0.0, 1.0)
    return np.asarray(1.0 - inner * inner, np.float32)


def _kept(vertices: FloatArray, faces: IntArray, outside: FloatArray) -> tuple[FloatArray, IntArray]:
    """The part of a mesh with ``outside`` [V] above 0 and within the box; triangles are cut along its edge."""
    inside_box = np.abs(vertices).max(axis=1) < BOX_LIMIT
    is_out = (outside > 0.0) & inside_box
    count = is_out[faces].sum(axis=1)
    whole = faces[count == 3]
    crossing = faces[(count > 0) & (count < 3) & inside_box[faces].all(axis=1)]
    # turn each so that the odd one out comes first
    odd = np.where(is_out[crossing].sum(axis=1) == 1, 1, 0)[:, None] == is_out[crossing]
    first = odd.argmax(axis=1)
    a, b, c = (np.take_along_axis(crossing, ((first + k) % 3)[:, None], axis=1)[:, 0] for k in range(3))
    edges = np.concatenate([np.stack([a, b], axis=1), np.stack([a, c], axis=1)])
    unique, number = np.unique(np.sort(edges, axis=1), axis=0, return_inverse=True)
    low, high = outside[unique[:, 0]], outside[unique[:, 1]]
    part = (low / (low - high))[:, None]
    added = vertices[unique[:, 0]] * (1.0 - part) + vertices[unique[:, 1]] * part
    ab, ac = (len(vertices) + number.reshape(2, -1)).astype(np.int64)
    is_tip = is_out[a]
    tips = np.stack([a, ab, ac], axis=1)[is_tip]
    left, right = np.stack([ab, b, c], axis=1)[~is_tip], np.stack([ab, c, ac], axis=1)[~is_tip]
    everything = np.concatenate([vertices, added.astype(np.float32)])
    triangles = np.concatenate([whole, tips, left, right])
    return compacted(everything, triangles)


def _without_holes(vertices: FloatArray, faces: IntArray, outside: FloatArray) -> FloatArray:
    """``outside`` [V], above 0 too where less than a hole's area lies below it on its own, and 0 on small islands."""
    filled = np.where(_is_small(vertices, faces, outside <= 0.0, _LEAST_HOLE), np.float32(CLOSE), outside)
    return np.where(_is_small(vertices, faces, filled > 0.0, _LEAST_AREA), np.float32(0.0), filled)


def _is_small(vertices: FloatArray, faces: IntArray, inside: NDArray[np.bool_], least: float) -> NDArray[np.bool_]:
    """[V] which of the vertices ``inside`` [V] hang together over less than an area."""
    within = faces[inside[faces].all(axis=1)]
    pieces = pieces_of(within, len(vertices))
    area = np.bincount(pieces[within[:, 0]], _areas(vertices, within), pieces.max() + 1)
    return np.asarray(inside & (area[pieces] < least))


def _large_pieces(vertices: FloatArray, faces: IntArray) -> tuple[FloatArray, IntArray]:
    """Without the connected pieces that are too small to be hair."""
    if len(faces) == 0:
        return vertices, faces
    pieces = pieces_of(faces, len(vertices))[faces[:, 0]]
    area = np.bincount(pieces, _areas(vertices, faces))
    return compacted(vertices, faces[area[pieces] > _LEAST_AREA])


def _areas(vertices: FloatArray, faces: IntArray) -> NDArray[np.float64]:
    """[F] areas of triangles."""
    corners = vertices[faces].astype(np.float64)
    crossed = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    return np.asarray(0.5 * np.linalg.norm(crossed, axis=1))


def _edge_vertices(faces: IntArray) -> IntArray:
    """Vertices on edges that belong to one triangle alone."""
    edges = np.sort(edges_of(faces), axis=1)
    unique, count = np.unique(edges, axis=0, return_counts=True)
    return np.asarray(np.unique(unique[count == 1]), np.int64)


def reduced_surface(vertices: FloatArray, faces: IntArray, triangles: int) -> tuple[FloatArray, IntArray]:
    """About as many triangles as asked for."""
    return fewer_faces(vertices, faces, triangles, aggressiveness=5.0)


def _colours(
    near: Nearness,
    head: Head,
    view: PhotoView,
    usual: UsualColours | None,
    vertices: FloatArray,
    faces: IntArray,
    fitted: FloatArray,
) -> FloatArray:
    """[V, 3] the photo's colours where it saw the surface, carried on elsewhere; arguments as of :func:`hair_of`.

    ``fitted`` [V, 3] is where the photo's view will show the vertices, so what it shows there are their colours.

    The head's own are greyer at its outline and at the edge of the crop, where haze is mixed in. Above all clothes
    colours go over into the hair's farther away, else those of the shoulders would run up into it. Quite
    another colour that the photo shows below the scalp is that of ear-rings, or of what is behind; on it, of a scarf.
    """
    normals = vertex_normals(vertices, faces)
    seen = seen_by_photo(view, vertices, normals)
    is_seen = seen > 0.0
    colours = np.zeros(vertices.shape, np.float32)
    colours[~is_seen] = surface_colors(head, vertices[~is_seen], normals[~is_seen])
    of_photo = _photo_colours(view, fitted)
    hold = np.full(len(vertices), _UNSEEN_HOLD)
    if usual is not None:
        scalp = near.scalp(vertices)
        hair = np.maximum(scalp, smoothstep(vertices[:, 1], *_ABOVE_CLOTHES).astype(np.float32))
        colours += hair[:, None] * (usual.hair - colours)
        hold += _SCALP_HOLD * hair
        unlike = np.linalg.norm(of_photo - usual.hair, axis=1)
        seen *= 1.0 - hair * (1.0 - scalp) * smoothstep(unlike, *_OTHER).astype(np.float32)
    colours[is_seen] = of_photo[is_seen]
    hold = np.where(is_seen, _SEEN_HOLD * seen, hold)
    return _spread(colours.clip(0.0, 255.0) / np.float32(255.0), hold, faces)


def _spread(colours: NDArray[np.floating[Any]], hold: NDArray[np.float64], faces: IntArray) -> FloatArray:
    """Colours [V, 3] that keep to their own by ``hold`` [V], above 0, and else are as smooth as can be."""
    from scipy.sparse import diags_array
    from scipy.sparse.linalg import splu

    near = neighbours_of(faces, len(colours))
    system = diags_array(near.sum(axis=1) + hold) - near
    spread = splu(system.tocsc()).solve(hold[:, None] * colours)
    return np.asarray(spread.clip(0.0, 1.0), np.float32)
