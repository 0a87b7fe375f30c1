"""The last stage: edit directions of a generator, from what its z means or from measures and labels of its pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...checkpoints.store import ModelInfo
from ...editing import discover_directions, save_directions, visible_directions
from ...editing.directions import add_direction, check_direction_is_new
from ...editing.effect import LOOKED_AT
from ...editing.learned import LearnedDirection, learn_from_labels, learn_from_samples
from ...editing.scores import AttributeScore
from ...errors import PhotoError, UsageError
from ...models.families import OfPlanes
from ...progress import OnCount
from ...session import Session
from ...synth.sampler import HeadSampler


@dataclass(frozen=True)
class KnownDirections:
    """Directions of a generator of synthetic heads.

    Args:
        shown: Names of those that its heads show.
        left_out: Names of those that they do not.
    """

    shown: tuple[str, ...]
    left_out: tuple[str, ...]


def known_directions(
    generator: OfPlanes,
    info: ModelInfo,
    target: Path,
    *,
    heads: int = LOOKED_AT,
    seed: int = 0,
    on_direction: OnCount | None = None,
) -> KnownDirections:
    """Find the directions of a generator of synthetic heads by what its z means, and write those that show.

    Args:
        generator: The generator.
        info: Its name and hash.
        target: File of directions; one that exists is replaced.
        heads: Heads on which the directions are looked at.
        seed: Seed of these heads.
        on_direction: Called with the number of directions looked at.

    Raises:
        UsageError: The generator was trained on something else.
    """
    sampler = HeadSampler()
    if generator.config.z_dim != sampler.z_dim:
        raise UsageError(
            f"model {info.name!r} was not trained on these synthetic heads: its z has {generator.config.z_dim} numbers",
            f"the heads' has {sampler.z_dim}; give --attr to learn a direction from the generator's samples",
        )
    found = discover_directions(generator, sampler.attributes, generator_sha256=info.sha256, seed=seed)
    visible = visible_directions(generator, found, heads=heads, seed=seed, on_direction=on_direction)
    save_directions(target, visible)
    left_out = sorted(set(found.names) - set(visible.names))
    return KnownDirections(tuple(visible.names), tuple(left_out))


def learned_direction(
    session: Session,
    attribute: str,
    target: Path,
    *,
    score: AttributeScore | None = None,
    labelled: Sequence[tuple[Path, float]] = (),
    samples: int = 400,
    overwrite: bool = False,
    on_head: OnCount | None = None,
    on_skip: Callable[[Path, PhotoError], None] | None = None,
) -> tuple[str, LearnedDirection]:
    """Learn one direction of any generator of faces, and put it among those that a file has.

    Args:
        session: The generator, with its encoder for labelled pictures.
        attribute: Name of the direction.
        target: File of directions.
        score: Measure of the attribute in pictures of the generator's samples; None to learn from labels.
        labelled: Pictures with a number each.
        samples: Heads to score.
        overwrite: Whether a direction of that name may be replaced.
        on_head: Called with the number of heads scored, or of pictures inverted.
        on_skip: Called for each picture that could not be used.

    Returns:
        Name as written, and what was learned.

    Raises:
        CheckpointError: ``target`` is damaged or of another generator, or there is no encoder for labelled pictures.
        UsageError: There is a direction of that name, or too few heads or pictures could be used.
    """
    sha256 = session.info.sha256
    check_direction_is_new(target, attribute, sha256, overwrite=overwrite)
    if score is not None:
        learned = learn_from_samples(
            session.triplane_generator, score, session.aligner, samples=samples, seed=session.seed, on_head=on_head
        )
    else:
        learned = learn_from_labels(session, labelled, on_photo=on_head, on_skip=on_skip)
    description = score.description if score is not None else "learned from labelled pictures"
    return add_direction(target, attribute, learned.vector, description, generator_sha256=sha256), learned
