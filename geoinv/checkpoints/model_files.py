"""Files of a model: where its parts lie, and whether they belong together."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from ..errors import CheckpointError
from ..folders import cache_dir, sha256_of, weights_dir
from .index import load_index

Part = Literal["generator", "encoder", "encoder-nogeometry", "directions", "details"]
_GENERATOR = "-generator.safetensors"
_CONVERTED_BY_HAND = "e3dge"  # nobody serves its files at a plain address


def model_file(model: str, part: Part) -> Path:
    """Path of a part of a model, which may be missing.

    Args:
        model: A name, whose files are ``NAME-PART.safetensors`` in the folder of shipped or of fetched weights; or the
            path of a generator, which is itself, with the other parts beside it: ``X.safetensors`` and
            ``X-generator.safetensors`` have ``X-PART.safetensors``.
        part: Part of the model.
    """
    if model.endswith(".safetensors") or os.sep in model:
        path = Path(model)
        if part == "generator":
            return path
        return path.with_name(f"{path.stem.removesuffix('-generator')}-{part}.safetensors")
    folder = weights_dir()
    is_fetched = not (folder / f"{model}{_GENERATOR}").is_file() and (cache_dir() / f"{model}{_GENERATOR}").is_file()
    return (cache_dir() if is_fetched else folder) / f"{model}-{part}.safetensors"


def model_name(model: str) -> str:
    """Return the name of a model that was given by name or by its generator's path: without folders, for reports."""
    if model.endswith(".safetensors") or os.sep in model:
        return Path(model).stem.removesuffix("-generator")
    return model


def generator_path(model: str) -> Path:
    """The file of a generator, by name ("mini") or path.

    Raises:
        CheckpointError: There is no such file; the hint lists the names that exist, or how to fetch it.
    """
    path = model_file(model, "generator")
    if path.is_file():
        return path
    if model.endswith((".pkl", ".pt", ".pth")):
        raise CheckpointError(
            f"{model} is no file of geoinv",
            f"convert it: geoinv weights convert {model} {Path(model).stem}.safetensors",
        )
    if model == _CONVERTED_BY_HAND:
        files = "ffhq1024x1024.pt ffhq_vol_renderer.pt E3DGE_Full_Runner.pt"
        raise CheckpointError(
            f"the weights of model {model!r} are not here",
            f"get E3DGE's files, then: geoinv weights convert {files} {model}",
        )
    entry = load_index().get(model)
    if entry is not None and entry.url is not None:
        accept = " --accept-licence" if entry.non_commercial else ""
        read = f"read {entry.licence_url or 'the licence'}, then " if accept else ""
        raise CheckpointError(
            f"the weights of model {model!r} are not here", f"{read}get them: geoinv weights fetch {model}{accept}"
        )
    names = sorted(
        {p.name.removesuffix(_GENERATOR) for d in (weights_dir(), cache_dir()) for p in d.glob(f"*{_GENERATOR}")}
    )
    raise CheckpointError(f"no weights of model {model!r} at {path}", f"known models: {', '.join(names) or 'none'}")


def trained_for_others(model: str, path: Path, extra: Mapping[str, Any], *, encoder: Path | None = None) -> str | None:
    """Why the weights at ``path`` do not belong to a model, or None where they do or do not say.

    Args:
        model: Name or path of the generator.
        path: The weights' file, for the message.
        extra: Their header's ``extra``, where ``generator_sha256`` and ``encoder_sha256`` name the files that were
            beside them in training.
        encoder: The encoder that is used; None for the one that lies beside the generator.
    """
    others = {"generator": model_file(model, "generator"), "encoder": encoder or model_file(model, "encoder")}
    for part, other in others.items():
        expected = extra.get(f"{part}_sha256")
        if expected is not None and other.is_file() and expected != (found := sha256_of(other)):
            return f"{path} was trained for other weights than {other} ({str(expected)[:12]}, not {found[:12]})"
    return None
