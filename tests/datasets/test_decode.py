"""Partial decoding gives the pixels of whole decoding; damage is an error."""

from __future__ import annotations

import random

import cv2
import numpy as np
import pytest

from pysot.datasets import decode
from pysot.datasets.decode import cut_rows, decode_image, decode_mask, decode_rows, read_header
from pysot.utils import InputError
from tests import drawn_crops

SUBSAMPLING = {
    "420": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
    "422": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422,
    "444": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
    "440": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_440,
}
BLOCK_WIDTH = {"420": 16, "422": 16, "444": 8, "440": 8}


def coded(width: int, height: int, sampling: str, *, restarts: bool, gray: bool = False) -> bytes:
    image = drawn_crops.textured(np.random.default_rng(width), height, width)
    block = 8 if gray else BLOCK_WIDTH[sampling]
    options = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, SUBSAMPLING[sampling]]
    options += [cv2.IMWRITE_JPEG_RST_INTERVAL, -(-width // block)] if restarts else []
    return cv2.imencode(".jpg", image[..., 0] if gray else image, options)[1].tobytes()


@pytest.mark.parametrize("sampling", SUBSAMPLING)
@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize("gray", [False, True])
def test_some_rows_are_those_of_the_whole_image(sampling: str, restarts: bool, gray: bool):
    rng = random.Random(0)
    for width, height in ((511, 511), (64, 350), (77, 128)):
        data = coded(width, height, sampling, restarts=restarts, gray=gray)
        whole, header = decode_image(data), read_header(data)
        assert whole.shape == (height, width, 3)
        assert header is not None
        assert (header.width, header.height, header.restarts) == (width, height, restarts)
        for _ in range(8):
            begin, end = sorted(rng.sample(range(height + 1), 2))
            first, part = decode_rows(data, range(begin, end), header=header)
            assert first <= begin < end <= first + len(part)
            assert len(part) < end - begin + 32 if restarts else first == 0
            np.testing.assert_array_equal(part, whole[first : first + len(part)])


def test_less_is_decoded_than_the_whole():
    data = coded(511, 511, "420", restarts=True)
    header = read_header(data)
    assert header is not None
    first, part = decode_rows(data, range(200, 320), header=header)
    assert (first, len(part)) == (192, 128)
    assert len(cut_rows(data, range(200, 320), header)[0]) < 0.4 * len(data)


@pytest.mark.parametrize("sampling", SUBSAMPLING)
def test_opencv_alone_gives_nearly_the_same(monkeypatch: pytest.MonkeyPatch, sampling: str):
    pytest.importorskip("simplejpeg")
    data = coded(511, 200, sampling, restarts=True)
    header = read_header(data)
    fast = [decode_image(data), decode_image(data, "RGB"), decode_rows(data, range(50, 90), header=header).pixels]
    monkeypatch.setattr(decode, "simplejpeg", None)
    plain = [decode_image(data), decode_image(data, "RGB"), decode_rows(data, range(50, 90), header=header).pixels]
    for one, other in zip(fast, plain, strict=True):
        assert one.shape == other.shape
        # Colours are blended between pixels by the one and repeated by the other; these are as loud as can be.
        assert np.abs(one.astype(int) - other).mean() < 4
    np.testing.assert_array_equal(fast[0][..., ::-1], fast[1])


def test_opencv_is_given_nothing_it_complains_about(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]):
    monkeypatch.setattr(decode, "simplejpeg", None)
    for restarts in (False, True):
        data = coded(511, 511, "420", restarts=restarts)
        decode_rows(data, range(100, 200), header=read_header(data))
    assert capfd.readouterr().err == ""


def test_a_progressive_file_is_decoded_whole():
    image = drawn_crops.textured(np.random.default_rng(0))
    data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
    header = read_header(data)
    assert header is not None
    assert cut_rows(data, range(10, 20), header) == (data, 0)
    assert decode_rows(data, range(10, 20), header=header).pixels.shape == (511, 511, 3)


def test_other_formats():
    image = drawn_crops.textured(np.random.default_rng(0), 40, 50)
    data = cv2.imencode(".png", image)[1].tobytes()
    assert read_header(data) is None
    np.testing.assert_array_equal(decode_image(data), image)
    np.testing.assert_array_equal(decode_image(data, "RGB"), image[..., ::-1])


@pytest.mark.parametrize("data", [b"", b"\xff\xd8", b"\xff\xd8\xff\xd9", b"not an image", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_image_is_an_error(data: bytes):
    assert read_header(data) is None
    with pytest.raises(InputError, match=r"not an image that can be read|the JPEG ends early"):
        decode_image(data)
    with pytest.raises(InputError, match="not an image that can be read"):
        decode_mask(data)


def test_a_file_that_ends_early_is_an_error():
    data = coded(511, 511, "420", restarts=False)
    for length in range(100, len(data), len(data) // 20):
        with pytest.raises(InputError, match=f"the JPEG ends early, after {length} bytes"):
            decode_rows(data[:length], range(100, 200), header=read_header(data))


@pytest.mark.parametrize("seed", range(60))
def test_damage_is_an_error_or_an_image_of_the_right_size(seed: int):
    rng = random.Random(seed)
    data = bytearray(coded(64, 128, "420", restarts=bool(seed % 2)))
    for _ in range(rng.randrange(1, 20)):
        data[rng.randrange(len(data))] = rng.randrange(256)
    header = read_header(bytes(data))
    if header is None:
        return
    try:
        first, part = decode_rows(bytes(data), range(20, min(60, header.height)), header=header)
    except InputError:
        return
    assert part.shape[2] == 3
    assert first <= 20


def test_masks_of_any_kind():
    mask = np.zeros((20, 30), dtype=np.uint8)
    mask[3:9, 4:10] = 1
    for stored in (mask, mask * 255, np.dstack([mask * 0, mask, mask * 0])):
        data = cv2.imencode(".png", stored)[1].tobytes()
        np.testing.assert_array_equal(decode_mask(data), mask * 255)
