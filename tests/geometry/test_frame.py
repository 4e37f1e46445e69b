"""Frames and start boxes: every kind that is taken, every message for what is not."""

from __future__ import annotations

import re

import numpy as np
import pytest

from pysot.geometry import as_bgr_uint8, check_box_xywh

RNG = np.random.default_rng(0)
BGR = RNG.integers(0, 256, (6, 8, 3), dtype=np.uint8)


def test_bgr_bytes_are_returned_as_they_are():
    assert as_bgr_uint8(BGR) is BGR


@pytest.mark.parametrize("shape", [(6, 8), (6, 8, 1)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_gray_is_repeated(shape, dtype):
    gray = RNG.integers(0, 256, shape).astype(dtype)
    frame = as_bgr_uint8(gray << 8 if dtype == np.uint16 else gray)
    assert frame.dtype == np.uint8
    np.testing.assert_array_equal(frame, np.repeat(gray.reshape(6, 8, 1), 3, axis=2))


def test_alpha_is_dropped():
    alpha = RNG.integers(0, 256, (6, 8, 1), dtype=np.uint8)
    np.testing.assert_array_equal(as_bgr_uint8(np.concatenate([BGR, alpha], axis=2)), BGR)


@pytest.mark.parametrize("channels", [3, 4])
def test_of_sixteen_bits_the_upper_byte_is_kept(channels):
    deep = RNG.integers(0, 2**16, (6, 8, channels), dtype=np.uint16)
    np.testing.assert_array_equal(as_bgr_uint8(deep), (deep // 256)[..., :3])


def test_any_memory_layout_will_do():
    np.testing.assert_array_equal(as_bgr_uint8(BGR[:, ::-1]), BGR[:, ::-1])
    rgba = np.concatenate([BGR, BGR[..., :1]], axis=2)
    np.testing.assert_array_equal(as_bgr_uint8(rgba[::-1, ::2]), BGR[::-1, ::2])
    np.testing.assert_array_equal(as_bgr_uint8(BGR[..., 0].T)[..., 1], BGR[..., 0].T)


def test_the_given_frame_is_not_changed():
    deep = RNG.integers(0, 2**16, (4, 4, 4), dtype=np.uint16)
    before = deep.copy()
    as_bgr_uint8(deep)
    np.testing.assert_array_equal(deep, before)


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (None, "a frame is a NumPy array (H, W, 3) uint8 BGR, got NoneType: the image could not be read"),
        ("frame.jpg", "a frame is a NumPy array (H, W, 3) uint8 BGR, got str"),
        (BGR.tolist(), "a frame is a NumPy array (H, W, 3) uint8 BGR, got list"),
        (BGR[0, 0], "a frame has shape (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), got (3,)"),
        (BGR[None], "got (1, 6, 8, 3)"),
        (BGR[..., :2], "got (6, 8, 2)"),
        (BGR.transpose(2, 0, 1), "got (3, 6, 8)"),
        (BGR[:0], "the frame is empty: its shape is (0, 8, 3)"),
        (BGR[:, :0], "the frame is empty: its shape is (6, 0, 3)"),
        (BGR[:0, :, 0], "the frame is empty: its shape is (0, 8)"),
        (BGR.astype(np.float32), "a frame is uint8 (or uint16) with values from 0 up, got float32"),
        (BGR.astype(np.int64), "got int64"),
        (BGR > 9, "got bool"),
    ],
)
def test_what_is_no_frame(frame, message):
    with pytest.raises(ValueError, match=re.escape(message) + "$"):
        as_bgr_uint8(frame)


@pytest.mark.parametrize(
    "box",
    [
        (10, 20, 30, 40),
        [10.5, 20.25, 1, 1],
        np.array([10, 20, 30, 40], np.float32),
        (-29, -39, 30, 40),  # one pixel inside
        (99, 79, 30, 40),
        (-50, -50, 400, 400),  # all around the frame
    ],
)
def test_boxes_a_tracker_can_start_on(box):
    checked = check_box_xywh(box, (80, 100))
    assert checked.dtype == np.float64
    assert checked.tolist() == list(box)


def test_the_answer_is_not_the_callers_array():
    box = np.array([1.0, 2.0, 3.0, 4.0])
    checked = check_box_xywh(box, (80, 100))
    box[:] = 0
    assert checked.tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("box", "message"),
    [
        ((1, 2, 3), "a box is four numbers x, y, w, h, got (1, 2, 3)"),
        ([[1, 2, 3, 4]], "a box is four numbers x, y, w, h, got [[1, 2, 3, 4]]"),
        ([1, 2, [3], 4], "a box is four numbers x, y, w, h, got [1, 2, [3], 4]"),
        (None, "a box is four numbers x, y, w, h, got None"),
        ("box", "a box is four numbers x, y, w, h, got 'box'"),
        ([1, 2, 3, None], "the box [1.0, 2.0, 3.0, nan] has a value that is not finite"),
        ([1, 2, float("nan"), 4], "the box [1.0, 2.0, nan, 4.0] has a value that is not finite"),
        ([1, float("inf"), 3, 4], "the box [1.0, inf, 3.0, 4.0] has a value that is not finite"),
        ([1, 2, 0, 4], "the box [1.0, 2.0, 0.0, 4.0] is empty: width and height must be at least 1 pixel"),
        ([1, 2, 3, -4], "is empty: width and height must be at least 1 pixel"),
        ([1, 2, 3, 0.99], "is empty: width and height must be at least 1 pixel"),
        (
            [100, 2, 3, 4],
            "the box [100.0, 2.0, 3.0, 4.0] (x, y, w, h) lies outside the frame, which is 100 x 80",
        ),
        ([1, 80, 3, 4], "lies outside the frame, which is 100 x 80"),
        ([-3, 2, 3, 4], "lies outside the frame, which is 100 x 80"),
        ([1, -4, 3, 4], "lies outside the frame, which is 100 x 80"),
    ],
)
def test_what_is_no_start(box, message):
    with pytest.raises(ValueError, match=re.escape(message) + "$"):
        check_box_xywh(box, (80, 100))
