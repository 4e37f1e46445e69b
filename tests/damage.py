"""Named ways in which disks, editors, scripts and downloads leave files: annotations and images."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable

import cv2
import numpy as np

Damage = Callable[[bytes], bytes]

_WEB_PAGE = b"<!DOCTYPE html>\n<html><body><h1>404 Not Found</h1></body></html>\n"
_JUNK = np.random.default_rng(0).integers(0, 256, 4096, dtype=np.uint8).tobytes()


def _numbers(text: bytes) -> Damage:
    """Return what puts a text in the place of every number."""
    return lambda data: re.sub(rb"-?\d+(\.\d+)?", text, data)


def _last_number(text: bytes) -> Damage:
    return lambda data: re.sub(rb"(-?\d+(\.\d+)?)(?=\D*\Z)", text, data)


def _in_the_middle(text: bytes) -> Damage:
    return lambda data: data[: len(data) // 2] + text + data[len(data) // 2 :]


#: Of annotations of any format.
TEXT: dict[str, Damage] = {
    "empty": lambda data: b"",
    "one byte": lambda data: data[:1],
    "half": lambda data: data[: len(data) // 2],
    "without its last byte": lambda data: data.rstrip()[:-1],
    "without its first byte": lambda data: data[1:],
    "twice": lambda data: data + data,
    "blank": lambda data: b" \r\n\t\n" * 9,
    "with a byte order mark": lambda data: b"\xef\xbb\xbf" + data,
    "in UTF-16": lambda data: data.decode().encode("utf-16"),
    "with a byte that is no text": _in_the_middle(b"\xff"),
    "with a zero byte": _in_the_middle(b"\0"),
    "with lines of Windows": lambda data: data.replace(b"\n", b"\r\n"),
    "with a foreign letter": _in_the_middle("ß".encode()),
    "a web page": lambda data: _WEB_PAGE,
    "an image": lambda data: b"\x89PNG\r\n\x1a\n" + _JUNK,
    "junk": lambda data: _JUNK,
    "junk behind it": lambda data: data + _JUNK,
    "a number": lambda data: b"0",
    "a word": lambda data: b'"box"',
    "nothing, in JSON": lambda data: b"null",
    "a list": lambda data: b"[]",
    "an object": lambda data: b"{}",
    "lists in lists": lambda data: b"[" * 50_000,
    "objects in objects": lambda data: b'{"a":' * 50_000,
    "one long line": lambda data: b"9" * 200_000,
    "numbers not a number": _numbers(b"nan"),
    "numbers NaN": _numbers(b"NaN"),
    "numbers infinite": _numbers(b"Infinity"),
    "numbers too large to be": _numbers(b"1e999"),
    "numbers huge": _numbers(b"99999999999999999999"),
    "numbers of thousands of digits": _numbers(b"9" * 5000),
    "numbers negative": _numbers(b"-7"),
    "numbers zero": _numbers(b"0"),
    "numbers words": _numbers(b"wide"),
    "numbers quoted": _numbers(b'"12"'),
    "numbers missing": _numbers(b""),
    "the last number not a number": _last_number(b"nan"),
    "the last number zero": _last_number(b"0"),
    "the last number negative": _last_number(b"-30"),
    "the last number a word": _last_number(b"x"),
    "the last number missing": _last_number(b""),
    "commas for points": lambda data: data.replace(b".", b","),
    "semicolons for commas": lambda data: data.replace(b",", b";"),
    "without commas": lambda data: data.replace(b",", b" "),
    "without its first line": lambda data: data.partition(b"\n")[2],
    "its lines backwards": lambda data: b"\n".join(reversed(data.split(b"\n"))),
}


def _jpeg(*size_wh: int) -> bytes:
    return cv2.imencode(".jpg", np.full((*size_wh[::-1], 3), 99, np.uint8))[1].tobytes()


def _png(image: np.ndarray) -> bytes:
    return cv2.imencode(".png", image)[1].tobytes()


def _says_size(width: int, height: int) -> Damage:
    """Return what makes a JPEG's or PNG's header claim another size."""

    def change(data: bytes) -> bytes:
        if data[:4] == b"\x89PNG":
            return data[:16] + struct.pack(">II", width, height) + data[24:]
        at = next(found.start() for found in re.finditer(rb"\xff[\xc0-\xc2]", data))
        return data[: at + 5] + struct.pack(">HH", height, width) + data[at + 9 :]

    return change


#: Of images. None of these leaves pixels, size and format as they were.
IMAGE: dict[str, Damage] = {
    "empty": lambda data: b"",
    "one byte": lambda data: data[:1],
    "two bytes": lambda data: data[:2],
    "its header alone": lambda data: data[:30],
    "a fifth": lambda data: data[: len(data) // 5],
    "half": lambda data: data[: len(data) // 2],
    "without its last two bytes": lambda data: data[:-2],
    "a web page": lambda data: _WEB_PAGE,
    "junk": lambda data: _JUNK,
    "zeros": lambda data: bytes(len(data)),
    "another magic number": lambda data: b"RIFF" + data[4:],
    "without its first bytes": lambda data: data[16:],
    "with a byte order mark": lambda data: b"\xef\xbb\xbf" + data,
    "as text": lambda data: data.decode("utf-8", "replace").encode(),
    "with lines of Windows": lambda data: data.replace(b"\n", b"\r\n") + b"\r\n" * 600,
    "junk in its header": lambda data: data[:2] + _JUNK[:200] + data[202:],
    "junk in its middle": lambda data: data[: len(data) // 2] + _JUNK[:500] + data[len(data) // 2 + 500 :],
    "one pixel": lambda data: _jpeg(1, 1),
    "another size": lambda data: _jpeg(255, 255),
    "one row": lambda data: _jpeg(511, 1),
    "grey": lambda data: _png(np.full((511, 511), 7, np.uint8)),
    "16 bits deep": lambda data: _png(np.full((511, 511, 3), 777, np.uint16)),
    "with transparency": lambda data: _png(np.full((511, 511, 4), 7, np.uint8)),
    "says it has no height": _says_size(511, 0),
    "says it has no width": _says_size(0, 511),
    "says it is enormous": _says_size(65500, 65500),
    "says it is higher": _says_size(511, 2000),
    "says it is wider": _says_size(2000, 511),
}
