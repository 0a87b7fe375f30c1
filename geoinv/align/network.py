"""TensorFlow Lite networks run by OpenCV, safe to share between threads."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..errors import CheckpointError


class TFLiteNetwork:
    """A network with one picture as its input.

    OpenCV keeps inputs and outputs inside the network: two threads that use one at once get errors, or each other's
    results in silence. So one thread at a time runs it; OpenCV itself computes with several.

    Args:
        path: The ``.tflite`` file.

    Raises:
        CheckpointError: The file is missing or unreadable.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise CheckpointError(
                f"no face model at {path}", hint="reinstall geoinv, or set GEOINV_WEIGHTS to its weights"
            )
        try:
            self._net = cv2.dnn.readNetFromTFLite(str(path))
        except cv2.error as error:
            raise CheckpointError(f"OpenCV cannot read {path}", hint="the file is damaged: reinstall geoinv") from error
        self._lock = threading.Lock()

    def __call__(self, pixels: NDArray[np.float32], outputs: tuple[str, ...]) -> list[NDArray[Any]]:
        """The named outputs for a picture [H, W, 3] in the network's own range."""
        blob = np.ascontiguousarray(pixels.transpose(2, 0, 1)[None])
        with self._lock:
            self._net.setInput(blob)
            # One by one, since OpenCV 5 raises on a list of names; copied, since the next run may write there.
            return [np.array(self._net.forward(name)) for name in outputs]
