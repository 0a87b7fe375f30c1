"""Files in the layout of EG3D's releases, made of our generators: what NVlabs' ``torch_utils.persistence`` writes.

While a file is written, stand-ins for NVlabs' modules are registered, so that the pickle names them. The source that
every object carries leaves a mark where it is run.
"""

from __future__ import annotations

import collections
import pickle
import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from geoinv.models.config import BackboneConfig, GeneratorConfig
from geoinv.models.generator import TriPlaneGenerator

MARK = "GEOINV_RAN_A_PICKLE"
SOURCE = f"import os\nos.environ[{MARK!r}] = '1'\nclass TriPlaneGenerator: ...\n" + "# padding\n" * 200
SUPERRESOLUTIONS = {
    "hybrid2x": "SuperresolutionHybrid2X",
    "hybrid4x": "SuperresolutionHybrid4X",
    "hybrid8x": "SuperresolutionHybrid8X",
    "hybrid8xdc": "SuperresolutionHybrid8XDC",
}
_BUFFERS = ("noise_const", "w_avg", "resample_filter")
_FILTER = torch.tensor([1.0, 3.0, 3.0, 1.0]).outer(torch.tensor([1.0, 3.0, 3.0, 1.0])) / 64.0
_PLANE_AXES = torch.tensor(
    [[[1.0, 0, 0], [0, 1, 0], [0, 0, 1]], [[1, 0, 0], [0, 0, 1], [0, 1, 0]], [[0, 0, 1], [1, 0, 0], [0, 1, 0]]]
)


def small_release(config: GeneratorConfig) -> GeneratorConfig:
    """A release with few channels, rays and samples."""
    from dataclasses import replace

    backbone = replace(config.backbone, w_dim=32, channels=(8, 8, 8, 8, 8, 8, 4))
    return replace(
        config,
        mapping=replace(config.mapping, z_dim=16, w_dim=32, hidden=32),
        backbone=backbone,
        render=replace(config.render, num_samples=6, num_importance=6),
        neural_resolution=16,
    )


def official_arguments(config: GeneratorConfig) -> dict[str, Any]:
    """The constructor's arguments as EG3D's ``train.py`` writes them."""
    sizes = channel_sizes(config.backbone)
    render = config.render
    rendering = {
        "image_resolution": config.resolution,
        "disparity_space_sampling": False,
        "clamp_mode": "softplus",
        "superresolution_module": f"training.superresolution.{SUPERRESOLUTIONS[config.superresolution]}",
        "c_gen_conditioning_zero": config.mapping.label_scale == 0.0,
        "gpc_reg_prob": 0.5 if config.mapping.label_scale else None,
        "c_scale": 1.0,
        "superresolution_noise_mode": "none",
        "density_reg": 0.25,
        "density_reg_p_dist": 0.004,
        "reg_type": "l1",
        "decoder_lr_mul": 1.0,
        "sr_antialias": True,
        "depth_resolution": render.num_samples,
        "depth_resolution_importance": render.num_importance,
        "ray_start": render.near,
        "ray_end": render.far,
        "box_warp": render.box_side,
        "avg_camera_radius": config.orbit.radius,
        "avg_camera_pivot": list(config.orbit.pivot),
        **({"white_back": True} if config.white_back else {}),
    }
    return {
        "z_dim": config.mapping.z_dim,
        "w_dim": config.mapping.w_dim,
        "mapping_kwargs": {"num_layers": config.mapping.layers},
        **sizes,
        "fused_modconv_default": "inference_only",
        "rendering_kwargs": rendering,
        "num_fp16_res": 0,
        "sr_num_fp16_res": 4,
        "sr_kwargs": {**sizes, "fused_modconv_default": "inference_only"},
        "conv_clamp": None,
        "c_dim": 25,
        "img_resolution": config.resolution,
        "img_channels": 3,
    }


def channel_sizes(backbone: BackboneConfig) -> dict[str, int]:
    """EG3D's two numbers for the channels of a backbone."""
    return {"channel_base": 256 * backbone.channels[-1], "channel_max": backbone.channels[0]}


def official_tensors(generator: TriPlaneGenerator) -> dict[str, torch.Tensor]:
    """``state_dict`` as EG3D has it: ours and the low-pass filters of every convolution and block."""
    tensors = dict(generator.state_dict())
    for name in list(tensors):
        owner, _, last = name.rpartition(".")
        if last == "noise_const":
            tensors[f"{owner}.resample_filter"] = _FILTER
            tensors[f"{owner.rpartition('.')[0]}.resample_filter"] = _FILTER
    return tensors


