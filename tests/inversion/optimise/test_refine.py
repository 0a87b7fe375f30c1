"""Inversion by optimisation on tiny generators: a photo of one of their own heads is found again."""

from __future__ import annotations

import pytest
import torch

from geoinv.errors import UsageError
from geoinv.heads.tuned import noise_maps, painting_parameters, tuned_generator
from geoinv.inversion.optimise.objective import LossWeights
from geoinv.inversion.optimise.refine import HeadEstimate, Refinement, refine_head
from tests.inversion.tiny_heads import head_of, picture_of, quick, target_of, tiny_generator


def error_of(generator, head: HeadEstimate, picture: torch.Tensor) -> float:
    middle = slice(4, 12)
    own = tuned_generator(generator, head.tuning)
    return (picture_of(own, head) - picture)[:, :, middle, middle].square().mean().item()


def test_optimise_finds_the_head() -> None:
    generator = tiny_generator()
    picture, start = picture_of(generator, head_of(generator, 1)), head_of(generator, 2)
    refined = refine_head(generator, start, target_of(picture), quick(steps=40))
    assert refined.steps == 40 and not refined.is_interrupted
    assert refined.loss < refined.first_loss
    assert error_of(generator, refined.estimate, picture) < 0.5 * error_of(generator, start, picture)
    assert refined.estimate.tuning == {}


def test_pti_fits_better_and_leaves_the_generator_alone() -> None:
    generator = tiny_generator()
    before = {name: value.clone() for name, value in generator.state_dict().items()}
    picture, start = picture_of(generator, head_of(generator, 1)), head_of(generator, 2)
    picture = (0.5 * picture + 0.5 * picture.flip(-1)).clamp(0, 1)  # no head of this generator
    found = {
        tunes: refine_head(generator, start, target_of(picture), quick(tunes_generator=tunes, steps=40)).estimate
        for tunes in (False, True)
    }
    assert error_of(generator, found[True], picture) < error_of(generator, found[False], picture)
    assert set(found[True].tuning) == set(painting_parameters(generator))
    assert all(value.dtype == torch.float16 for value in found[True].tuning.values())
    assert all(torch.equal(value, before[name]) for name, value in generator.state_dict().items())


def test_same_seed_same_head() -> None:
    generator = tiny_generator()
    target = target_of(picture_of(generator, head_of(generator, 1)))
    one, other = (
        refine_head(generator, head_of(generator, 2), target, quick(tunes_generator=True, steps=6)).estimate
        for _ in range(2)
    )
    assert torch.equal(one.w_plus, other.w_plus)
    assert all(torch.equal(one.tuning[name], other.tuning[name]) for name in one.tuning)


def test_w_moves_all_layers_alike() -> None:
    generator = tiny_generator()
    start = head_of(generator, 2)
    target = target_of(picture_of(generator, head_of(generator, 1)))
    moved = refine_head(generator, start, target, quick(steps=5, space="w")).estimate.w_plus - start.w_plus
    assert moved.abs().max() > 1e-3
    assert torch.allclose(moved, moved[:, :1].expand_as(moved), atol=1e-5)
    free = refine_head(generator, start, target, quick(steps=5)).estimate.w_plus - start.w_plus
    assert not torch.allclose(free, free[:, :1].expand_as(free), atol=1e-3)


def test_camera_moves_or_stays() -> None:
    generator = tiny_generator()
    truth = head_of(generator, 1, yaw_rad=0.15)
    start = HeadEstimate(truth.w_plus, head_of(generator, 1).camera)
    target = target_of(picture_of(generator, truth))
    fixed = refine_head(generator, start, target, quick(steps=4, refine_camera=False)).estimate
    assert torch.equal(fixed.camera, start.camera)
    moved = refine_head(generator, start, target, quick(steps=40, code_rate=0.0, camera_rate=0.05)).estimate
    assert 0.01 < moved.camera[0].item() < 0.2


def test_noise_of_a_generator_like_eg3d() -> None:
    generator = tiny_generator(like_eg3d=True)
    start = head_of(generator, 2)
    target = target_of(picture_of(generator, head_of(generator, 1)))
    estimate = refine_head(generator, start, target, quick(steps=6)).estimate
    assert set(estimate.tuning) == set(noise_maps(generator)) != set()
    assert max(value.abs().max().item() for value in estimate.tuning.values()) > 1e-3
    tuned = refine_head(generator, start, target, quick(tunes_generator=True, steps=6)).estimate
    assert set(tuned.tuning) == set(noise_maps(generator)) | set(painting_parameters(generator))


def test_interrupted_keeps_the_best() -> None:
    generator = tiny_generator()
    target = target_of(picture_of(generator, head_of(generator, 1)))

    def stop(report) -> None:
        if report.step == 5:
            raise KeyboardInterrupt

    refined = refine_head(generator, head_of(generator, 2), target, quick(tunes_generator=True, steps=1000), stop)
    assert refined.is_interrupted and refined.steps == 5
    assert refined.loss <= refined.first_loss


def test_progress_runs_over_both_stages() -> None:
    generator = tiny_generator()
    target = target_of(picture_of(generator, head_of(generator, 1)))
    reports = []
    refine_head(generator, head_of(generator, 2), target, quick(tunes_generator=True, steps=10), reports.append)
    assert [report.step for report in reports] == list(range(1, 11))
    progress = [report.progress for report in reports]
    assert progress == sorted(progress) and progress[-1] == pytest.approx(1.0)


def test_without_a_face_the_head_counts() -> None:
    generator = tiny_generator()
    picture = picture_of(generator, head_of(generator, 1))
    target = target_of(picture)
    object.__setattr__(target, "is_face", torch.zeros_like(target.is_face))
    refined = refine_head(generator, head_of(generator, 2), target, quick(steps=20))
    assert refined.loss < refined.first_loss


def test_likeness_moves_the_head() -> None:
    generator = tiny_generator()
    start = head_of(generator, 2)
    target = target_of(picture_of(generator, head_of(generator, 1)))
    ends = [
        refine_head(generator, start, target, Refinement(steps=2, weights=LossWeights(likeness=weight))).estimate
        for weight in (0.0, 1.0)
    ]
    assert not torch.equal(ends[0].w_plus, ends[1].w_plus)


@pytest.mark.parametrize(("steps", "code"), [(2, 1), (3, 2), (4, 2), (5, 2), (150, 75)])
def test_both_stages_together_take_the_steps_asked_for(steps: int, code: int) -> None:
    settings = Refinement(steps=steps, tunes_generator=True)
    assert (settings.pace_of_code().steps, settings.pace_of_tuning().steps) == (code, steps - code)
    assert Refinement(steps=steps).pace_of_code().steps == steps
    uneven = Refinement(steps=2, tunes_generator=True, tuning_share=0.01)
    assert (uneven.pace_of_code().steps, uneven.pace_of_tuning().steps) == (1, 1)


def test_rejects_empty_budgets() -> None:
    with pytest.raises(UsageError, match="at least 2 steps"):
        Refinement(steps=1, tunes_generator=True)
    with pytest.raises(UsageError, match="steps"):
        Refinement(steps=0)
    with pytest.raises(UsageError, match="time budget"):
        Refinement(time_budget_s=0.0)
