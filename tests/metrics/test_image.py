import math

import pytest
import torch

from geoinv.errors import ShapeError
from geoinv.metrics.image import PEAK_PSNR_DB, psnr_db, sharpness, ssim


class TestPsnr:
    def test_hand_computed(self):
        target = torch.full((2, 3, 4, 4), 0.5)
        image = target.clone()
        image[0] += 0.1  # error 0.01
        image[1, :, :2] += 0.1  # half of the pixels
        assert psnr_db(image, target) == pytest.approx([20.0, 20.0 + 10.0 * math.log10(2.0)], abs=1e-4)

    def test_mask(self):
        target = torch.zeros(1, 3, 2, 2)
        image = target.clone()
        image[..., 0, 0] = 0.1
        image[..., 1, 1] = 1.0
        mask = torch.tensor([[[[1.0, 0.0], [0.0, 0.0]]]])
        assert psnr_db(image, target, mask).item() == pytest.approx(20.0, abs=1e-4)

    def test_equal_images_are_finite(self):
        image = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
        assert psnr_db(image, image).item() == pytest.approx(PEAK_PSNR_DB)

    def test_empty_mask_is_nan(self):
        assert psnr_db(torch.zeros(1, 3, 2, 2), torch.zeros(1, 3, 2, 2), torch.zeros(1, 1, 2, 2)).isnan().all()

    def test_rejects_shapes(self):
        with pytest.raises(ShapeError, match="image and target"):
            psnr_db(torch.zeros(1, 3, 2, 2), torch.zeros(1, 3, 4, 4))
        with pytest.raises(ShapeError, match="mask"):
            psnr_db(torch.zeros(1, 3, 2, 2), torch.zeros(1, 3, 2, 2), torch.zeros(1, 2, 2))


class TestSsim:
    def test_hand_computed_for_flat_images(self):
        one, other = torch.full((1, 1, 16, 16), 0.4), torch.full((1, 1, 16, 16), 0.6)
        expected = (2.0 * 0.24 + 1e-4) / (0.16 + 0.36 + 1e-4)  # luminance alone: contrast is 1
        assert ssim(one, other).item() == pytest.approx(expected, abs=1e-4)

    def test_matches_skimage(self):
        from skimage.metrics import structural_similarity

        generator = torch.Generator().manual_seed(1)
        target = torch.rand(1, 3, 40, 40, generator=generator)
        image = (target + 0.2 * torch.randn(1, 3, 40, 40, generator=generator)).clamp(0.0, 1.0)
        mask = torch.zeros(1, 1, 40, 40)
        mask[..., 8:-8, 8:-8] = 1.0  # away from the borders, which the two treat differently
        _, full = structural_similarity(
            image[0].numpy(), target[0].numpy(), channel_axis=0, data_range=1.0, full=True,
            gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
        )  # fmt: skip
        assert ssim(image, target, mask).item() == pytest.approx(full[:, 8:-8, 8:-8].mean(), abs=1e-4)

    def test_equal_images(self):
        image = torch.rand(2, 3, 20, 20, generator=torch.Generator().manual_seed(2))
        assert ssim(image, image) == pytest.approx([1.0, 1.0], abs=1e-5)


class TestSharpness:
    def test_hand_computed(self):
        """A slope of 3 across and 4 down has a gradient of 5; half of it is half as sharp."""
        across, down = torch.meshgrid(torch.arange(6.0), torch.arange(5.0), indexing="xy")
        target = (0.03 * across + 0.04 * down).expand(2, 3, -1, -1)
        image = torch.stack([target[0], 0.5 * target[1]])
        assert sharpness(image, target) == pytest.approx([1.0, 0.5])
        assert sharpness(image, target.flip(3)) == pytest.approx([1.0, 0.5])

    def test_counts_the_mask_alone(self):
        image, target = torch.zeros(1, 1, 8, 8), torch.zeros(1, 1, 8, 8)
        target[..., 2:4, 2:4], image[..., 2:4, 2:4] = 0.8, 0.2
        image[..., 6, 6] = 1.0
        mask = torch.zeros(1, 1, 8, 8)
        mask[..., :5, :5] = 1.0
        assert sharpness(image, target, mask).item() == pytest.approx(0.25)
        assert sharpness(image, target).item() > 0.4
        assert sharpness(image, target, torch.zeros(1, 1, 8, 8)).isnan()
