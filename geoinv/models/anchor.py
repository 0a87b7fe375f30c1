"""The anchor of a generator: a volume that says of every place in the box where it lies on the head mesh.

At a place x it holds the displacement that moves x to the average head, the signed distance to the mesh, the normal of
the mesh nearby, and of which part it is. A decoder that is told these need not find from pixels what the mesh knows,
and planes that are read at x + displacement are painted for one head alone. Skin, eyeballs, teeth and tongue are in it.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from ..conventions import BOX_SIDE
from ..errors import CheckpointError, ShapeError
from ..folders import sha256_of, weights_dir
from ..ops.anchored_rays import AnchorVolumes
from ..shape import HeadModel, load_head_model
from ..shape.model_file import FILE_NAME
from ..shape.vertex_normals import vertex_normals
from .anchor_grid import Grid, fill_grid
from .anchor_template import SurfaceSamples, anchor_triangles, divided_triangles, within
from .config import AnchorConfig

PART_VALUES = {"skin": 0.0, "upper-teeth": -1.0, "lower-teeth": -1.0, "tongue": -0.5, "right-eye": 1.0, "left-eye": 1.0}
"""The part that a place belongs to as one number: what lies behind lids and lips shares texels with them."""

_CPU = torch.device("cpu")
_MARGIN = 0.2  # of a box: by how much a head's own face may lie elsewhere than the mean one's


@dataclass(frozen=True)
class _Level:
    """A grid, and the places of the mesh that it is filled from, with where they are on the average head."""

    grid: Grid
    samples: SurfaceSamples
    homes: Tensor  # [M, 3]
    parts: Tensor  # [M]


class Anchor:
    """Makes anchor volumes of heads of one mesh model. It learns nothing, so generators may share one.

    Args:
        model: The head mesh model.
        config: Sizes of the volume.
    """

    def __init__(self, model: HeadModel, config: AnchorConfig) -> None:
        self.model, self.config = model, config
        device, teeth = model.mean.device, model.teeth
        self._triangles = torch.cat([anchor_triangles(model), teeth.triangles.to(device) + len(model.mean)])
        average = self._with_teeth(model.vertices(model.mean_codes()))[0]
        parts = torch.full([len(average)], PART_VALUES["upper-teeth"], device=device)
        for name, value in PART_VALUES.items():
            parts[model.parts[name].vertices] = value
        half = 0.5 * BOX_SIDE
        lowest, highest = (torch.full([3], end, device=device) for end in (-half, half))
        whole = Grid(lowest, highest, config.cells)
        low, high = torch.tensor(config.face_box, device=device).unbind(dim=1)
        face = Grid(low, high, config.face_cells)
        self._levels = [self._level(grid, average, parts) for grid in (whole, face)]

    def _level(self, grid: Grid, average: Tensor, parts: Tensor) -> _Level:
        samples = divided_triangles(average, self._triangles, self.config.spacing * float(grid.cell.max()))
        margin = _MARGIN * (grid.high - grid.low)
        samples = within(samples, average, grid.low - margin, grid.high + margin)
        homes, of_part = samples.on(torch.cat([average, parts[:, None]], dim=1)[None])[0].split([3, 1], dim=1)
        return _Level(grid, samples, homes, of_part[:, 0])

    def _with_teeth(self, vertices: Tensor) -> Tensor:
        """[B, V + T, 3] the head's vertices and those of its teeth."""
        return torch.cat([vertices, self.model.teeth.on(vertices)], dim=1)

    def __call__(self, vertices: Tensor) -> AnchorVolumes:
        """Volumes of heads with vertices [B, V, 3] of the mesh model, differentiable in them.

        Raises:
            ShapeError: Vertices of another mesh.
        """
        if vertices.ndim != 3 or vertices.shape[1:] != self.model.mean.shape:
            raise ShapeError(f"vertices must be [B, {len(self.model.mean)}, 3], got {list(vertices.shape)}")
        surface = self._with_teeth(vertices)
        values = torch.cat([surface, vertex_normals(surface, self._triangles)], dim=-1)
        volumes = []
        for level in self._levels:
            places, normals = level.samples.on(values).split(3, dim=-1)
            volumes.append(
                fill_grid(
                    level.grid,
                    places,
                    normals,
                    level.homes,
                    level.parts,
                    level.samples.area,
                    push=self.config.push,
                )
            )
        return AnchorVolumes(volumes[0], volumes[1], self.config.face_box)


@lru_cache(maxsize=4)
def shared_anchor(config: AnchorConfig, device: torch.device = _CPU) -> Anchor:
    """The anchor of generators with this configuration, made once for a device, on the shipped head model.

    Raises:
        CheckpointError: The head model is missing, or is another than the configuration was made for.
    """
    found = head_model_id()
    if found != config.head_model:
        raise CheckpointError(
            f"this generator was trained on another head mesh model ({config.head_model}, not {found})",
            f"use the {FILE_NAME} that belongs to it",
        )
    return Anchor(
        copy.deepcopy(load_head_model()).to(device), config
    )  # the loaded one is shared, and stays where it is


def head_model_id() -> str:
    """The first digits of the SHA-256 of the shipped head model's file."""
    return sha256_of(weights_dir() / FILE_NAME)[:12]
