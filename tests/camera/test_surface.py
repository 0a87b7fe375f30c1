import pytest
import torch

from geoinv.camera import Camera, CameraPose, project
from geoinv.camera.surface import normals_from_depth, points_from_depth, render_normals
from geoinv.conventions import FACE_ORBIT, FOCAL
from geoinv.images.tensors import at_side
from geoinv.metrics.geometry import normal_error_deg
from tests.ellipsoid_head import NO_PLANES, EllipsoidGenerator

CAMERAS = CameraPose.from_vector(
    torch.tensor([[0.0, 0.0, 0.0, 0.0, 0.0, 0.0], [0.5, 0.2, 0.1, 0.02, 0.0, -0.1]])
).cam2world(FACE_ORBIT)


class TestPointsFromDepth:
    def test_inverse_of_project(self):
        depth = 2.5 + 0.1 * torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
        points = points_from_depth(depth, CAMERAS, focal=FOCAL).flatten(2).transpose(1, 2)
        pixels, back = project(points, CAMERAS, focal=FOCAL)
        assert torch.allclose(back, depth.flatten(1), atol=1e-5)
        assert pixels[0, 9] == pytest.approx([1.5 / 8, 1.5 / 8], abs=1e-5)


class TestNormalsFromDepth:
    def test_flat_wall_faces_the_camera(self):
        normals = normals_from_depth(torch.full((1, 1, 4, 4), 2.7), torch.ones(1, 1, 4, 4), CAMERAS[:1], focal=FOCAL)
        expected = torch.tensor([0.0, 0.0, 1.0]).view(1, 3, 1, 1).expand(1, 3, 4, 4)
        assert torch.allclose(normals, expected, atol=1e-5)

    def test_ellipsoid(self):
        head, side, cameras = EllipsoidGenerator(), 128, Camera(CAMERAS, FOCAL)
        render = head.render(NO_PLANES, cameras, resolution=side, superresolution=False)
        normals = normals_from_depth(render.depth, render.alpha, CAMERAS, focal=FOCAL)
        truth = head.normals(cameras, side)
        inside = render.alpha > 0.5
        assert (normals.norm(dim=1, keepdim=True)[inside] > 0.99).float().mean() > 0.99
        assert normal_error_deg(normals, truth, inside).max() < 1.5

    def test_background_never_enters(self):
        depth, alpha = torch.full((1, 1, 4, 4), 2.7), torch.zeros(1, 1, 4, 4)
        alpha[..., 1:3, 1:3] = 1.0
        depth[alpha == 0.0] = 99.0
        normals = normals_from_depth(depth, alpha, CAMERAS[:1], focal=FOCAL)
        assert torch.allclose(normals[0, 2, 1:3, 1:3], torch.ones(2, 2), atol=1e-5)
        assert normals[0, :, 0].abs().max() == 0.0

    def test_render_normals_takes_larger_alpha(self):
        normals = render_normals(torch.full((1, 1, 4, 4), 2.7), torch.ones(1, 1, 8, 8), CAMERAS[:1], focal=FOCAL)
        assert normals.shape == (1, 3, 4, 4)


def test_at_side_averages():
    image = torch.arange(16.0).view(1, 1, 4, 4)
    assert at_side(image, 2).flatten().tolist() == [2.5, 4.5, 10.5, 12.5]


def test_at_side_keeps_what_fits_and_fills_evenly():
    image = torch.rand(1, 3, 256, 256)
    assert at_side(image, 256) is image
    assert at_side(torch.full((1, 3, 64, 64), 0.25), 256).sub(0.25).abs().max() < 1e-6
