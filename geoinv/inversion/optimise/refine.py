"""Inversion by optimisation: the code, the camera and, with ``pti``, the generator are moved until the photo fits.

``optimise`` moves w or w_plus, the camera, shape and light of heads on the head mesh, and the noise of backbones that
have noise (Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", 2020, appendix D; Abdal et al.,
"Image2StyleGAN", 2019). ``pti`` then holds the code as a pivot and moves the last block and the decoder (see
``tuning``), while random heads near the pivot keep their looks. Codes are moved in standard deviations of random codes
(see ``models.latent_space``).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor
from torch.nn import functional

from ...camera import CameraPose
from ...camera.pose import TYPICAL_POSE
from ...errors import UsageError
from ...heads import OfPlanesHead, plain_head
from ...heads.tuned import Tuning, difference, noise_maps, painting_parameters, tuned_generator
from ...models.latent_space import measure_latent_space
from .descent import Descent, Pace, StepReport, descend
from .locality import Locality
from .objective import HeadObjective, LossWeights
from .photo_target import PhotoTarget
from .shape_move import ShapeMove

if TYPE_CHECKING:
    from ...models.families import OfPlanes
    from ...models.on_mesh import OnMesh

Space = Literal["w", "w_plus"]

DEFAULT_STEPS = 150
_LIKENESS_EVERY_STEPS = 4  # the face networks cost as much as the rest of a step


@dataclass(frozen=True)
class Refinement:
    """Settings of a refinement.

    Args:
        tunes_generator: Whether the fraction ``tuning_share`` of the budget goes to tuning the generator (``pti``).
        steps: Largest number of steps; ``DEFAULT_STEPS`` where there is no time budget either.
        time_budget_s: Largest time in seconds, over all stages.
        space: Codes that move: ``w`` moves all layers alike, ``w_plus`` each by itself too.
        refine_camera: Whether the camera moves.
        seed: Seed of the rays.
    """

    tunes_generator: bool = False
    steps: int | None = None
    time_budget_s: float | None = None
    space: Space = "w_plus"
    refine_camera: bool = True
    seed: int = 0
    weights: LossWeights = field(default_factory=LossWeights)
    code_rate: float = 0.2  # standard deviations a step at the peak
    camera_rate: float = 0.01  # of the camera's typical size
    code_prior: float = 2e-4  # on the mean square of the common move, in standard deviations
    layer_prior: float = 4e-4  # on that of the layers' own moves
    mean_prior: float = 2e-5  # on the distance from w_avg
    camera_prior: float = 1e-2
    noise_rate: float = 0.02
    noise_prior: float = 1e-3
    tuning_share: float = 0.5
    tuning_rate: float = 5e-3
    locality: float = 0.3
    # of heads on the head mesh
    shape_rate: float = 0.05  # of the spread of codes and light over heads, a step at the peak
    shape_prior: float = 1e-3  # on the mean square of moves of the shape
    light_prior: float = 1e-3  # on those of the light

    def __post_init__(self) -> None:
        if self.steps is not None and self.steps < 1:
            raise UsageError(f"steps must be at least 1, got {self.steps}")
        if self.steps == 1 and self.tunes_generator:
            raise UsageError("pti needs at least 2 steps, got 1", "one is for the code, one for the generator")
        if self.time_budget_s is not None and not self.time_budget_s > 0.0:
            raise UsageError(f"the time budget must be above 0 seconds, got {self.time_budget_s}")

    def pace_of_code(self) -> Pace:
        """The budget of the code and the camera: all of it, or what tuning leaves."""
        fraction = 1.0 - self.tuning_share if self.tunes_generator else 1.0
        return self._pace(fraction, self._steps_of_code())

    def pace_of_tuning(self) -> Pace:
        """The budget of tuning the generator: the steps that the code leaves, so that both together are ``steps``."""
        code = self._steps_of_code()
        return self._pace(self.tuning_share, None if code is None else (self._steps() or 0) - code)

    def _pace(self, fraction: float, steps: int | None) -> Pace:
        return Pace(steps, None if self.time_budget_s is None else fraction * self.time_budget_s)

    def _steps(self) -> int | None:
        return DEFAULT_STEPS if self.steps is None and self.time_budget_s is None else self.steps

    def _steps_of_code(self) -> int | None:
        steps = self._steps()
        if steps is None or not self.tunes_generator:
            return steps
        return min(max(round((1.0 - self.tuning_share) * steps), 1), steps - 1)


@dataclass(frozen=True)
class HeadEstimate:
    """A head and its camera.

    Args:
        w_plus: [1, num_ws, w_dim].
        camera: [6] as in :class:`geoinv.CameraPose`.
        tuning: Differences of the generator's tensors.
        on_mesh: Shape and light, batch size 1; None where the generator has no mesh, or for those that w_plus means.
    """

    w_plus: Tensor
    camera: Tensor
    tuning: Tuning = field(default_factory=dict)
    on_mesh: OnMesh | None = None

    @property
    def pose(self) -> CameraPose:
        """The camera, batch size 1."""
        return CameraPose.from_vector(self.camera[None])

    def head(self, generator: OfPlanes) -> OfPlanesHead:
        """The head that the generator makes of it, once tuned."""
        return plain_head(tuned_generator(generator, self.tuning), self.w_plus, self.on_mesh)


@dataclass(frozen=True)
class RefinedHead:
    """The best head of a run.

    Args:
        estimate: The head.
        steps: Steps done, over all stages.
        first_loss: Loss of the start.
        loss: Loss of the head.
        is_interrupted: Whether Ctrl-C ended the run.
    """

    estimate: HeadEstimate
    steps: int
    first_loss: float
    loss: float
    is_interrupted: bool


OnStep = Callable[[StepReport], None]


def refine_head(
    generator: OfPlanes,
    start: HeadEstimate,
    target: PhotoTarget,
    settings: Refinement,
    on_step: OnStep | None = None,
) -> RefinedHead:
    """Fit a head to a photo, from a start.

    Args:
        generator: Generator in evaluation mode; it is left as it is.
        start: Estimate of an encoder, or the mean head with the camera that alignment estimates.
        target: The photo.
        settings: Budget and weights.
        on_step: Function that is called after each step; progress runs from 0 to 1 over all stages.
    """
    first_part = 1.0 - settings.tuning_share if settings.tunes_generator else 1.0
    pace = settings.pace_of_code()
    with torch.no_grad():
        objective = HeadObjective(
            start.head(generator),
            start.camera,
            target,
            settings.weights,
            seed=settings.seed,
        )
    code = _optimise_code(generator, start, objective, settings, pace, _part(on_step, 0.0, first_part))
    if not settings.tunes_generator or code.is_interrupted:
        return RefinedHead(code.best, code.steps, code.first_loss, code.best_loss, code.is_interrupted)
    pace = settings.pace_of_tuning()
    tuned = _tune_generator(
        generator, code.best, objective, settings, pace, _part(on_step, first_part, 1.0, code.steps)
    )
    return RefinedHead(tuned.best, code.steps + tuned.steps, code.first_loss, tuned.best_loss, tuned.is_interrupted)


def _part(on_step: OnStep | None, begin: float, end: float, steps_before: int = 0) -> OnStep | None:
    """``on_step`` for a stage that is a part of the run."""
    if on_step is None:
        return None
    return lambda report: on_step(
        StepReport(steps_before + report.step, begin + (end - begin) * report.progress, report.loss)
    )


def _optimise_code(
    generator: OfPlanes,
    start: HeadEstimate,
    objective: HeadObjective,
    settings: Refinement,
    pace: Pace,
    on_step: OnStep | None,
) -> Descent[HeadEstimate]:
    space = measure_latent_space(generator, seed=settings.seed)
    noises = noise_maps(generator)
    moving = copy.deepcopy(generator) if noises else generator
    moved_noises = {name: value.requires_grad_() for name, value in noise_maps(moving).items()}
    device = start.w_plus.device
    common = torch.zeros(1, 1, generator.config.w_dim, device=device, requires_grad=True)
    layers = torch.zeros(start.w_plus.shape, device=device, requires_grad=settings.space == "w_plus")
    turn = torch.zeros(6, device=device, requires_grad=settings.refine_camera)
    scale = torch.tensor(TYPICAL_POSE, device=device)
    shape = ShapeMove.of(generator, start.w_plus, start.on_mesh)

    def estimate() -> HeadEstimate:
        w_plus = start.w_plus + space.offset(common + layers)
        return HeadEstimate(w_plus, start.camera + scale * turn, on_mesh=None if shape is None else shape.moved())

    def loss(*, is_check: bool, with_likeness: bool) -> Tensor:
        now = estimate()
        w_plus = now.w_plus
        fit = objective.loss(now.head(moving), now.camera, is_check=is_check, with_likeness=with_likeness)
        unusual = space.coordinates(w_plus.mean(dim=1)).square().mean()
        prior = settings.code_prior * common.square().mean() + settings.layer_prior * layers.square().mean()
        prior = prior + settings.mean_prior * unusual + settings.camera_prior * turn.square().mean()
        if shape is not None:
            prior = prior + settings.shape_prior * shape.codes.square().mean()
            prior = prior + settings.light_prior * shape.light.square().mean()
        return fit + prior + settings.noise_prior * _noise_structure(moved_noises.values())

    @torch.no_grad()
    def checked() -> float:
        return loss(is_check=True, with_likeness=True).item()

    @torch.no_grad()
    def snapshot() -> HeadEstimate:
        # a head of its own: what is moved next is not to move it
        return copy.deepcopy(replace(estimate(), tuning=difference(moving, generator, noises)))

    codes = [common, layers] if settings.space == "w_plus" else [common]
    groups = [(codes, settings.code_rate)]
    if settings.refine_camera:
        groups.append(([turn], settings.camera_rate))
    if shape is not None:
        groups.append(([shape.codes, shape.light], settings.shape_rate))
    if noises:
        groups.append((list(moved_noises.values()), settings.noise_rate))
    return descend(
        groups,
        lambda step: loss(is_check=False, with_likeness=step % _LIKENESS_EVERY_STEPS == 0),
        checked,
        snapshot,
        pace,
        on_step,
    )


def _noise_structure(noises: Iterable[Tensor]) -> Tensor:
    """Structure in noise, 0 for white noise: squared correlation with its neighbours at all scales down to 8 px.

    Source: Karras et al., 2020, appendix D.
    """
    total = torch.zeros(())
    for noise in noises:
        level = noise[None, None]
        total = total.to(level.device)
        while level.shape[-1] >= 8:
            for axis in (2, 3):
                total = total + (level * level.roll(1, dims=axis)).mean().square()
            level = functional.avg_pool2d(level, 2) * 2.0  # keeps the variance of white noise
    return total


def _tune_generator(
    generator: OfPlanes,
    pivot: HeadEstimate,
    objective: HeadObjective,
    settings: Refinement,
    pace: Pace,
    on_step: OnStep | None,
) -> Descent[HeadEstimate]:
    base = tuned_generator(generator, pivot.tuning)
    moving = copy.deepcopy(base)
    names = painting_parameters(moving)
    kept = {*names, *pivot.tuning}
    for value in names.values():
        value.requires_grad_()
    untuned = replace(pivot, tuning={})
    locality = Locality(base, untuned.head(base), pivot.camera, seed=settings.seed)

    def loss(step: int) -> Tensor:
        tuned = untuned.head(moving)
        fit = objective.loss(tuned, pivot.camera, with_likeness=step % _LIKENESS_EVERY_STEPS == 0)
        near = locality.near_heads(moving) if step % _LIKENESS_EVERY_STEPS == 1 else 0.0
        return fit + settings.locality * (locality.side_views(tuned) + near)

    @torch.no_grad()
    def checked() -> float:
        return objective.loss(untuned.head(moving), pivot.camera, is_check=True).item()

    @torch.no_grad()
    def snapshot() -> HeadEstimate:
        return replace(pivot, tuning=difference(moving, generator, kept))

    return descend(
        [(list(names.values()), settings.tuning_rate)],
        loss,
        checked,
        snapshot,
        pace,
        on_step,
    )
