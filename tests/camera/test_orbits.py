import math

import pytest
import torch

from geoinv.camera.orbits import WHOLE_HEAD_ZOOM, poses_at, sweep, turned, turntable
from geoinv.conventions import FACE_ORBIT
from geoinv.errors import UsageError


class TestSweep:
    def test_hand_computed(self):
        pose = sweep(3, max_yaw_rad=0.5, pitch_rad=0.1)
        assert pose.yaw_rad == pytest.approx([-0.5, 0.0, 0.5])
        assert pose.pitch_rad == pytest.approx([0.1, 0.1, 0.1])
        assert pose.cam2world(FACE_ORBIT)[1, 0, 3] == pytest.approx(0.0, abs=1e-6)
        assert pose.cam2world(FACE_ORBIT)[2, 0, 3] > 0.0  # positive yaw: camera at world +x

    def test_one_view_is_frontal(self):
        assert sweep(1).yaw_rad.tolist() == [0.0]

    def test_rejects_none(self):
        with pytest.raises(UsageError, match="views"):
            sweep(0)


class TestTurntable:
    def test_hand_computed(self):
        pose = turntable(4, max_yaw_rad=0.6, pitch_rad=0.2, nod_rad=0.1)
        assert pose.yaw_rad == pytest.approx([0.0, 0.6, 0.0, -0.6], abs=1e-6)
        assert pose.pitch_rad == pytest.approx([0.3, 0.2, 0.1, 0.2], abs=1e-6)

    def test_loops_without_a_jump(self):
        angles = turntable(48).as_vector()[:, :2]
        steps = (angles - angles.roll(1, dims=0)).norm(dim=1)
        assert steps[0] < 1.2 * steps[1:].max()


def test_poses_at_rejects_uneven_lists():
    with pytest.raises(UsageError, match="2 yaws but 1 pitches"):
        poses_at([0.0, 0.1], [0.0])


def test_turned_keeps_the_rest():
    pose = turned(poses_at([0.1]), math.radians(30.0), -0.1)
    assert pose.as_vector()[0] == pytest.approx(torch.tensor([0.1 + math.pi / 6, -0.1, 0, 0, 0, 0]))


def test_the_whole_head_is_in_the_frame() -> None:
    """The crown of a large head, 0.42 above the pivot, lies above the photo's crop and inside the wider frame."""
    camera = sweep(3).camera(FACE_ORBIT)
    crown = torch.tensor([0.0, 0.42, 0.2]).expand(3, 1, 3)
    photo, head = (lens.project(crown)[0][:, 0, 1] for lens in (camera, camera.zoomed(WHOLE_HEAD_ZOOM)))
    # 0.5 - focal * 0.42 / 2.7, for focal 4.2647 and 0.68 of it
    assert photo.tolist() == pytest.approx([-0.1634] * 3, abs=1e-4)
    assert head.tolist() == pytest.approx([0.0489] * 3, abs=1e-4)
