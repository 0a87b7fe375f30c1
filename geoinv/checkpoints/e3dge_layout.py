"""Names and shapes in the released files of StyleSDF and E3DGE: which tensors are read, under which names, and which
widths they tell.

Everything here looks at names and shapes alone, so that it serves stored tensors and those in memory alike.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from ..errors import CheckpointError
from ..models.stylesdf.config import StyleSdfConfig, StyleSdfDetailConfig, StyleSdfEncoderConfig
from .foreign_tensors import AnyTensor, Shaped, size_of

_PREFIXES = {  # of our names, by the entry of the file
    "g_ema": "",
    "d": "pose.",
    "encoder": "code.",
    "netLocal": "local.",
    "grid_align": "aligner.",
    "Fuse_sft_block": "fusion.",
}
_COUNTER = re.compile(r"\.num_batches_tracked$")
_UNUSED = {  # released, but nothing reads it when a photo is inverted
    "g_ema": re.compile(r"decoder\.(conv1|convs\.\d+)\.bias$"),  # the bias that counts is activate.bias
    "encoder": re.compile(r"styles_stylegan\.[1-9]\d*\."),
    "netLocal": re.compile(r"downsample_channel_conv\."),
}
_FILTER = re.compile(r"\.(blur|upsample)\.kernel$")
_BLOCK_NORM = re.compile(r"(image_filter\..*)\.bn4\.(weight|bias)$")
_GROUPS = 32


def without_wrapper(tensors: Mapping[str, AnyTensor]) -> dict[str, AnyTensor]:
    """The same tensors without the ``module.`` that training on several GPUs puts before their names."""
    return {name.removeprefix("module."): tensor for name, tensor in tensors.items()}


def is_filter(name: str) -> bool:
    """Whether a tensor of ``g_ema`` is a low-pass filter, which is part of our code."""
    return _FILTER.search(name) is not None


def ours(entry: str, tensors: Mapping[str, AnyTensor]) -> dict[str, AnyTensor]:
    """The tensors of an entry that are used, by our names.

    Args:
        entry: ``g_ema``, ``d``, ``encoder``, ``netLocal``, ``grid_align`` or ``Fuse_sft_block``.
        tensors: Tensors by their names in it, without the wrapper's prefix.
    """
    unused = _UNUSED.get(entry)
    return {
        _PREFIXES[entry] + name: tensor
        for name, tensor in tensors.items()
        if not (unused is not None and unused.match(name))
        and not _COUNTER.search(name)
        and not is_filter(name)
        and not _is_spare_norm(entry, name)
    }


def _is_spare_norm(entry: str, name: str) -> bool:
    """Whether it is the fourth norm of a block of E1: unused, or the shortcut's first layer under another name."""
    return entry == "netLocal" and _BLOCK_NORM.match(name) is not None


def generator_config(tensors: Mapping[str, Shaped], name: str) -> StyleSdfConfig:
    """The generator that the tensors of ``g_ema`` are of.

    Raises:
        CheckpointError: What tells its widths is missing, or the widths go together in no generator.
    """
    channels = [size_of(tensors, "decoder.conv1.conv.weight", 1, of=5)]
    while len(channels) < 8 and f"decoder.convs.{2 * len(channels) - 2}.conv.weight" in tensors:
        channels.append(size_of(tensors, f"decoder.convs.{2 * len(channels) - 2}.conv.weight", 1, of=5))
    depth = _count(tensors, "renderer.network.pts_linears.{}.weight")
    try:
        return StyleSdfConfig(
            name,
            w_dim=size_of(tensors, "style.0.weight", 0, of=2),
            decoder_dim=size_of(tensors, "decoder.style.1.weight", 0, of=2),
            channels=tuple(channels),
            depth=depth,
            mapping_layers=_count(tensors, "style.{}.weight"),
            decoder_mapping_layers=_count(tensors, "decoder.style.{}.weight", start=1),
            ray_side=size_of(tensors, "decoder.noises.noise_0", 3, of=4),
        )
    except (ValueError, ArithmeticError) as error:
        raise CheckpointError(f"its widths are no StyleSDF generator's: {error}") from error


def encoder_config(
    code: Mapping[str, Shaped], pose: Mapping[str, Shaped], generator: StyleSdfConfig
) -> StyleSdfEncoderConfig:
    """The encoder that the tensors of ``encoder`` and ``d`` are of, for a generator.

    Raises:
        CheckpointError: What tells its widths is missing, or they fit no encoder.
    """
    channels = tuple(size_of(code, f"body.{unit}.res_layer.1.weight", 0, of=4) for unit in (0, 3, 7, 21))
    squeezed = max(size_of(code, "body.0.res_layer.5.fc1.weight", 0, of=4), 1)
    try:
        return StyleSdfEncoderConfig(
            generator=generator.name,
            w_dim=generator.w_dim,
            decoder_dim=generator.decoder_dim,
            renderer_rows=generator.renderer_rows,
            decoder_rows=generator.decoder_rows,
            channels=channels,
            pyramid=size_of(code, "latlayer64.weight", 0, of=4),
            reduction=channels[0] // squeezed,
            pose_channels=tuple(
                size_of(pose, f"convs.{name}.weight", 0, of=4) for name in ("0.conv", "1.skip.conv", "2.skip.conv")
            ),
        )
    except (ValueError, ArithmeticError) as error:
        raise CheckpointError(f"its widths are no encoder's of E3DGE: {error}") from error


def detail_config(
    local: Mapping[str, Shaped], aligner: Mapping[str, Shaped], generator: StyleSdfConfig, *, is_hybrid: bool
) -> StyleSdfDetailConfig:
    """The local branch that the tensors of ``netLocal`` and ``grid_align`` are of, for a generator.

    Raises:
        CheckpointError: What tells its widths is missing, they fit no local branch, or it is a variant of the training
            scripts that the released models are not.
    """
    if "local_feat_to_tex_modulations_linear.weight" in local:
        raise CheckpointError(
            "its netLocal is the HGPIFuNetGANResidual of the training scripts",
            "the released models are of HGPIFuNetGANResidualResnetFC, and only those can be converted",
        )
    widths = tuple(size_of(local, f"image_filter.{name}.weight", 0, of=4) for name in ("conv1", "conv2.downsample.2"))
    narrowest = size_of(local, "image_filter.conv2.bn3.weight", 0, of=1)
    try:
        return StyleSdfDetailConfig(
            generator=generator.name,
            w_dim=generator.w_dim,
            stem=size_of(local, "residual_conv.0.weight", 0, of=4),
            widths=(*widths, size_of(local, "image_filter.conv4.downsample.2.weight", 0, of=4)),
            groups=min(_GROUPS, narrowest),
            aligner_widths=tuple(
                size_of(aligner, f"conv_layer{name}.weight", 0, of=4)
                for name in ("1.0", "2.0.res_layer.1", "3.0.res_layer.1", "4.0.res_layer.1")
            ),
            is_hybrid=is_hybrid,
        )
    except (ValueError, ArithmeticError) as error:
        raise CheckpointError(f"its widths are no local branch's of E3DGE: {error}") from error


def _count(tensors: Mapping[str, Shaped], pattern: str, *, start: int = 0) -> int:
    """How many layers there are, numbered from ``start``."""
    count = 0
    while count <= 64 and pattern.format(start + count) in tensors:
        count += 1
    return count
