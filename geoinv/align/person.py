"""The person in an aligned photo, cut out of the background."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

_ROUNDS = 3


def person_mask(
    photo: NDArray[np.uint8],  # [S, S, 3] RGB
    likely: NDArray[np.bool_],  # [S, S]
) -> NDArray[np.bool_]:
    """[S, S] where the person is: GrabCut (Rother et al., SIGGRAPH 2004) about where one is likely.

    Args:
        photo: An aligned photo.
        likely: A guess, such as the outline of a reconstruction. Its core is taken for certain, and so is that far away
            from it there is none; what lies between is decided by colours.
    """
    side = photo.shape[0]
    solid = likely.astype(np.uint8)
    core = cv2.erode(solid, _disc(side // 6), borderValue=1)
    labels = np.where(solid > 0, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    labels[core > 0] = cv2.GC_FGD
    labels[cv2.dilate(solid, _disc(side // 3)) == 0] = cv2.GC_BGD
    if not core.any() or solid.all():  # nothing to learn the person's colours from, or the background's
        return likely
    cv2.setRNGSeed(0)  # it clusters colours from random starts
    models = np.zeros((1, 65)), np.zeros((1, 65))  # the rectangle is read in another mode alone
    cv2.grabCut(cv2.cvtColor(photo, cv2.COLOR_RGB2BGR), labels, (0, 0, 1, 1), *models, _ROUNDS, cv2.GC_INIT_WITH_MASK)
    found: NDArray[np.bool_] = (labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)
    return found


def likely_person(landmarks: NDArray[np.floating], side: int) -> NDArray[np.bool_]:
    """[side, side] where a head with hair and shoulders is likely about the landmarks [N, 2] in pixels of that side."""
    left, top, width, height = cv2.boundingRect(np.round(landmarks).astype(np.int32))
    centre = (int(left + width / 2), int(top + 0.38 * height))
    mask = np.zeros((side, side), np.uint8)
    cv2.ellipse(mask, centre, (int(0.78 * width), int(0.85 * height)), 0.0, 0.0, 360.0, 1, -1)
    shoulders = slice(max(0, int(centre[0] - 1.2 * width)), int(centre[0] + 1.2 * width))
    mask[int(top + 1.05 * height) :, shoulders] = 1
    return mask > 0


def _disc(diameter: int) -> NDArray[np.uint8]:
    side = diameter | 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)), np.uint8)
