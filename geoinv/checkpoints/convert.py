"""`geoinv weights convert`, whoever made the files."""

from __future__ import annotations

from pathlib import Path

from ..errors import CheckpointError, UsageError
from .e3dge_convert import ConvertedModel, convert_e3dge
from .eg3d_convert import Converted, convert_eg3d
from .eg3d_files import is_eg3d
from .network_files import read_network_file
from .triplanenet_convert import ConvertedEncoder, convert_triplanenet, is_triplanenet


def convert(
    sources: list[Path], target: Path, model: str | None = None
) -> Converted | ConvertedModel | ConvertedEncoder:
    """Write the networks of one model as files of ours. No code of the files is run.

    Args:
        sources: One file of EG3D; or of StyleSDF the generator, and of E3DGE what inverts photos into it; or one of
            TriPlaneNet.
        target: The generator's ``.safetensors`` file; of TriPlaneNet the file that its two lie beside.
        model: The generator that TriPlaneNet's networks belong to, by name or file.

    Raises:
        CheckpointError: A file is cut, damaged, an attack, of something else, or of networks that ours do not compute.
        UsageError: TriPlaneNet without ``model``, or anything else with it.
    """
    roots = {path: read_network_file(path) for path in sources}
    for kind, found in (
        ("an encoder of TriPlaneNet", [path for path, root in roots.items() if is_triplanenet(root)]),
        ("a whole model of EG3D", [path for path, root in roots.items() if is_eg3d(root)]),
    ):
        if found and len(sources) > 1:
            raise CheckpointError(f"{found[0]} is {kind}", "convert it by itself")
    if is_triplanenet(roots[sources[0]]):
        if model is None:
            raise UsageError(
                f"{sources[0]} is an encoder of TriPlaneNet, for a generator of EG3D", "name it: --model ffhq512-128"
            )
        return convert_triplanenet(sources[0], target, model)
    if model is not None:
        raise UsageError("--model goes with an encoder of TriPlaneNet alone", "leave it out")
    return convert_eg3d(sources[0], target) if is_eg3d(roots[sources[0]]) else convert_e3dge(sources, target)