def write_official_pickle(
    path: Path,
    generator: TriPlaneGenerator,
    *,
    arguments: dict[str, Any] | None = None,
    tensors: dict[str, torch.Tensor] | None = None,
    has_others: bool = True,
    protocol: int = 4,
    **state: Any,
) -> Path:
    """A pickle as ``training_loop.py`` writes it; ``state`` is set on the generator.

    Args:
        path: The file.
        generator: Whose numbers it has.
        arguments: Of the constructor; by default those of the generator's configuration.
        tensors: Instead of the generator's.
        has_others: Whether to put ``G`` and ``D`` beside ``G_ema``.
        protocol: Of the pickle.
    """
    with _nvlabs_modules() as make:
        network = make(
            tensors if tensors is not None else official_tensors(generator),
            arguments if arguments is not None else official_arguments(generator.config),
            {"neural_rendering_resolution": generator.config.neural_resolution, "_last_planes": None, **state},
        )
        others = {"G": network, "D": network} if has_others else {}
        root = {"training_set_kwargs": {"path": "data"}, **others, "G_ema": network, "augment_pipe": None}
        with path.open("wb") as file:
            pickle.dump(root, file, protocol=protocol)
    return path


def write_state_dict(path: Path, generator: TriPlaneGenerator, *, as_zip: bool = True, **extra: Any) -> Path:
    """What users of TriPlaneNet have: ``G_ema``, ``init_kwargs`` and ``latent_avg``, by ``torch.save``."""
    root = {
        "G_ema": collections.OrderedDict(official_tensors(generator)),
        "init_kwargs": official_arguments(generator.config),
        "latent_avg": torch.zeros(1, 512),
        **extra,
    }
    torch.save(root, path, _use_new_zipfile_serialization=as_zip)
    return path


@contextmanager
def _nvlabs_modules() -> Iterator[Any]:
    """Stand-ins for NVlabs' modules while a file is written; yields what makes their network."""
    names = [
        "torch_utils",
        "torch_utils.persistence",
        "dnnlib",
        "dnnlib.util",
        "training",
        "training.volumetric_rendering",
        "training.volumetric_rendering.renderer",
        "training.triplane",
    ]
    modules = {name: types.ModuleType(name) for name in names}
    for name, module in modules.items():
        if "." in name:
            setattr(modules[name.rpartition(".")[0]], name.rpartition(".")[2], module)

    def _reconstruct_persistent_obj(meta: Any) -> Any:
        raise AssertionError("nothing here shall be reconstructed")

    class EasyDict(dict):
        pass

    class ImportanceRenderer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.plane_axes = _PLANE_AXES.clone()

    class OSGDecoder(nn.Module):
        """Saved without its source, other than the rest."""

    class Persistent(nn.Module):
        def __reduce__(self) -> Any:
            meta = {
                "type": "class",
                "version": 6,
                "module_src": SOURCE,
                "class_name": self.__dict__["_name"],
                "state": {key: value for key, value in self.__dict__.items() if key != "_name"},
            }
            return (_reconstruct_persistent_obj, (meta,), None)

    for value, home in (
        (_reconstruct_persistent_obj, "torch_utils.persistence"),
        (EasyDict, "dnnlib.util"),
        (ImportanceRenderer, "training.volumetric_rendering.renderer"),
        (OSGDecoder, "training.triplane"),
    ):
        value.__module__, value.__qualname__ = home, value.__name__
        setattr(modules[home], value.__name__, value)

    def module_named(name: str) -> nn.Module:
        if name.endswith("decoder"):
            return OSGDecoder()
        if name.endswith("decoder.net"):
            return nn.Sequential()
        module = Persistent()
        module.__dict__["_name"] = "TriPlaneGenerator" if not name else "SynthesisLayer"
        module.weight_gain = np.float64(1.0) / np.sqrt(3)  # EG3D's layers hold numpy's numbers
        return module

    def make(tensors: dict[str, torch.Tensor], arguments: dict[str, Any], state: dict[str, Any]) -> nn.Module:
        root = module_named("")
        for full, tensor in tensors.items():
            *owners, last = full.split(".")
            module, name = root, ""
            for owner in owners:
                name = f"{name}.{owner}"
                if owner not in module._modules:
                    module.add_module(owner, module_named(name))
                module = module._modules[owner]
            if last in _BUFFERS:
                module.register_buffer(last, tensor)
            else:
                module.register_parameter(last, nn.Parameter(tensor.clone(), requires_grad=False))
        root.add_module("renderer", ImportanceRenderer())
        easy = EasyDict({**arguments, "mapping_kwargs": EasyDict(arguments.get("mapping_kwargs", {}))})
        root.__dict__.update(
            {"_init_args": (), "_init_kwargs": easy, "rendering_kwargs": arguments["rendering_kwargs"]}
        )
        root.__dict__.update(state)
        return root

    before = {name: sys.modules.get(name) for name in names}
    sys.modules.update(modules)
    try:
        yield make
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module
