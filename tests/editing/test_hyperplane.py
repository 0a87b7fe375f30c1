"""A direction from scored codes, on codes whose hyperplane is known."""

from __future__ import annotations

import pytest
import torch

from geoinv.editing.hyperplane import fit_hyperplane
from geoinv.errors import UsageError
from geoinv.models.latent_space import LatentSpace

SPACE = LatentSpace(torch.zeros(4), torch.eye(4))


def codes(count: int = 300) -> torch.Tensor:
    return torch.randn(count, 4, generator=torch.Generator().manual_seed(0))


class TestFitHyperplane:
    def test_known_normal(self):
        found = fit_hyperplane(codes(), codes()[:, 1] * 7.0 + 100.0, SPACE)
        unit = found.direction / found.direction.norm()
        assert unit[1].item() > 0.98 and found.accuracy > 0.95
        # from the mean of the lowest to that of the highest three tenths of a unit normal: 2 x 1.159
        assert found.direction.norm().item() == pytest.approx(2.32, abs=0.25)
        assert found.heads == 180

    def test_two_labels(self):
        labels = (codes()[:, 0] + codes()[:, 2] > 0.0).float()
        found = fit_hyperplane(codes(), labels, SPACE)
        unit = found.direction / found.direction.norm()
        assert unit[0].item() == pytest.approx(2**-0.5, abs=0.1) and unit[2].item() == pytest.approx(2**-0.5, abs=0.1)
        assert found.heads == 300

    def test_chance_is_told(self):
        noise = torch.rand(300, generator=torch.Generator().manual_seed(1))
        assert abs(fit_hyperplane(codes(), noise, SPACE).accuracy - 0.5) < 0.25

    def test_axes_matter(self):
        """In a space that is wide along one axis, the direction goes further along it."""
        wide = LatentSpace(torch.zeros(4), torch.diag(torch.tensor([10.0, 1.0, 1.0, 1.0])))
        stretched = codes() * torch.tensor([10.0, 1.0, 1.0, 1.0])
        found = fit_hyperplane(stretched, codes()[:, 0] + codes()[:, 1], wide).direction
        assert found[0].item() == pytest.approx(10.0 * found[1].item(), rel=0.2)

    def test_rejects(self):
        with pytest.raises(UsageError, match="same score"):
            fit_hyperplane(codes(), torch.ones(300), SPACE)
        with pytest.raises(UsageError, match="3 heads without and 9 with"):
            fit_hyperplane(codes(12), (torch.arange(12) > 2).float(), SPACE)
