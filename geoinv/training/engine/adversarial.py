"""Adversarial training: the losses, and the discriminator with its optimiser and its state.

Non-saturating logistic losses (Goodfellow et al., 2014) and the R1 penalty on real pictures (Mescheder et al., ICML
2018), taken lazily as in StyleGAN2 (Karras et al., CVPR 2020, appendix B): every 16th step, 16 times as strong.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import asdict, dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.func import functional_call

from ...errors import CheckpointError
from ...models.discriminator import Discriminator
from ...models.discriminator_config import DiscriminatorConfig
from ...models.precision import fast_precision
from .processes import average_gradients


@dataclass(frozen=True)
class AdversarialTraining:
    """Settings of the discriminator; StyleGAN2's.

    Args:
        learning_rate: Learning rate of the discriminator.
        r1_gamma: Weight of R1, of which the loss takes half. StyleGAN2's 10 is for 1024 px; its successor's rule of
            thumb, 0.0002 * resolution ** 2 / batch, asks for less at lower resolutions.
        r1_every: Steps between penalties.
    """

    learning_rate: float = 2e-3
    r1_gamma: float = 10.0
    r1_every: int = 16


class Adversary:
    """A discriminator that learns to part real pictures from made ones, and judges them.

    It is no module, so that no other optimiser can be given its parameters by accident, and its parameters have
    gradients during :meth:`discriminator_step` alone, so that one that had them would leave them as they are.

    In the losses of a :class:`.Stage`, which saves it (``beside = {"adversary": adversary}``)::

        terms |= adversary.discriminator_step(real, real_label, fake, fake_label)  # weights of 0: only logged
        terms["adversarial"] = adversary.generator_loss(fake, fake_label)

    in this order, since the discriminator must not change between a loss and its backward pass.

    Args:
        config: The discriminator.
        settings: Settings of its training.
        seed: Seed of its weights; the caller's random numbers are not used up.
        device: Device of its weights.
    """

    def __init__(
        self,
        config: DiscriminatorConfig,
        settings: AdversarialTraining | None = None,
        *,
        seed: int = 0,
        device: torch.device | str = "cpu",
    ) -> None:
        self.config, self.settings = config, settings or AdversarialTraining()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            network = Discriminator(config)
        self._network = network.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        ratio = self.settings.r1_every / (self.settings.r1_every + 1)  # StyleGAN2's: the penalties are steps, too
        self._optimizer = torch.optim.Adam(
            self._network.parameters(), lr=self.settings.learning_rate * ratio, betas=(0.0, 0.99**ratio)
        )
        self._steps = 0

    def discriminator_step(
        self,
        real: Tensor,  # [B, 3, R, R] in [-1, 1]
        real_label: Tensor,  # [B, 25]
        fake: Tensor,  # [B', 3, R, R]
        fake_label: Tensor,  # [B', 25]
    ) -> dict[str, Tensor]:
        """One step of the discriminator; whoever made the pictures gets no gradient of it.

        Returns:
            The losses, detached: ``d_real``, ``d_fake`` and, in every ``r1_every``-th step from the first, ``d_r1``,
            the penalty without its weight.

        Raises:
            ShapeError: Pictures or labels of another shape.
        """
        has_penalty = self._steps % self.settings.r1_every == 0
        real = real.detach().requires_grad_(has_penalty)
        # a gradient of a gradient wants full precision
        with nullcontext() if has_penalty else fast_precision(real.device):
            logits = self._network(real, real_label.detach()).float()
            fake_logits = self._network(fake.detach(), fake_label.detach()).float()
        real_loss, fake_loss = F.softplus(-logits).mean(), F.softplus(fake_logits).mean()
        losses = {"d_real": real_loss, "d_fake": fake_loss}
        total = real_loss + fake_loss
        if has_penalty:
            losses["d_r1"] = r1_penalty(logits, real)
            total = total + 0.5 * self.settings.r1_gamma * self.settings.r1_every * losses["d_r1"]
        total.backward()
        average_gradients(self._network.parameters())
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        self._steps += 1
        return {name: loss.detach() for name, loss in losses.items()}

    def generator_loss(self, fake: Tensor, label: Tensor) -> Tensor:
        """Loss of pictures [B, 3, R, R] that do not pass for real; its gradient reaches them, not the discriminator.

        Raises:
            ShapeError: Pictures or labels of another shape.
        """
        fixed = {name: value.detach() for name, value in self._network.state_dict(keep_vars=True).items()}
        with fast_precision(fake.device):
            logits = functional_call(self._network, fixed, (fake, label))
        return F.softplus(-logits.float()).mean()

    @torch.no_grad()
    def logits(self, pictures: Tensor, label: Tensor) -> Tensor:
        """[B], high for pictures that pass for real."""
        logits: Tensor = self._network(pictures, label)
        return logits

    def state_dict(self) -> dict[str, Any]:
        """Everything that decides the next step: plain values and tensors, for a checkpoint."""
        return {
            "config": asdict(self.config),
            "network": self._network.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "steps": self._steps,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from :meth:`state_dict`.

        Raises:
            CheckpointError: It is of another discriminator.
        """
        if DiscriminatorConfig.from_dict(state["config"]) != self.config:
            raise CheckpointError("the checkpoint's discriminator is another", "give another --out")
        self._network.load_state_dict(state["network"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._steps = state["steps"]


def r1_penalty(logits: Tensor, real: Tensor) -> Tensor:
    """Mean squared length of the gradient of the logits [B] by the pictures [B, ...] that they are of."""
    (gradient,) = torch.autograd.grad(logits.sum(), real, create_graph=True)
    return gradient.square().flatten(1).sum(dim=1).mean()
