"""`geoinv weights convert`, whoever made the files."""

from __future__ import annotations

from pathlib import Path

from ..errors import CheckpointError
from .e3dge_convert import ConvertedModel, convert_e3dge
from .eg3d_convert import Converted, convert_eg3d
from .eg3d_files import is_eg3d
from .network_files import read_network_file


def convert(sources: list[Path], target: Path) -> Converted | ConvertedModel:
    """Write the networks of one model as files of ours. No code of the files is run.

    Args:
        sources: One file of EG3D; or of StyleSDF the generator, and of E3DGE what inverts photos into it.
        target: The generator's ``.safetensors`` file.

    Raises:
        CheckpointError: A file is cut, damaged, an attack, of something else, or of networks that ours do not compute.
    """
    of_eg3d = [path for path in sources if is_eg3d(read_network_file(path))]
    if of_eg3d and len(sources) > 1:
        raise CheckpointError(f"{of_eg3d[0]} is a whole model of EG3D", "convert it by itself")
    return convert_eg3d(sources[0], target) if of_eg3d else convert_e3dge(sources, target)
