"""Change a crop as another camera, light or moment would: one resampling of the image, then its colours.

`Augment.draw` decides, without seeing an image; `place` says which region of the image the crop then shows; `take`
resamples it; `recolor` does the rest. Boxes follow from the region alone (`box_in_crop`), masks are resampled with it.

Distances in an image that was cropped for training (crop511) are *crop pixels*: a template is 127 of them wide. In a
whole frame, a crop pixel is as many frame pixels as that target's template is wide, over 127.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

Uint8Image = NDArray[np.uint8]
FloatArray = NDArray[np.float64]

#: Side of a template in crop pixels, and of the crops, which no region leaves.
CROP_TEMPLATE, CROP_SIDE = 127, 511

# The principal axes of the colours in ImageNet's videos, as R, G, B, each as long as a tenth of the standard deviation
# along it (bertinetto/siamese-fc; the numbers stand in PySOT and SiamMask too). The long axis changes the brightness,
# the other two the hue. PySOT multiplies by the transpose, which changes blue by 8 levels and red by 1.
_COLOR_AXES_RGB = np.array(
    [
        [-0.55919361, 0.98062831, -0.41940627],
        [1.72091413, 0.19879334, -1.82968581],
        [4.64467907, 4.73710203, 4.88324118],
    ]
)
_BLUR_SIZES = np.arange(5, 46, 2)  # PySOT's
_JPEG_QUALITY = (15, 70)
_CUTOUT_SIDE = (0.3, 0.7)  # of the target's width and height
_UNIFORMS = 17


class Region(NamedTuple):
    """A rectangle of an image: the pixel in its corner, and its size in pixels.

    Whole numbers for crops, where a region is a block of pixels; fractions for frames, of which a pixel may be many
    of the network's.
    """

    left: float
    top: float
    width: float
    height: float


class Placement(NamedTuple):
    """Where the target is in an image.

    Attributes:
        center_x: Image pixels, of the target's centre.
        center_y: Alike.
        zoom: Image pixels per crop pixel; 1 in a crop.
    """

    center_x: float
    center_y: float
    zoom: float


class Blur(NamedTuple):
    """Half-transparent copies along both axes: ``upright`` of them vertical, the others horizontal."""

    size: int
    upright: float


class Change(NamedTuple):
    """What happens to one crop.

    Attributes:
        shift: x, y in crop pixels.
        scale: Factors on the width and height of the region that is shown.
        flip: Mirror left to right.
        offset: Levels added to the channels, in the crop's order of them.
        blur: Motion blur, or None.
        cutout: Where a patch lies: centre x, y and width, height as shares of the target's box; or None.
        quality: Of a second JPEG compression, or None.
    """

    shift: tuple[float, float]
    scale: tuple[float, float]
    flip: bool
    offset: tuple[int, int, int]
    blur: Blur | None
    cutout: tuple[float, float, float, float] | None
    quality: int | None


@dataclass(frozen=True)
class Augment:
    """What may happen to a crop.

    Attributes:
        shift: Largest shift to either side, crop pixels; uniform, so that no place is preferred (SiamRPN++'s spatial
            aware sampling).
        scale: Largest relative change of width and of height, each for itself.
        aspect: Largest relative change of width / height beyond that.
        blur: Probability of motion blur.
        flip: Probability of mirroring left to right.
        color: Probability of a colour offset.
        jpeg: Probability of a second JPEG compression.
        cutout: Probability that a patch hides a part of the target.
    """

    shift: float = 0.0
    scale: float = 0.0
    aspect: float = 0.0
    blur: float = 0.0
    flip: float = 0.0
    color: float = 0.0
    jpeg: float = 0.0
    cutout: float = 0.0

    def draw(self, rng: np.random.Generator, order: str = "BGR") -> Change:
        """Return one change; takes as many random numbers whatever the settings are.

        Args:
            rng: Source of all that is random.
            order: Order of the image's channels.
        """
        draw = rng.random(_UNIFORMS).tolist()
        normal = rng.standard_normal(3)
        offset = np.zeros(3)
        if draw[0] < self.color:
            offset = normal @ _COLOR_AXES_RGB
        if order == "BGR":
            offset = offset[::-1]
        stretch = (1 + self.aspect) ** (draw[5] - 0.5)
        low, high = _JPEG_QUALITY
        return Change(
            shift=(self.shift * (2 * draw[1] - 1), self.shift * (2 * draw[2] - 1)),
            scale=((1 + self.scale * (2 * draw[3] - 1)) * stretch, (1 + self.scale * (2 * draw[4] - 1)) / stretch),
            flip=draw[6] < self.flip,
            offset=tuple(np.rint(offset).astype(int).tolist()),
            blur=Blur(int(_BLUR_SIZES[int(draw[8] * len(_BLUR_SIZES))]), draw[9]) if draw[7] < self.blur else None,
            cutout=_cutout(draw[11:15]) if draw[10] < self.cutout else None,
            quality=low + int(draw[16] * (high - low + 1)) if draw[15] < self.jpeg else None,
        )

    def reach(self, side: float) -> int:
        """Return the side of the smallest centred square that holds every region, at most a crop's.

        Args:
            side: Of an unchanged region, crop pixels.
        """
        largest = side * (1 + self.scale) * np.sqrt(1 + self.aspect) + 2 * self.shift + 2
        return int(min(CROP_SIDE, np.ceil(largest) // 2 * 2 + 1))


def _cutout(draw: list[float]) -> tuple[float, float, float, float]:
    low, high = _CUTOUT_SIDE
    return draw[0], draw[1], low + (high - low) * draw[2], low + (high - low) * draw[3]


def place(change: Change, at: Placement, side: float, limits_wh: tuple[int, int] | None) -> Region:
    """Return the region of the image that a crop shows.

    As in PySOT, a region is no larger than the crop it is taken from, and its shift ends at the crop's border.

    Args:
        change: Its ``shift`` and ``scale``.
        at: The target in the image.
        side: Of the region without a change, crop pixels.
        limits_wh: Size of the image, if it is a crop; the region is then a block of its pixels. None for a frame,
            which may be left by as much as a crop of it would.
    """
    limit_x, limit_y = (CROP_SIDE * at.zoom, CROP_SIDE * at.zoom) if limits_wh is None else limits_wh
    width = min(side * change.scale[0] * at.zoom, limit_x)
    height = min(side * change.scale[1] * at.zoom, limit_y)
    if limits_wh is None:
        room_x, room_y = (limit_x - width) / 2, (limit_y - height) / 2
        shift_x = min(max(change.shift[0] * at.zoom, -room_x), room_x)
        shift_y = min(max(change.shift[1] * at.zoom, -room_y), room_y)
        left, top = at.center_x + shift_x - (width - 1) / 2, at.center_y + shift_y - (height - 1) / 2
        return Region(left, top, width, height)
    width, height = max(round(width), 1), max(round(height), 1)
    left = round(at.center_x + change.shift[0] * at.zoom - (width - 1) / 2)
    top = round(at.center_y + change.shift[1] * at.zoom - (height - 1) / 2)
    return Region(min(max(left, 0), limits_wh[0] - width), min(max(top, 0), limits_wh[1] - height), width, height)


def box_in_crop(region: Region, at: Placement, size_wh: ArrayLike, out_size: int, *, flip: bool = False) -> FloatArray:
    """Return x1, y1, x2, y2 of the target in a crop, where a pixel's position is its centre.

    Args:
        region: What the crop shows.
        at: The target's centre in the image.
        size_wh: (2,) the target's size, image pixels.
        out_size: Side of the crop, network pixels.
        flip: The crop is mirrored.
    """
    step_x, step_y = out_size / region.width, out_size / region.height
    center_x = (at.center_x - region.left + 0.5) * step_x - 0.5
    center_y = (at.center_y - region.top + 0.5) * step_y - 0.5
    if flip:
        center_x = out_size - 1 - center_x
    width, height = np.asarray(size_wh, dtype=np.float64)
    half_x, half_y = float(width) * step_x / 2, float(height) * step_y / 2
    return np.array([center_x - half_x, center_y - half_y, center_x + half_x, center_y + half_y])


def take(
    image: Uint8Image, region: Region, out_size: int, *, flip: bool, border: ArrayLike, out: Uint8Image | None = None
) -> Uint8Image:
    """Return a region of an image, resized bilinearly and mirrored, in one resampling.

    Args:
        image: (H, W, 3) or (H, W) uint8; of a region inside, no more rows than the region has are needed.
        region: May leave the image.
        out_size: Side of the crop, network pixels.
        flip: Mirror left to right.
        border: (3,) or () colour of what lies outside the image.
        out: Where to write the crop.

    Returns:
        (out_size, out_size, ...) uint8.
    """
    height, width = image.shape[:2]
    left, top, wide, high = region
    is_block = all(isinstance(value, int) for value in region)
    if is_block and left >= 0 and top >= 0 and left + wide <= width and top + high <= height:
        block = image[top : top + high, left : left + wide]
        if not flip:
            return cv2.resize(block, (out_size, out_size), dst=out, interpolation=cv2.INTER_LINEAR)  # type: ignore
        resized = cv2.resize(block, (out_size, out_size), interpolation=cv2.INTER_LINEAR)
        return cv2.flip(resized, 1, dst=out)  # type: ignore[return-value]
    step_x, step_y = wide / out_size, high / out_size
    to_image = np.array([[step_x, 0, left + step_x / 2 - 0.5], [0, step_y, top + step_y / 2 - 0.5]])
    if flip:
        to_image[0] = [-step_x, 0, left + wide - step_x / 2 - 0.5]
    return cv2.warpAffine(  # type: ignore[return-value]
        image,
        to_image,
        (out_size, out_size),
        dst=out,
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=np.asarray(border, dtype=np.float64).reshape(-1).tolist(),
    )


def recolor(crop: Uint8Image, change: Change, box_xyxy: FloatArray, *, gray: bool, order: str = "BGR") -> None:
    """Change the colours of a crop in place: grey, colour offset, blur, cut-out, compression.

    Args:
        crop: (S, S, 3) uint8.
        change: What to do.
        box_xyxy: (4,) the target, for the cut-out.
        gray: Take the colours out first.
        order: Order of the channels.
    """
    if gray:
        code = cv2.COLOR_BGR2GRAY if order == "BGR" else cv2.COLOR_RGB2GRAY
        cv2.cvtColor(cv2.cvtColor(crop, code), cv2.COLOR_GRAY2BGR, dst=crop)
    # OpenCV is six times as fast with a scalar that fits the image's type: what is added and what is taken away.
    more, less = ([max(sign * level, 0) for level in change.offset] for sign in (1, -1))
    if any(more):
        cv2.add(crop, np.array([*more, 0], dtype=np.float64), dst=crop)
    if any(less):
        cv2.subtract(crop, np.array([*less, 0], dtype=np.float64), dst=crop)
    if change.blur is not None:
        size, upright = change.blur
        # The sum of an upright and a level line: two box filters, a hundredth of the time of the cross they make.
        cv2.addWeighted(cv2.blur(crop, (1, size)), upright, cv2.blur(crop, (size, 1)), 1 - upright, 0, dst=crop)
    if change.cutout is not None:
        rows, columns = cutout_slices(change.cutout, box_xyxy, crop.shape[0])
        crop[rows, columns] = np.rint(crop.mean(axis=(0, 1))).astype(np.uint8)
    if change.quality is not None:
        _, coded = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, change.quality])
        crop[:] = np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR))


def cutout_slices(cutout: tuple[float, float, float, float], box_xyxy: FloatArray, size: int) -> tuple[slice, slice]:
    """Return the rows and columns of a patch on the target, inside a crop of ``size`` pixels."""
    corner, extent = box_xyxy[:2], box_xyxy[2:] - box_xyxy[:2]
    center, half = corner + extent * cutout[:2], extent * cutout[2:] / 2
    (left, top), (right, bottom) = np.clip(np.rint([center - half, center + half]).astype(int), 0, size).tolist()
    return slice(top, bottom), slice(left, right)
