"""Light as spherical harmonics: orthonormal, exact for even and linear light, near to a lamp's."""

from __future__ import annotations

import pytest
import torch

from geoinv.errors import ShapeError
from geoinv.light import directional_light, in_one_color, light_difference, sh_basis, shade, shaded_color


def sphere(count: int = 4000) -> torch.Tensor:
    """Unit vectors [count, 3] spread evenly (Fibonacci spiral)."""
    k = torch.arange(count, dtype=torch.float64) + 0.5
    height, angle = 1.0 - 2.0 * k / count, torch.pi * (1.0 + 5.0**0.5) * k
    radius = (1.0 - height**2).sqrt()
    return torch.stack([radius * angle.cos(), height, radius * angle.sin()], -1)


def test_harmonics_are_orthonormal() -> None:
    basis = sh_basis(sphere())
    gram = basis.T @ basis * (4.0 * torch.pi / len(basis))
    torch.testing.assert_close(gram, torch.eye(9, dtype=torch.float64), atol=2e-3, rtol=0.0)


def test_a_lamp_is_fitted_best() -> None:
    """The closed form is the least-squares fit of the clamped cosine, and lights as much on the whole."""
    normals = sphere()
    direction = torch.nn.functional.normalize(torch.tensor([[0.4, 0.7, -0.5]], dtype=torch.float64), dim=-1)
    color = torch.tensor([[1.0, 0.5, 0.25]], dtype=torch.float64)
    wanted = (normals @ direction[0]).clamp_min(0.0)[:, None] * color
    fitted = torch.linalg.lstsq(sh_basis(normals), wanted).solution
    found = directional_light(direction, color)[0]
    torch.testing.assert_close(found, fitted, atol=2e-3, rtol=0.0)
    assert float((sh_basis(normals) @ found - wanted).abs().max()) < 0.1


def test_shade_of_light_from_above() -> None:
    light = torch.zeros(1, 9, 3)
    light[0, 0], light[0, 1] = 0.5 / 0.28209479, 0.25 / 0.48860251
    normals = torch.tensor([[[0.0, 1.0, 0.0], [0.0, -1.0, 0.0], [1.0, 0.0, 0.0]]])
    torch.testing.assert_close(shade(light, normals)[0, :, 0], torch.tensor([0.75, 0.25, 0.5]))


def test_no_light_is_black_and_has_finite_gradients() -> None:
    light = torch.zeros(1, 9, 3, requires_grad=True)
    color = shaded_color(torch.ones(1, 4, 3), light, torch.eye(4, 3)[None])
    assert float(color.detach().max()) < 0.02
    color.sum().backward()
    assert light.grad is not None and bool(light.grad.isfinite().all())


def test_colour_is_linear_in_albedo() -> None:
    light = directional_light(torch.tensor([[0.0, 0.0, 1.0]]), torch.ones(1, 3))
    normals = torch.tensor([[[0.0, 0.0, 1.0]]])
    albedo = torch.tensor([[[0.2, 0.4, 0.8]]])
    torch.testing.assert_close(shaded_color(0.5 * albedo, light, normals), 0.5 * shaded_color(albedo, light, normals))


@pytest.mark.parametrize("shape", [(1, 9), (1, 4, 3)])
def test_rejects_other_light(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match="light must be"):
        shade(torch.zeros(shape), torch.zeros(1, 2, 3))


def test_difference_of_lights() -> None:
    """A constant light differs from none by itself, and a lamp from one of twice its strength by its mean square."""
    even = torch.zeros(1, 9, 3)
    even[:, 0] = 1.0
    assert light_difference(even, torch.zeros(1, 9, 3)).item() == pytest.approx(0.28209479**2)
    lamp = directional_light(torch.tensor([[0.6, 0.0, 0.8]]), torch.ones(1, 3))
    known = (sh_basis(sphere().float()) @ lamp[0]).square().mean()
    assert light_difference(2.0 * lamp, lamp).item() == pytest.approx(known.item(), rel=0.02)


def test_one_colour_hand_computed() -> None:
    """A warm room with a blue lamp: the lamp is as warm, and as bright as before."""
    light = torch.zeros(1, 9, 3)
    light[0, 0] = torch.tensor([3.0, 2.0, 1.0])
    light[0, 3] = torch.tensor([0.1, 0.2, 0.9])
    found = in_one_color(light)
    torch.testing.assert_close(found[0, 0], light[0, 0])
    torch.testing.assert_close(found[0, 3], 0.4 * torch.tensor([1.5, 1.0, 0.5]))
    assert not found[0, [1, 2, 4, 5, 6, 7, 8]].any()
    torch.testing.assert_close(in_one_color(found), found)


def test_no_light_has_no_colour() -> None:
    assert not in_one_color(torch.zeros(2, 9, 3)).any()
