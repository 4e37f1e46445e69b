"""The window: whether there can be one, drawing a start box in it, showing frames until a key closes it."""

from __future__ import annotations

import os
import subprocess
import sys

import cv2
import numpy as np

from pysot.geometry import as_bgr_uint8

CLOSE_KEYS = (27, ord("q"), ord("Q"))
_PROBE = "import cv2; cv2.namedWindow('probe', cv2.WINDOW_NORMAL); cv2.destroyAllWindows()"
_PROBE_SECONDS = 20


def can_show() -> bool:
    """Say whether OpenCV can open a window here.

    A child process tries it: OpenCV without windows (opencv-python-headless) raises, but Qt ends the whole
    process when DISPLAY names a display that does not answer, which cannot be caught.
    """
    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return False
    try:
        probe = subprocess.run([sys.executable, "-c", _PROBE], capture_output=True, timeout=_PROBE_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return probe.returncode == 0


def select_box(frame: np.ndarray, title: str) -> np.ndarray | None:
    """Have the user drag a box on ``frame``; return it as (4,) float64 x, y, w, h, or None."""
    # A window of its own kind first: selectROI's own does not shrink a frame larger than the screen.
    cv2.namedWindow(title, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO)
    box = cv2.selectROI(title, as_bgr_uint8(frame), showCrosshair=False, fromCenter=False)
    cv2.destroyWindow(title)
    return np.array(box, np.float64) if box[2] > 0 and box[3] > 0 else None


class Window:
    """A window that shows frames until q or Esc is pressed or it is closed."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._open = False

    def show(self, image: np.ndarray) -> bool:
        """Show ``image`` (BGR uint8) and return whether to go on."""
        if self._open and cv2.getWindowProperty(self._title, cv2.WND_PROP_VISIBLE) < 1:
            return False
        if not self._open:
            cv2.namedWindow(self._title, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO)
            cv2.resizeWindow(self._title, image.shape[1], image.shape[0])
            self._open = True
        cv2.imshow(self._title, image)
        return cv2.waitKey(1) & 0xFF not in CLOSE_KEYS

    def close(self) -> None:
        """Close the window."""
        if self._open:
            cv2.destroyAllWindows()
            self._open = False
