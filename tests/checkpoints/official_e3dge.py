"""Files in the layout of the releases of StyleSDF and E3DGE: of golden small weights, or random ones of full size."""

from __future__ import annotations

import re
from collections import OrderedDict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from geoinv.checkpoints.e3dge_layout import is_filter
from geoinv.models.stylesdf.config import StyleSdfConfig, StyleSdfDetailConfig, StyleSdfEncoderConfig
from geoinv.models.stylesdf.encoder import StyleSdfEncoder
from geoinv.models.stylesdf.generator import StyleSdfGenerator
from geoinv.models.stylesdf.local_branch import StyleSdfLocalBranch
from tests.golden.e3dge_networks import official_weights

Entries = dict[str, dict[str, Tensor]]
FILTER = torch.tensor([1.0, 3.0, 3.0, 1.0]).outer(torch.tensor([1.0, 3.0, 3.0, 1.0])) / 16.0


def write_files(
    folder: Path, entries: Entries | None = None, *, as_zip: bool = True, wrapped: bool = True
) -> list[Path]:
    """The three files of a model, with what else the released ones hold.

    Args:
        folder: Where to.
        entries: Tensors by entry; the golden ones by default. What is not among them is in no file.
        as_zip: Whether in the format of torch.save since 1.6.
        wrapped: Whether the encoder was trained on several GPUs, which puts ``module.`` before its names.
    """
    parts: dict[str, Any] = {
        name: OrderedDict(value) for name, value in (official_weights() if entries is None else entries).items()
    }
    if wrapped and "encoder" in parts:
        parts["encoder"] = OrderedDict((f"module.{name}", value) for name, value in parts["encoder"].items())
    adam = {
        "state": {0: {"step": 3, "exp_avg": torch.zeros(2), "exp_avg_sq": torch.zeros(2)}},
        "param_groups": [{"lr": 5e-5, "betas": (0.9, 0.999), "amsgrad": False, "params": [0]}],
    }
    files: dict[str, dict[str, Any]] = {}
    if "g_ema" in parts:
        discriminator = {"final_conv.0.weight": torch.zeros(2)}
        files["ffhq1024x1024.pt"] = {"g": {}, "d": discriminator, "g_ema": parts["g_ema"]}
    if "d" in parts:
        renderer = {name: value for name, value in parts.get("g_ema", {}).items() if not name.startswith("decoder.")}
        files["ffhq_vol_renderer.pt"] = {"g": renderer, "d": parts["d"], "g_ema": renderer}
    own = {name: parts[name] for name in ("encoder", "netLocal", "grid_align", "Fuse_sft_block") if name in parts}
    if own:
        files["E3DGE_Full_Runner.pt"] = {"iter": 494000, **own, "discriminator": {}, "optimizer_e_optimizer": adam}
    for name, content in files.items():
        torch.save(content, folder / name, _use_new_zipfile_serialization=as_zip)
    return [folder / name for name in files]


def small_entries() -> Entries:
    """The golden weights without G1's larger sides: what is left is a generator of 64 px."""
    entries = {name: dict(tensors) for name, tensors in official_weights().items()}
    for name in list(entries["g_ema"]):
        if re.search(r"convs\.|to_rgbs|noise_[1-9]", name):
            del entries["g_ema"][name]
    return entries


def full_size_entries(seed: int = 0) -> tuple[Entries, dict[str, nn.Module]]:
    """Random weights of the released sizes under the official names, and the networks of ours that they are of.

    The nine heads that nothing reads are left out of ``encoder``, for their size.
    """
    torch.manual_seed(seed)
    modules: dict[str, nn.Module] = {
        "generator": StyleSdfGenerator(StyleSdfConfig("full")),
        "encoder": StyleSdfEncoder(StyleSdfEncoderConfig("full")),
        "branch": StyleSdfLocalBranch(StyleSdfDetailConfig("full")),
    }
    for name_of_module, module in modules.items():
        for name, value in module.state_dict().items():
            if name.endswith("running_var"):
                value.uniform_(0.5, 1.5)
            elif value.ndim >= 2 and not name.startswith("decoder.noises"):
                value.normal_().div_(max(value[0].numel(), 1) ** 0.5 if "decoder" not in name else 1.0)
            elif name.endswith("bias") or "noise" in name:
                value.normal_(std=0.1)
            if name.startswith("renderer.network."):
                value.mul_(0.04)  # sines of frequency 30 on top of each other make noise of larger numbers
        module.eval().requires_grad_(False)
        if name_of_module != "generator":  # as weights are loaded, so that the same kernels compute the same numbers
            module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    generator, encoder, branch = (modules[name].state_dict() for name in ("generator", "encoder", "branch"))
    g_ema = {name: value for name, value in generator.items() if not name.endswith("_mean")}
    for level in range(4):
        g_ema[f"decoder.convs.{2 * level}.conv.blur.kernel"] = FILTER
        g_ema[f"decoder.to_rgbs.{level}.upsample.kernel"] = FILTER
    assert all(is_filter(name) for name in g_ema if name.endswith("kernel"))
    entries = {"g_ema": g_ema}
    for entry, prefix, tensors in (
        ("encoder", "code.", encoder),
        ("d", "pose.", encoder),
        ("netLocal", "local.", branch),
        ("grid_align", "aligner.", branch),
        ("Fuse_sft_block", "fusion.", branch),
    ):
        entries[entry] = {n.removeprefix(prefix): value for n, value in tensors.items() if n.startswith(prefix)}
    return entries, modules
