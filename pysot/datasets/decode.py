"""Images from bytes: as few rows as are needed, as fast as the installed decoder allows.

Decoding is most of what a training pair costs. A baseline JPEG stores its rows from top to bottom, so one whose header
is changed to a smaller height is a valid image of the upper rows: what lies below the crop is never decoded. Where a
restart marker stands before every row of blocks, as in the crops that this project writes, the rows above it can be
left out as well.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from pysot.utils import InputError

try:
    import simplejpeg
except ImportError:  # an extra: decodes colour JPEGs in two thirds of OpenCV's time
    simplejpeg = None

Uint8Image = NDArray[np.uint8]
Order = Literal["BGR", "RGB"]

_SOF_BASELINE = (0xC0, 0xC1)
_SOF = (*_SOF_BASELINE, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF)
_SOS, _DRI, _RST0 = 0xDA, 0xDD, 0xD0
_START, _END = b"\xff\xd8", b"\xff\xd9"
# A damaged header may claim thousands of times the pixels there are, and the decoder would ask for their memory.
_MOST_PIXELS = 2**27


class Rows(NamedTuple):
    """Some rows of an image: the number of the first one, and the pixels, (H, W, 3) uint8."""

    first: int
    pixels: Uint8Image


def decode_image(data: bytes, order: Order = "BGR") -> Uint8Image:
    """Return an image.

    Args:
        data: A file that OpenCV can read: JPEG, PNG, ...
        order: Order of the channels.

    Returns:
        (H, W, 3) uint8; an orientation noted in the file is not applied, as boxes refer to the stored pixels.

    Raises:
        InputError: This is no image, or a JPEG that ends early.
    """
    return decode_rows(data, None, order).pixels


def decode_rows(data: bytes, needed: range | None, order: Order = "BGR", header: JpegHeader | None = None) -> Rows:
    """Return an image, or the part of it that has the rows ``needed`` and is least work.

    Args:
        data: As `decode_image`.
        needed: Rows, or None for all.
        order: Order of the channels.
        header: The JPEG's, from `read_header`; without it, all rows are decoded.

    Raises:
        InputError: As `decode_image`.
    """
    first = 0
    if data[:2] == _START:
        # A decoder fills up what is missing with grey and calls it a success.
        if _END not in data[-1024:]:
            raise InputError(f"the JPEG ends early, after {len(data)} bytes")
        _check_size(data, header)
        # OpenCV prints a complaint about what is left behind the last row.
        if needed is not None and header is not None and (simplejpeg is not None or header.restarts):
            data, first = cut_rows(data, needed, header)
        image = _decode_jpeg(data, order) if simplejpeg is not None else None
        if image is not None:
            return Rows(first, image)
    decoded = _decode(data, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    if order == "RGB":
        cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB, dst=decoded)
    return Rows(first, decoded)


def decode_mask(data: bytes) -> Uint8Image:
    """Return an (H, W) mask, 255 where the stored image is not 0, else 0.

    Raises:
        InputError: This is no image.
    """
    decoded = _decode(data, cv2.IMREAD_UNCHANGED)
    if decoded.ndim == 3:
        decoded = decoded[..., :3].max(axis=2)
    return np.where(decoded > 0, np.uint8(255), np.uint8(0))


class JpegHeader(NamedTuple):
    """What is needed of a JPEG's header.

    Attributes:
        width: Pixels.
        height: Pixels.
        height_at: Where the height is written.
        block: Rows of pixels that are coded together.
        scan_at: Where the coded blocks begin; 0 if they are not one after the other.
        restarts: There is a restart marker between any two rows of blocks.
    """

    width: int
    height: int
    height_at: int
    block: int
    scan_at: int
    restarts: bool


def cut_rows(data: bytes, needed: range, header: JpegHeader) -> tuple[bytes, int]:
    """Return a JPEG with the rows ``needed`` and as few others as can be, and the number of its first row.

    That is less than the whole for baseline files with their colours in one scan, as cameras and crops have them.

    Example:
        >>> _, file = cv2.imencode(".jpg", np.zeros((100, 50, 3), np.uint8), [cv2.IMWRITE_JPEG_RST_INTERVAL, 4])
        >>> part, first = cut_rows(file.tobytes(), range(40, 60), read_header(file.tobytes()))
        >>> first, decode_image(part).shape
        (32, (32, 50, 3))
    """
    if not header.scan_at:
        return data, 0
    begin, end = needed.start // header.block, -(-min(needed.stop, header.height) // header.block)
    if header.restarts:
        scan = _restart(data, header.scan_at, begin, end)
    else:
        begin, scan = 0, data[header.scan_at :]
    height = min(end * header.block, header.height) - begin * header.block
    upper, lower = data[: header.height_at], data[header.height_at + 2 : header.scan_at]
    return b"".join((upper, height.to_bytes(2, "big"), lower, scan)), begin * header.block


def _restart(data: bytes, at: int, begin: int, end: int) -> bytes:
    """Return the rows of blocks ``begin`` to ``end`` of a scan with a restart marker before each, counted anew."""
    parts = []
    for number in range(end):
        # In a scan, 0xff is followed by a restart marker's number or by a 0; the last row ends with the image.
        marker = bytes((0xFF, _RST0 + number % 8))
        stop = data.find(marker, at)
        stop = data.rfind(_END) if stop < 0 else stop
        if number >= begin:  # the first of these needs no marker before it
            parts += [bytes((0xFF, _RST0 + (number - begin - 1) % 8)), data[at:stop]]
        at = stop + 2
    return b"".join((*parts[1:], _END))


def read_header(data: bytes) -> JpegHeader | None:
    """Return what is needed of a JPEG's header, or None where there is none."""
    if data[:2] != _START:
        return None
    at, height_at, interval, scan_at = 2, 0, 0, 0
    while at + 9 < len(data) and data[at] == 0xFF:
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if marker in _SOF:
            height_at, baseline, components = at + 5, marker in _SOF_BASELINE, data[at + 9]
        elif marker == _DRI:
            interval = int.from_bytes(data[at + 4 : at + 6], "big")
        elif marker == _SOS:
            scan_at = at + 2 + length if height_at and baseline and data[at + 4] == components else 0
            break
        at += 2 + length
    if not height_at or height_at + 5 + 3 * components > len(data):
        return None
    height, width = (int.from_bytes(data[place : place + 2], "big") for place in (height_at, height_at + 2))
    # Each colour says how often it is sampled in a block, across in the upper four bits, down in the lower.
    sampling = data[height_at + 6 : height_at + 5 + 3 * components : 3]
    across, down = max((item >> 4 for item in sampling), default=0), max((item & 15 for item in sampling), default=0)
    if not (width and height and across and down):
        return None
    if components == 1:
        across = down = 1
    restarts = interval == -(-width // (8 * across))
    return JpegHeader(width, height, height_at, 8 * down, scan_at, restarts)


def _check_size(data: bytes, header: JpegHeader | None) -> None:
    """Raise if a JPEG claims to be larger than any image is."""
    found = header or read_header(data)
    if found is not None and found.width * found.height > _MOST_PIXELS:
        size = f"{found.width} x {found.height}"
        raise InputError(f"the JPEG says it has {size} pixels: expected at most {_MOST_PIXELS / 2**20:g} million")


def _decode_jpeg(data: bytes, order: Order) -> Uint8Image | None:
    """Return the image, or None if this decoder cannot read it (four colours, for one)."""
    try:
        # Not strict: to the decoder, the bytes behind the last row look like damage. Fast upsampling repeats the
        # colour of four pixels instead of blending it into the next four: a level of difference on a few pixels.
        return np.asarray(simplejpeg.decode_jpeg(data, order, fastupsample=True, strict=False), dtype=np.uint8)
    except ValueError:
        return None


def _decode(data: bytes, flags: int) -> Uint8Image:
    """Return what OpenCV reads."""
    try:
        decoded = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), flags) if data else None
    except cv2.error as error:
        raise InputError(f"not an image that can be read: {error.err}") from error
    if decoded is None:
        raise InputError(f"not an image that can be read ({len(data)} bytes)")
    return np.asarray(decoded, dtype=np.uint8)
