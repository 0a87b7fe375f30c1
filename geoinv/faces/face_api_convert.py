"""face-api's weight files to safetensors: ``python -m geoinv.faces.face_api_convert PACKAGE/model weights/face``.

Reads tfjs weight manifests; values stay in the 8 bits that face-api quantised them to, with scale and minimum in the
header, so nothing is lost. The package is @vladmandic/face-api 1.7.15 from npm (``npm pack``); MIT, code and weights.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..errors import CheckpointError

FILES = {
    "identity": "face_recognition_model",
    "expression": "face_expression_model",
    "age_gender": "age_gender_model",
}
"""Our name -> face-api's."""


def read_manifest(folder: Path, name: str) -> tuple[dict[str, Tensor], dict[str, tuple[float, float]]]:
    """All tensors of one face-api model as stored, and each one's (scale, minimum); every byte accounted for."""
    tensors: dict[str, Tensor] = {}
    ranges: dict[str, tuple[float, float]] = {}
    for group in json.loads((folder / f"{name}-weights_manifest.json").read_text()):
        buffer = b"".join((folder / path).read_bytes() for path in group["paths"])
        offset = 0
        for entry in group["weights"]:
            count = int(np.prod(entry["shape"], dtype=np.int64))
            quantisation = entry.get("quantization") or {"dtype": "float32", "scale": 1.0, "min": 0.0}
            kind = np.dtype(quantisation["dtype"])
            values = np.frombuffer(buffer, kind, count, offset).reshape(entry["shape"])
            tensors[entry["name"]] = torch.from_numpy(values.copy())
            ranges[entry["name"]] = (quantisation["scale"], quantisation["min"])
            offset += count * kind.itemsize
        if offset != len(buffer):
            raise CheckpointError(f"{name}: the manifest names {offset} bytes, the files hold {len(buffer)}")
    return tensors, ranges


def convert(package_models: Path, out: Path) -> None:
    """Write the three networks as safetensors into ``out``, bytes as face-api quantised them."""
    from safetensors.torch import save_file

    out.mkdir(parents=True, exist_ok=True)
    for ours, theirs in FILES.items():
        tensors, ranges = read_manifest(package_models, theirs)
        source = f"@vladmandic/face-api 1.7.15 model/{theirs}.bin"
        metadata = {"licence": "MIT", "source": source, "ranges": json.dumps(ranges)}
        path = out / f"{ours}.safetensors"
        save_file(tensors, path, metadata=metadata)
        path.chmod(0o644)  # safetensors makes private files


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]))
