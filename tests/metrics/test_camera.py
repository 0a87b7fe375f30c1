import math

import pytest
import torch

from geoinv.camera import CameraPose
from geoinv.conventions import FACE_ORBIT
from geoinv.errors import ShapeError
from geoinv.metrics.camera import rotation_angle_deg


class TestRotationAngle:
    @pytest.mark.parametrize("angle_deg", [0.0, 0.01, 5.0, 90.0, 179.0])
    def test_yaw_is_the_angle(self, angle_deg):
        front = CameraPose.from_angles(0.0).cam2world(FACE_ORBIT)
        turned = CameraPose.from_angles(math.radians(angle_deg)).cam2world(FACE_ORBIT)
        assert rotation_angle_deg(front, turned).item() == pytest.approx(angle_deg, abs=1e-3)

    def test_roll_counts_and_shift_does_not(self):
        front = CameraPose.from_angles(0.3, 0.1).cam2world(FACE_ORBIT)
        rolled = CameraPose.from_vector(torch.tensor([[0.3, 0.1, math.radians(10.0), 0.1, 0.2, 0.3]])).cam2world(
            FACE_ORBIT
        )
        assert rotation_angle_deg(front, rolled).item() == pytest.approx(10.0, abs=1e-3)

    def test_rejects_shape(self):
        with pytest.raises(ShapeError):
            rotation_angle_deg(torch.eye(4), torch.eye(4))
