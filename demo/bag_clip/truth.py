"""The target's box from its mask."""

from __future__ import annotations

import cv2
import numpy as np

MASK_SCALE = 4  # the mask has this many pixels per picture pixel and axis


def rotated_box(mask: np.ndarray, previous: np.ndarray | None = None) -> np.ndarray:
    """The smallest rotated rectangle around a mask.

    The box encloses whole mask pixels, so that a mask of pixels 3..5 gives the edges 3 and 6. A box has no
    natural first corner: it is the upper left one, or with ``previous`` the one that keeps all corners nearest.

    Args:
        mask: (H * MASK_SCALE, W * MASK_SCALE) bool.
        previous: (4, 2) corners of the frame before.

    Returns:
        (4, 2) corners x, y in picture pixels, clockwise on the screen.
    """
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    points = np.concatenate(contours).reshape(-1, 2).astype(np.float32)
    corners = np.concatenate([points + offset for offset in ((0, 0), (1, 0), (0, 1), (1, 1))]).astype(np.float32)
    box = cv2.boxPoints(cv2.minAreaRect(corners)) / MASK_SCALE
    turns = [np.roll(box, -k, axis=0) for k in range(4)]
    if previous is None:
        return min(turns, key=lambda turned: float(turned[0].sum()))
    return min(turns, key=lambda turned: float(np.abs(turned - previous).sum()))
