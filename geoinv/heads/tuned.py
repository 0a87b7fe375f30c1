"""A generator tuned to one photo: which of its tensors move, and the difference that a ``.geoinv`` file keeps.

Pivotal tuning (Roich et al., "Pivotal Tuning for Latent-based Editing of Real Images", 2021) moves the whole
generator. Here only the last block of the backbone and the point decoder move: they paint, earlier blocks decide what
head it is, and their difference in float16 is 0.5 to 1.5 MB. Optimised noise, where a backbone has noise, is kept in
the same way.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, TypeVar

import torch
from torch import Tensor, nn

from ..errors import CheckpointError

if TYPE_CHECKING:
    from ..models.plane_generator import PlaneGenerator

Generator = TypeVar("Generator", bound=nn.Module)

Tuning = Mapping[str, Tensor]
"""Name of a parameter or buffer -> float16 difference of its shape."""


def painting_parameters(generator: PlaneGenerator) -> dict[str, Tensor]:
    """Parameters that pivotal tuning moves, by name: the decoder's and those of the backbone's last block."""
    last = f"backbone.synthesis.b{4 * 2 ** (len(generator.config.backbone.channels) - 1)}."
    return {name: value for name, value in generator.named_parameters() if name.startswith((last, "decoder."))}


def noise_maps(generator: PlaneGenerator) -> dict[str, Tensor]:
    """The noise that the backbone adds, [R, R] each; none where it has no noise."""
    if generator.config.backbone.painting != "skip":
        return {}
    return {name: value for name, value in generator.named_buffers() if _is_used_noise(name)}


def _is_used_noise(name: str) -> bool:
    return name.startswith("backbone.") and name.endswith(".noise_const")


def difference(tuned: PlaneGenerator, base: PlaneGenerator, names: Iterable[str]) -> dict[str, Tensor]:
    """Differences by tuning, float16 on the CPU: a file keeps these, and heads are always rendered with these."""
    after, before = tuned.state_dict(), base.state_dict()
    return {name: (after[name] - before[name]).detach().to(torch.float16).cpu() for name in names}


def tuned_generator(base: Generator, tuning: Tuning) -> Generator:
    """A copy of a generator with differences added; the generator itself where there are none.

    Raises:
        CheckpointError: A difference of a tensor that the generator does not have, or of another shape.
    """
    if not tuning:
        return base
    known = base.state_dict()
    wrong = [name for name, value in tuning.items() if name not in known or known[name].shape != value.shape]
    if wrong:
        raise CheckpointError(f"the inversion tunes what its generator does not have: {', '.join(sorted(wrong)[:3])}")
    tuned = copy.deepcopy(base)
    state = tuned.state_dict()
    with torch.no_grad():
        for name, value in tuning.items():
            state[name].add_(value.to(state[name]))
    return tuned
