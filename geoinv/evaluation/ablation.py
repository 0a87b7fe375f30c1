"""The gain of each part of the method: variants side by side on the held-out heads, a row each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from ..errors import MissingDetailsError
from ..progress import OnCount
from .heads import inversion_metrics, measure_inversion, true_descriptors
from .held_out import HeldOutHeads, load_held_out
from .means import Means, Metrics
from .variants import Variant, encoded_by

if TYPE_CHECKING:
    from ..heads import Alignment
    from ..session import Session

COLUMNS: tuple[tuple[str, str, str], ...] = (
    ("input_psnr_db", "input\ndB", ".2f"),
    ("psnr_db_15", "+-15\ndB", ".2f"),
    ("psnr_db_30", "+-30\ndB", ".2f"),
    ("psnr_db_45", "+-45\ndB", ".2f"),
    ("depth_mm", "depth\nmm", ".1f"),
    ("shape_depth_mm", "its shape\nmm", ".1f"),
    ("normal_deg", "normals\ndeg", ".1f"),
    ("camera_deg", "camera\ndeg", ".2f"),
    ("identity_input", "identity\ninput", ".3f"),
    ("identity_novel", "identity\n+-30", ".3f"),
    ("inversion_seconds", "time\ns", ".3f"),
)
"""Columns of the table: (metric, heading, format)."""

E0 = "E0"
E0_WITHOUT_GEOMETRY = "E0 without geometry losses"
ALIGNMENTS: tuple[tuple[str, Alignment], ...] = (
    ("E0 + E1, 3D-aligned", "3d"),
    ("E0 + E1, 2D-aligned", "2d"),
    ("E0 + E1, hybrid", "hybrid"),
)
"""Variants of one local branch: with features of one kind alone, and with both kinds. It is trained for all three."""


@dataclass
class Candidates:
    """The variants that can be measured here, and why the others cannot."""

    variants: list[Variant] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)


def candidates_of(session: Session, no_geometry: Path | None = None) -> Candidates:
    """The variants of a model.

    Args:
        session: The session with the model's generator and encoder.
        no_geometry: Encoder file, trained for the same generator without the geometry losses; by default
            ``NAME-encoder-nogeometry.safetensors`` beside the model's own encoder.

    Raises:
        CheckpointError: The model has no encoder, or ``no_geometry`` is missing or of another generator.
    """
    from ..checkpoints.store import load_encoder, model_file

    generator, aligner = session.generator_of_planes, session.fit_aligner
    found = Candidates([Variant(E0, encoded_by(session.encoder, generator, aligner=aligner))])
    path = no_geometry if no_geometry is not None else model_file(session.model, "encoder-nogeometry")
    if no_geometry is None and not path.is_file():
        found.left_out[E0_WITHOUT_GEOMETRY] = f"no such encoder is given, and there is none at {path}"
    else:
        encoder = load_encoder(session.model, session.device, file=path)[0]
        found.variants.append(Variant(E0_WITHOUT_GEOMETRY, encoded_by(encoder, generator, aligner=aligner)))
    try:
        branch = session.triplane_branch
    except MissingDetailsError as error:
        found.left_out.update({name: error.message for name, _ in ALIGNMENTS})
        return found
    found.variants += [
        Variant(name, encoded_by(session.encoder, generator, branch, alignment, aligner=aligner))
        for name, alignment in ALIGNMENTS
    ]
    return found


def evaluate_variants(
    variants: Sequence[Variant],
    held_out: HeldOutHeads | None = None,
    *,
    device: torch.device | str = "cpu",
    limit: int | None = None,
    on_head: OnCount | None = None,
) -> dict[str, Metrics]:
    """Metrics by name of the variant, all measured on the same photos.

    Args:
        variants: Ways from a photo to a head that are compared.
        held_out: The shipped heads by default.
        device: Device of the variants' networks.
        limit: Number of heads to measure, from the first; all by default.
        on_head: Function that is called with the number of heads done.
    """
    held_out = held_out if held_out is not None else load_held_out()
    count = held_out.count_up_to(limit)
    means = {variant.name: Means() for variant in variants}
    with torch.no_grad():
        for index in range(count):
            head = held_out.head(index)
            photo, truths = head.photo(index).to(device), true_descriptors(head)
            for variant in variants:
                measure_inversion(means[variant.name], variant.invert, head, photo, truths)
            if on_head is not None:
                on_head(index + 1)
    return {name: inversion_metrics(own, count) for name, own in means.items()}


def ablation_rows(metrics: dict[str, Metrics]) -> list[list[str]]:
    """Rows of text, one for each variant: its name and the metrics of ``COLUMNS``."""

    def shown(value: float | int | None, form: str) -> str:
        return "-" if value is None else format(value, form)

    return [[name, *(shown(own.get(column), form) for column, _, form in COLUMNS)] for name, own in metrics.items()]
