"""One head fitted to several photos of a person at once: what they show of its shape from several sides adds up.

Fusing the encoder's codes alone brings nothing: its errors are the same in all views of a head. Descent with all photos
does: colours and outlines have to fit in every photo, by its own camera, expression and light. Who it is moves, and the
cameras; expressions and light stay those that the encoder's codes differ in. When they moved too, they took up whatever
did not fit, and grew to eight times that: the details of a photo from the side, of a man in a video clip, were carried
along by a large change of expression that was none, and the head was 0.38 from that photo in its own view. Now it is
0.12, and shapes of held-out heads gain most of what they did.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from ...camera import CameraPose
from ...camera.pose import TYPICAL_POSE, direction_at
from ...heads import PlainHead
from ...images.tensors import GREY
from ...models.latent_space import measure_latent_space
from ..optimise.descent import Pace, descend
from .own_moves import strengths_of
from .person_fit import PersonFit, mean_code, takes_part

if TYPE_CHECKING:
    from ...models.generator import TriPlaneGenerator
    from ..optimise.photo_target import PhotoTarget
    from ..optimise.refine import OnStep

STEPS = 90
"""Twenty seconds on one core, whatever the number of photos."""

_ROBUST = 0.1
"""Colour differences above this count in proportion: clothes, glasses and shadows that only some photos have."""
WIDE_RAD = math.radians(25.0)
"""Least angle between two of the photos for a joint fit. Photos from one side tell nothing of the shape beyond E0; what
else makes them fit, noise and clothes, bends it: on three nearly frontal portraits each of four generated
people the fitted head, seen at 25 degrees, was 0.05 farther from the person in identity distance."""
_TAKEN = 0.5
"""Share of the fit's move that the head takes. The local branch knows what the encoder's codes leave to it, not what is
left by codes that fit as well as they can. Of five people in clips, views at 25 degrees are 0.34 from real faces of
that side halfway, 0.36 at the end; on held-out heads halfway has most of the gain in shape."""


@dataclass(frozen=True)
class JointSettings:
    """Budget and weights of a joint fit.

    Args:
        steps: Steps of descent, each with the next photo: most of a step's time goes to making the planes of a code,
            and each photo has its own. ``STEPS`` by default.
        rays: Rays of a step, half of them on the face.
        outline: Weight of squared errors of the outline; those of colours weigh 1.
        code_prior: On the mean square of the move that all layers have in common, in standard deviations.
        layer_prior: On that of the layers' own moves.
        mean_prior: On the distance from the mean head.
        camera_prior: On the cameras' moves, in typical sizes.
    """

    steps: int = field(default_factory=lambda: STEPS)
    rays: int = 800
    outline: float = 0.1
    code_prior: float = 2e-4
    layer_prior: float = 4e-4
    mean_prior: float = 2e-5
    camera_prior: float = 1e-2
    code_rate: float = 0.2  # standard deviations a step at the peak
    camera_rate: float = 0.01  # of the camera's typical size
    seed: int = 0


@dataclass(frozen=True)
class JointFit(PersonFit):
    """A person in K photos, by descent.

    Args:
        first_loss: Loss of the start.
        loss: Loss of the result.
    """

    first_loss: float
    loss: float


def fit_together(
    generator: TriPlaneGenerator,
    codes: Tensor,
    cameras: Tensor,
    targets: Sequence[PhotoTarget],
    persons: Tensor,
    moves: Tensor,
    settings: JointSettings | None = None,
    on_step: OnStep | None = None,
) -> JointFit:
    """Fit a head to several photos of one person, profiles aside (:func:`.person_fit.takes_part`); where the
    others look from nearly one side, it is the start (:data:`WIDE_RAD`).

    Args:
        generator: Generator in evaluation mode.
        codes: [K, num_ws, w_dim] of the encoder.
        cameras: [K, 6] of the encoder.
        targets: K photos on the generator's grid of rays, S x S.
        persons: [K, S * S] in [0, 1], where they show the person.
        moves: [J, num_ws, w_dim] directions in which the photos may differ, see :func:`.own_moves.own_moves`.
        settings: Budget and weights.
        on_step: Function that is called after each step; Ctrl-C ends the steps, the best so far is kept.
    """
    problem = _Problem(generator, codes, cameras, targets, persons, moves, settings or JointSettings())
    if widest_angle_rad(cameras[problem.fitted]) < WIDE_RAD:
        loss = problem.checked()
        return JointFit(*problem.result(), loss, loss)
    own = problem.settings
    groups = [([problem.common, problem.layers], own.code_rate), ([problem.turns], own.camera_rate)]
    run = descend(groups, problem.loss_of_step, problem.checked, problem.snapshot, Pace(own.steps, None), on_step)
    problem.move_to(run.best, _TAKEN)
    losses = run.first_loss, problem.checked()
    return JointFit(*problem.result(), *losses, steps=run.steps, is_interrupted=run.is_interrupted)


class _Problem:
    """What moves, what does not, and the loss."""

    def __init__(
        self,
        generator: TriPlaneGenerator,
        codes: Tensor,
        cameras: Tensor,
        targets: Sequence[PhotoTarget],
        persons: Tensor,
        moves: Tensor,
        settings: JointSettings,
    ) -> None:
        device, self.generator, self.settings = codes.device, generator, settings
        self.space = measure_latent_space(generator, seed=settings.seed)
        self.cameras, self.targets, self.persons = cameras, targets, persons.to(device)
        self.fitted: list[int] = takes_part(cameras[:, 0]).nonzero()[:, 0].tolist()
        self.start = mean_code(codes, cameras[:, 0])
        moves = moves.to(device)
        self.own = torch.einsum("kj,jnc->knc", strengths_of(codes - self.start, moves, self.space), moves)
        self.common = torch.zeros(1, 1, codes.shape[-1], device=device, requires_grad=True)
        self.layers = torch.zeros(self.start.shape, device=device, requires_grad=True)
        self.turns = torch.zeros(cameras.shape, device=device, requires_grad=True)
        self.scale = torch.tensor(TYPICAL_POSE, device=device)
        self._faces = [target.is_face.nonzero()[:, 0].cpu() for target in targets]
        self._random = torch.Generator().manual_seed(settings.seed)
        fixed = torch.Generator().manual_seed(settings.seed + 1)
        self._checked = [self._draw(photo, settings.rays, fixed) for photo in range(len(targets))]

    def heads(self) -> tuple[Tensor, Tensor]:
        """Codes [K, num_ws, w_dim] and cameras [K, 6] as they stand."""
        shared = self.start + self.space.offset(self.common + self.layers)
        return shared + self.own, self.cameras + self.scale * self.turns

    def loss_of_step(self, step: int) -> Tensor:
        """Misfit of one photo on fresh rays, and how unusual the head is."""
        photo = self.fitted[step % len(self.fitted)]
        codes, cameras = self.heads()
        pixels = self._draw(photo, self.settings.rays, self._random)
        return self._misfit(photo, codes, cameras, pixels) + self._prior(codes)

    @torch.no_grad()
    def checked(self) -> float:
        """The mean over all photos that are fitted, on the rays of every check."""
        codes, cameras = self.heads()
        each = [self._misfit(photo, codes, cameras, self._checked[photo]) for photo in self.fitted]
        return float(torch.stack(each).mean() + self._prior(codes))

    def _prior(self, codes: Tensor) -> Tensor:
        own = self.settings
        prior = own.code_prior * self.common.square().mean() + own.layer_prior * self.layers.square().mean()
        prior = prior + own.mean_prior * self.space.coordinates(codes.mean(dim=1)).square().mean()
        return prior + own.camera_prior * self.turns.square().mean()

    def _misfit(self, photo: int, codes: Tensor, cameras: Tensor, pixels: Tensor) -> Tensor:
        """Misfit of colours and of the outline in one photo, at pixels [N] of it."""
        target, person = self.targets[photo], self.persons[photo, pixels]
        head = PlainHead(self.generator, codes[photo : photo + 1])
        camera = CameraPose.from_vector(cameras[photo : photo + 1]).camera(head.orbit)
        output = head.trace(*camera.rays(target.pixels[pixels]))
        alpha, is_inside = output.alpha[0], target.is_inside[pixels]
        color = output.features[0, :, :3] + (1.0 - alpha[:, None]) * GREY
        wanted = target.color[pixels]
        error = 2.0 * _ROBUST * functional.smooth_l1_loss(color, wanted, beta=_ROBUST, reduction="none").mean(dim=-1)
        shown = ((person > 0.99) & is_inside).to(error)
        outline = ((alpha - person).square() * is_inside).mean()
        return (error * shown).sum() / shown.sum().clamp(min=1.0) + self.settings.outline * outline

    def _draw(self, photo: int, count: int, random: torch.Generator) -> Tensor:
        """[count] indices of a photo's pixels, half of them on the face where one was found."""
        pixels = torch.randint(len(self.targets[photo].color), (count,), generator=random)
        face = self._faces[photo]
        if len(face):
            half = count // 2
            pixels[:half] = face[torch.randint(len(face), (half,), generator=random)]
        return pixels.to(self.start.device)

    @torch.no_grad()
    def result(self) -> tuple[Tensor, Tensor]:
        """What :meth:`heads` gives, without gradients."""
        return self.heads()

    def snapshot(self) -> list[Tensor]:
        """A copy of what moves."""
        return [moving.detach().clone() for moving in (self.common, self.layers, self.turns)]

    def move_to(self, snapshot: Sequence[Tensor], share: float) -> None:
        """Move from the start by a share of the way to a snapshot, for good."""
        self.common, self.layers, self.turns = (share * moved for moved in snapshot)


def widest_angle_rad(cameras: Tensor) -> float:
    """Largest angle between the directions that any two cameras [K, 6] look along."""
    away = direction_at(cameras[:, 0].double(), cameras[:, 1].double())
    return float((away @ away.T).clamp(-1.0, 1.0).acos().max())
