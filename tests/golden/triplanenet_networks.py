"""Networks of TriPlaneNet at a sixteenth of their widths, and the numbers that golden outputs were computed from."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from geoinv.checkpoints.triplanenet_layout import ours
from geoinv.models.triplanenet.config import TriPlaneNetDetailConfig, TriPlaneNetEncoderConfig
from geoinv.models.triplanenet.encoder import TriPlaneNetEncoder
from geoinv.models.triplanenet.plane_offsets import PlaneOffsets

CODES = 9  # of the released 14: all kinds of heads are among them
CHANNELS = (4, 8, 16, 32)
DETAILS = {
    "v1": TriPlaneNetDetailConfig("x", False, "shuffle", 8, CHANNELS, (32, 24, 16, 8), 2),
    "v2": TriPlaneNetDetailConfig("x", True, "repeat", 8, CHANNELS, (32, 16, 8, 4), 2),
    "v2-shuffle": TriPlaneNetDetailConfig("x", True, "shuffle", 8, CHANNELS, (32, 24, 16, 8), 2),
}
ENCODER = TriPlaneNetEncoderConfig("x", CODES, 32, CHANNELS, 2)
OUTPUTS = Path(__file__).with_name("triplanenet_outputs.safetensors")


def golden() -> dict[str, Tensor]:
    """What the official networks computed."""
    return load_file(OUTPUTS)


def uniform(name: str, shape: Iterable[int]) -> Tensor:
    """Numbers from -1 to 1 that look random and depend on the name alone."""
    shape = tuple(shape)
    counted = np.arange(math.prod(shape), dtype=np.float64) * 12.9898 + zlib.crc32(name.encode()) % 10007
    return torch.from_numpy(2.0 * ((np.sin(counted) * 43758.5453) % 1.0) - 1.0).float().reshape(shape)


def weights(shapes: Mapping[str, Iterable[int]]) -> dict[str, Tensor]:
    """Weights of any network by their names: each layer keeps its features at about the same size."""
    made = {}
    for name, sizes in shapes.items():
        shape = tuple(sizes)
        numbers = uniform(name, shape)
        if name.endswith("running_var"):
            numbers = 1.0 + 0.5 * numbers
        elif name.endswith("linear.weight"):
            numbers = 1.7 * numbers  # divided by the root of its width when it is used
        elif len(shape) > 1:
            numbers = numbers * math.sqrt(6.0 / math.prod(shape[1:]))
        elif name.endswith("weight"):
            numbers = 0.6 + 0.4 * numbers
        else:
            numbers = 0.1 * numbers
        made[name] = numbers
    return made


def photo(channels: int) -> Tensor:
    """[1, channels, 256, 256] smooth, with edges."""
    coarse = torch.nn.functional.interpolate(uniform(f"photo{channels}", (1, channels, 16, 16)), scale_factor=16.0)
    return 0.8 * coarse + 0.2 * uniform("noise", (1, channels, 256, 256))


def planes() -> Tensor:
    """[1, 8, 256, 256]."""
    return uniform("planes", (1, 8, 256, 256))


def kept(maps: Tensor) -> Tensor:
    """What is kept of maps of 256 px: places in all phases of the shuffles."""
    return maps[..., 3::21, 5::21].contiguous()


def encoder() -> TriPlaneNetEncoder:
    """Our encoder with those weights, by official names."""
    network = TriPlaneNetEncoder(ENCODER).eval()
    own = {name: value.shape for name, value in network.state_dict().items() if name != "w_avg"}
    network.load_state_dict({**weights(own), "w_avg": torch.zeros(32)})
    return network


def offsets(version: str) -> PlaneOffsets:
    """Our U-Net with those weights, by official names."""
    network = PlaneOffsets(DETAILS[version]).eval()
    official = "final_head" if version == "v1" else "final_head_two"
    own = {name.replace("final_head", official): value.shape for name, value in network.state_dict().items()}
    network.load_state_dict(ours("triplanenet_encoder", weights(own)))
    return network
