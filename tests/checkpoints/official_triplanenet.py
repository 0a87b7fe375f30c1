"""Files in the layout of TriPlaneNet's releases: random encoder and U-Net, small, for a generator of EG3D's kind."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from geoinv.models.eg3d_releases import release
from geoinv.models.generator import TriPlaneGenerator
from geoinv.models.triplanenet.config import TriPlaneNetDetailConfig, TriPlaneNetEncoderConfig
from geoinv.models.triplanenet.encoder import TriPlaneNetEncoder
from geoinv.models.triplanenet.plane_offsets import PlaneOffsets
from tests.golden.triplanenet_networks import CHANNELS, DETAILS, weights

from .official_pickles import official_tensors, small_release

_EACH_NORM = "running_var"


@lru_cache
def face_generator() -> TriPlaneGenerator:
    """A random generator of EG3D's kind with few channels and pictures of 128 px, dense everywhere."""
    torch.manual_seed(0)
    config = small_release(release("ffhq512-128"))
    generator = TriPlaneGenerator(replace(config, resolution=128, superresolution="hybrid2x")).eval()
    with torch.no_grad():
        generator.decoder.net[2].bias[0] = 60.0
    return generator.requires_grad_(False)


@lru_cache
def small_networks(version: str = "v2") -> tuple[TriPlaneNetEncoder, PlaneOffsets]:
    """Encoder and U-Net for that generator, with random numbers."""
    encoder = TriPlaneNetEncoder(TriPlaneNetEncoderConfig("x", 14, 32, CHANNELS, 2))
    branch = PlaneOffsets(replace(DETAILS[version], plane_channels=96))
    for network in (encoder, branch):
        own = {name: value.shape for name, value in network.state_dict().items()}
        network.load_state_dict(weights(own))
        network.eval().requires_grad_(False)
    return encoder, branch


def full_size_networks(version: str = "v2") -> tuple[TriPlaneNetEncoder, PlaneOffsets]:
    """Random networks of the released sizes."""
    torch.manual_seed(0)
    config = TriPlaneNetDetailConfig("x", version != "v1")
    return TriPlaneNetEncoder(TriPlaneNetEncoderConfig("x")).eval(), PlaneOffsets(config).eval()


def official_state(
    encoder: TriPlaneNetEncoder, branch: PlaneOffsets, generator: TriPlaneGenerator | None = None
) -> dict[str, Tensor]:
    """``state_dict`` under the official names, with a generator beside them or without."""
    head = "final_head_two" if branch.config.sees_mirror else "final_head"
    found = {f"psp_encoder.{name}": value for name, value in encoder.state_dict().items() if name != "w_avg"}
    found |= {
        f"triplanenet_encoder.{name.replace('final_head', head)}": value for name, value in branch.state_dict().items()
    }
    for name in [name for name in found if name.endswith(_EACH_NORM)]:
        found[name.replace(_EACH_NORM, "num_batches_tracked")] = torch.tensor(3)
    if generator is not None:
        found |= {f"decoder.{name}": value for name, value in official_tensors(generator).items()}
    return found


def write_triplanenet(path: Path, state: dict[str, Tensor], *, as_zip: bool = True) -> Path:
    """The file, with what else the released ones hold."""
    adam: dict[str, Any] = {"state": {0: {"step": 3, "exp_avg": torch.zeros(2)}}, "param_groups": [{"lr": 1e-4}]}
    root = {
        "state_dict": OrderedDict(state),
        "opts": {"n_styles": 14, "use_pixelshuffle": True, "device": "cuda:0", "checkpoint_path": None},
        "best_val_loss": 0.25,
        "step": 1_000_000,
        "triplane_optimizer": adam,
        "psp_optimizer": adam,
    }
    torch.save(root, path, _use_new_zipfile_serialization=as_zip)
    return path
