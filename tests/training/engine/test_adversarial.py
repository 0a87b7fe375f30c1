"""Adversarial training: the losses by hand, whose parameters move, what is learned, what a checkpoint keeps."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from geoinv.errors import CheckpointError, ShapeError
from geoinv.models.discriminator_config import DiscriminatorConfig
from geoinv.models.precision import allow_bfloat16
from geoinv.training.engine.adversarial import AdversarialTraining, Adversary, r1_penalty
from geoinv.training.engine.loop import TrainingLoop, train
from tests.training.engine.line_stage import LineStage, line_run

TINY = DiscriminatorConfig(16, (8, 8, 8), hidden=16, label_hidden=8)
Batch = tuple[Tensor, Tensor, Tensor, Tensor]


def batch(seed: int, count: int = 4) -> Batch:
    random = torch.Generator().manual_seed(seed)
    images, labels = (torch.randn(2, count, *shape, generator=random) for shape in ((3, 16, 16), (25,)))
    return images[0], labels[0], images[1], labels[1]


def weights(adversary: Adversary) -> dict[str, Tensor]:
    return copy.deepcopy(adversary.state_dict()["network"])  # type: ignore[no-any-return]


def test_r1_of_a_linear_judge_is_the_squared_length_of_its_weights() -> None:
    judge = nn.Linear(3, 1)
    judge.weight.data = torch.tensor([[1.0, 2.0, -2.0]])
    real = torch.randn(5, 3, requires_grad=True)
    penalty = r1_penalty(judge(real)[:, 0], real)
    assert penalty.item() == pytest.approx(9.0)
    penalty.backward()
    assert judge.weight.grad is not None
    assert judge.weight.grad.tolist() == [pytest.approx([2.0, 4.0, -4.0])]  # of |w| ** 2: 2 w


def test_r1_of_a_square_is_four_times_the_square() -> None:
    real = torch.tensor([[1.0, 2.0], [3.0, 0.0]], requires_grad=True)
    logits = real.square().sum(dim=1)  # gradient 2 x, squared length 4 |x| ** 2: 20 and 36
    assert r1_penalty(logits, real).item() == pytest.approx(28.0)


def test_losses_by_hand() -> None:
    adversary = Adversary(TINY)
    real, real_label, fake, fake_label = batch(0)
    told_real, told_fake = adversary.logits(real, real_label), adversary.logits(fake, fake_label)
    wanted = torch.log1p(torch.exp(-told_fake)).mean()
    assert adversary.generator_loss(fake, fake_label).item() == pytest.approx(wanted.item(), rel=1e-5)
    losses = adversary.discriminator_step(real, real_label, fake, fake_label)
    assert losses["d_real"].item() == pytest.approx(torch.log1p(torch.exp(-told_real)).mean().item(), rel=1e-5)
    assert losses["d_fake"].item() == pytest.approx(torch.log1p(torch.exp(told_fake)).mean().item(), rel=1e-5)
    assert not any(loss.requires_grad for loss in losses.values())


def test_penalty_comes_lazily() -> None:
    adversary = Adversary(TINY, AdversarialTraining(r1_every=3))
    steps = [adversary.discriminator_step(*batch(step)) for step in range(7)]
    assert [step for step, losses in enumerate(steps) if "d_r1" in losses] == [0, 3, 6]


def test_a_heavy_penalty_flattens_the_judge() -> None:
    def final_r1(gamma: float) -> float:
        adversary = Adversary(TINY, AdversarialTraining(r1_gamma=gamma, r1_every=1))
        return [adversary.discriminator_step(*batch(0))["d_r1"].item() for _ in range(30)][-1]

    assert final_r1(100.0) < 0.5 * final_r1(0.0)


def test_no_gradient_reaches_the_wrong_network() -> None:
    adversary = Adversary(TINY)
    real, real_label, _, label = batch(0)
    maker = nn.Conv2d(3, 3, 1)
    fake = maker(real)
    before = weights(adversary)
    adversary.discriminator_step(real, real_label, fake, label)
    assert maker.weight.grad is None
    assert any(not torch.equal(value, before[name]) for name, value in weights(adversary).items())

    # an optimiser that is wrongly given the discriminator, too: E3DGE's steps it, with what was left in its gradients
    everything = [*maker.parameters(), *adversary._network.parameters()]
    optimizer = torch.optim.Adam(everything, lr=0.1, weight_decay=0.1)
    before = weights(adversary)
    adversary.generator_loss(fake, label).backward()
    assert maker.weight.grad is not None and maker.weight.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in adversary._network.parameters())
    optimizer.step()
    assert all(torch.equal(value, before[name]) for name, value in weights(adversary).items())


def test_learns_to_tell_two_sets_apart() -> None:
    adversary = Adversary(TINY, AdversarialTraining(r1_gamma=0.1))

    def sets(seed: int) -> Batch:  # real ones are brighter
        real, label, fake, other = batch(seed, count=8)
        return 0.5 * real + 0.3, label, 0.5 * fake - 0.3, other

    for step in range(60):
        adversary.discriminator_step(*sets(step))
    real, label, fake, other = sets(1000)
    assert (adversary.logits(real, label) > 0).all() and (adversary.logits(fake, other) < 0).all()
    assert adversary.generator_loss(real, label) < adversary.generator_loss(fake, other)


def test_learns_that_a_picture_must_fit_its_camera() -> None:
    adversary = Adversary(TINY, AdversarialTraining(r1_gamma=0.01, learning_rate=5e-3))

    def sets(seed: int) -> Batch:  # the picture is as bright as the label says, or exactly not
        random = torch.Generator().manual_seed(seed)
        sign = torch.where(torch.rand(16, generator=random) < 0.5, -1.0, 1.0)
        label = torch.zeros(16, 25)
        label[:, 0], label[:, 16] = sign, 4.26
        image = 0.2 * torch.randn(16, 3, 16, 16, generator=random) + 0.5 * sign[:, None, None, None]
        wrong = label.clone()
        wrong[:, 0] = -sign
        return image, label, image, wrong

    for step in range(150):
        adversary.discriminator_step(*sets(step))
    image, label, _, wrong = sets(1000)
    assert ((adversary.logits(image, label) - adversary.logits(image, wrong)) > 0).float().mean() > 0.9


def test_same_seed_same_steps_and_the_callers_numbers_stay() -> None:
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    first, second, other = Adversary(TINY, seed=1), Adversary(TINY, seed=1), Adversary(TINY, seed=2)
    assert torch.equal(torch.rand(2), expected)
    for step in range(3):
        assert first.discriminator_step(*batch(step)) == second.discriminator_step(*batch(step))
    assert not torch.equal(first.logits(*batch(0)[:2]), other.logits(*batch(0)[:2]))


def test_state_gives_the_same_next_steps(tmp_path: Path) -> None:
    settings = AdversarialTraining(r1_every=4)
    straight, before = Adversary(TINY, settings), Adversary(TINY, settings)
    for step in range(6):
        straight.discriminator_step(*batch(step))
        before.discriminator_step(*batch(step))
    torch.save(before.state_dict(), tmp_path / "state.pt")
    after = Adversary(TINY, settings, seed=9)
    after.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    for step in range(6, 10):  # with a penalty at 8
        assert straight.discriminator_step(*batch(step)) == after.discriminator_step(*batch(step))
    with pytest.raises(CheckpointError, match="another"):
        Adversary(DiscriminatorConfig(16, (8, 8, 8)), settings).load_state_dict(before.state_dict())


class JudgedStage(LineStage):
    """Its discriminator learns in each step."""

    loss_weights = {"fit": 1.0, "d_real": 0.0, "d_fake": 0.0, "d_r1": 0.0}

    def __init__(self, out: Path, adversary: Adversary) -> None:
        super().__init__(line_run(out, 1))
        self.adversary, self.beside = adversary, {"adversary": adversary}

    def losses(self, batch_: Tensor, step: int, place: float) -> dict[str, Tensor]:
        return super().losses(batch_, step, place) | self.adversary.discriminator_step(*batch(0))


def test_goes_into_the_checkpoint_of_a_training_loop(tmp_path: Path) -> None:
    first = Adversary(TINY)
    train(JudgedStage(tmp_path, first))
    second = Adversary(TINY, seed=5)
    TrainingLoop(JudgedStage(tmp_path, second))
    assert first.discriminator_step(*batch(1)) == second.discriminator_step(*batch(1))


def test_half_precision_where_training_allows_it() -> None:
    adversary = Adversary(TINY)
    adversary.discriminator_step(*batch(0))
    full = adversary.generator_loss(*batch(1)[:2])
    with allow_bfloat16():
        half = adversary.generator_loss(*batch(1)[:2])
        losses = adversary.discriminator_step(*batch(0))
    assert half.dtype == torch.float32 and half.item() == pytest.approx(full.item(), abs=0.05)
    assert all(loss.dtype == torch.float32 and loss.isfinite() for loss in losses.values())


def test_rejects_other_shapes() -> None:
    adversary = Adversary(TINY)
    real, label, fake, other = batch(0)
    with pytest.raises(ShapeError, match="image"):
        adversary.discriminator_step(real[..., :8], label, fake, other)
    with pytest.raises(ShapeError, match="label"):
        adversary.generator_loss(fake, other[:, :16])
