"""The person in an aligned photo, cut out of the background.

MediaPipe's selfie segmentation (Apache-2.0, see the NOTICE in ``weights/face``) knows people from furniture and plants
by what they are. Colours alone (GrabCut) do not: on six portraits before shelves, grass and a skin-coloured wall its
masks overlapped with the person's outline by 0.77 to 0.99 (0.90 in the mean), those of the network by 0.97 to 1.00. On
the four examples the reconstruction fits the person as before (22.2, 28.2, 28.2, 25.6 dB; 1.4 more for the man) and no
longer takes the background beside the head for hair (``psnr_db`` counts that background, and falls by up to 2.2).
"""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from ..folders import weights_dir
from .network import TFLiteNetwork

_FILE = "selfie_segmentation.tflite"
_OUTPUT = "activation_10"
_SIDE = 256  # pixels of the network's input and output


def person_mask(photo: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """[S, S] where an aligned photo [S, S, 3] RGB shows a person, with hair and clothes.

    Raises:
        CheckpointError: The network's file is missing or damaged.
    """
    side = photo.shape[0]
    small = cv2.resize(photo, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA if side > _SIDE else cv2.INTER_LINEAR)
    (certainty,) = _network()(small.astype(np.float32) / 255.0, (_OUTPUT,))
    whole = cv2.resize(certainty.reshape(_SIDE, _SIDE), (side, side), interpolation=cv2.INTER_LINEAR)
    return np.asarray(whole > 0.5, np.bool_)


@cache
def _network() -> TFLiteNetwork:
    return TFLiteNetwork(weights_dir() / "face" / _FILE)
