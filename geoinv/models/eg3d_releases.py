"""The configurations of EG3D's official releases (Chan et al., CVPR 2022), by the names of their files.

Their weights are NVIDIA's, for non-commercial use; `geoinv weights` fetches and converts them. The FFHQ generators
differ in nothing but the side of their ray grid and how they were trained.
"""

from __future__ import annotations

from dataclasses import replace

from ..conventions import Orbit
from .config import GeneratorConfig, RenderConfig
from .presets import ffhq512_128


def ffhq512_64() -> GeneratorConfig:
    """Faces; also the rebalanced release."""
    return replace(ffhq512_128(), name="ffhq512-64", neural_resolution=64)


def afhqcats512_128() -> GeneratorConfig:
    """Cats' faces, seen about another pivot."""
    return replace(ffhq512_128(), name="afhqcats512-128", orbit=Orbit(pivot=(0.0, 0.0, -0.06)), crop="none")


def shapenetcars128_64() -> GeneratorConfig:
    """Cars on white, seen from all sides by a wider lens; trained with labels of zeros."""
    faces = ffhq512_128()
    return replace(
        faces,
        name="shapenetcars128-64",
        mapping=replace(faces.mapping, label_scale=0.0),
        render=RenderConfig(
            num_samples=64,
            num_importance=64,
            limits="fixed",
            near=0.1,
            far=2.6,
            box_side=1.6,
        ),
        neural_resolution=64,
        resolution=128,
        superresolution="hybrid2x",
        white_back=True,
        orbit=Orbit(radius=1.7, pivot=(0.0, 0.0, 0.0), focal=1.7074),
        crop="none",
    )


def release(name: str) -> GeneratorConfig:
    """The configuration of an official release, such as ``ffhqrebalanced512-128``.

    Raises:
        KeyError: There is no such release.
    """
    configs = {
        "ffhq512-64": ffhq512_64,
        "ffhq512-128": ffhq512_128,
        "ffhqrebalanced512-64": ffhq512_64,
        "ffhqrebalanced512-128": ffhq512_128,
        "afhqcats512-128": afhqcats512_128,
        "shapenetcars128-64": shapenetcars128_64,
    }
    return replace(configs[name](), name=name)
