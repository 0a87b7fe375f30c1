"""Writing a safetensors file tensor by tensor.

The library's own writer wants all tensors at once and their bytes beside them: twice the file in memory.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path

from torch import Tensor


def write_safetensors(
    path: Path,
    shapes: Mapping[str, tuple[int, ...]],
    read: Callable[[str], Tensor],
    metadata: Mapping[str, str],
) -> None:
    """Write float32 tensors in the order of ``shapes``.

    Args:
        path: The file.
        shapes: Shapes of all tensors, by name.
        read: A tensor by name, float32; called once for each.
        metadata: Text in the header.

    Source: https://huggingface.co/docs/safetensors: the header's length in 8 bytes, the header as JSON, the numbers.
    """
    header: dict[str, object] = {"__metadata__": dict(metadata)}
    end = 0
    for name, shape in shapes.items():
        start, end = end, end + 4 * math.prod(shape)
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # the numbers begin aligned
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little"))
        file.write(text)
        for name in shapes:
            file.write(read(name).contiguous().numpy().data)
