import numpy as np
import torch

from geoinv.camera import CameraPose
from geoinv.camera.surface import render_normals
from geoinv.conventions import FACE_ORBIT, FOCAL
from geoinv.models.render_output import RenderOutput
from geoinv.present.pictures import color_picture, depth_picture, depth_range, normal_picture
from tests.ellipsoid_head import NO_PLANES, EllipsoidGenerator

FRONT = CameraPose.from_angles(0.0).camera(FACE_ORBIT)


def ramp(alpha_side: int = 4) -> RenderOutput:
    depth = torch.tensor([2.4, 2.5, 2.6, 2.7]).repeat(4, 1).view(1, 1, 4, 4)
    alpha = torch.ones(1, 1, alpha_side, alpha_side)
    alpha[..., 0] = 0.0
    return RenderOutput(torch.zeros(1, 3, alpha_side, alpha_side), alpha, depth, FRONT)


class TestColorPicture:
    def test_hand_computed(self):
        render = RenderOutput(
            torch.full((1, 3, 2, 2), 0.3), torch.full((1, 1, 2, 2), 0.5), torch.full((1, 1, 2, 2), 2.7), FRONT
        )
        assert (color_picture(render) == round(0.8 * 255)).all()
        assert (color_picture(render, background=0.0) == round(0.3 * 255)).all()


class TestDepthPicture:
    def test_near_is_brighter_and_empty_is_white(self):
        picture = depth_picture(ramp().depth[0], ramp().alpha[0]).astype(int).sum(axis=2)
        assert picture.shape == (4, 4)
        assert (picture[:, 0] == 3 * 255).all()
        assert (picture[:, 1] > picture[:, 2]).all() and (picture[:, 2] > picture[:, 3]).all()

    def test_size_of_alpha(self):
        assert depth_picture(ramp(8).depth[0], ramp(8).alpha[0]).shape == (8, 8, 3)

    def test_limits_make_colors_comparable(self):
        first = depth_picture(ramp().depth[0], ramp().alpha[0], limits=(2.0, 3.0))
        second = depth_picture(ramp().depth[0] + 0.1, ramp().alpha[0], limits=(2.0, 3.0))
        assert (first[:, 2] == second[:, 1]).all()

    def test_range(self):
        near, far = depth_range(ramp().depth, ramp().alpha)
        assert 2.5 <= near < 2.51 and 2.69 < far < 2.701
        assert depth_range(ramp().depth, torch.zeros(1, 1, 4, 4)) == (0.0, 1.0)


class TestNormalPicture:
    def test_ellipsoid(self):
        render = EllipsoidGenerator().render(NO_PLANES, FRONT, superresolution=False)
        picture = normal_picture(
            render_normals(render.depth, render.alpha, FRONT.cam2world, focal=FOCAL)[0], render.alpha[0]
        )
        assert (picture[0, 0] == 255).all()
        middle = picture[16, 16].astype(int)
        assert abs(middle[0] - 128) < 15 and abs(middle[1] - 128) < 15 and middle[2] > 250
        solid = np.flatnonzero(render.alpha[0, 0, 16].numpy())
        assert picture[16, solid[-1], 0] > 200 > 60 > picture[16, solid[0], 0]  # red: world x, to image right
        rows = np.flatnonzero(render.alpha[0, 0, :, 16].numpy())
        assert picture[rows[0], 16, 1] > 200  # green: up
