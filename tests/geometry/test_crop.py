"""Crops: corners by hand, pixels against the literal way (pad the whole frame, cut, resize), and the way back."""

from __future__ import annotations

import tracemalloc

import cv2
import numpy as np
import pytest

from pysot.geometry import Rounding, context_side, crop_corner, crop_square, paste_back
from pysot.geometry import crop as crop_module

# Centre, side, and the corner for each rounding, worked out by hand. An odd side around a whole pixel c covers
# c - (side - 1) / 2 to c + (side - 1) / 2; PySOT and DaSiamRPN start one pixel before that.
CORNERS = [
    #  c     side  floor(c - side/2)  rint(c - (side+1)/2)  rint(c - (side-1)/2)
    (50.0, 11, 44, 44, 45),
    (50.5, 11, 45, 44, 46),  # 44.5 -> 44, 45.5 -> 46: half to even
    (51.5, 11, 46, 46, 46),  # 45.5 -> 46, 46.5 -> 46
    (50.0, 10, 45, 44, 46),  # 44.5 -> 44, 45.5 -> 46
    (51.0, 10, 46, 46, 46),  # 45.5 -> 46, 46.5 -> 46
    (50.25, 11, 44, 44, 45),
    (50.75, 11, 45, 45, 46),
    (-3.2, 4, -6, -6, -5),  # -5.2, -5.7, -4.7
    (0.0, 1, -1, -1, 0),
    (-0.5, 1, -1, -2, 0),  # -1.0, -1.5 -> -2, -0.5 -> -0
]


@pytest.mark.parametrize(("center", "side", "pysot", "dasiamrpn", "siamfc"), CORNERS)
def test_corner_by_hand(center, side, pysot, dasiamrpn, siamfc):
    expected = {Rounding.PYSOT: pysot, Rounding.DASIAMRPN: dasiamrpn, Rounding.SIAMFC: siamfc}
    for rounding, corner in expected.items():
        assert crop_corner([center, 7.0], side, rounding)[0] == corner, rounding
        assert crop_corner([7.0, center], side, rounding)[1] == corner, rounding


def test_corner_is_of_whole_python_numbers():
    for rounding in Rounding:
        assert [type(value) for value in crop_corner(np.float32([3.3, 4.4]), 5, rounding)] == [int, int]


def test_context_side_by_hand():
    # p = 0.5 * (30 + 50) = 40: sqrt(70 * 90)
    assert context_side([30, 50], 0.5) == pytest.approx(np.sqrt(6300))
    assert context_side([30, 50], 0.0) == pytest.approx(np.sqrt(1500))
    assert context_side([16, 16], 0.5) == 32


def literal_crop(frame, corner_xy, side, out_size, border):
    """Pad the whole frame as far as needed, cut, resize."""
    (left, top), (height, width) = corner_xy, frame.shape[:2]
    before_x, before_y = max(0, -left), max(0, -top)
    after_x, after_y = max(0, left + side - width), max(0, top + side - height)
    padded = np.empty((before_y + height + after_y, before_x + width + after_x, 3), np.uint8)
    padded[:] = np.asarray(border).astype(np.uint8)
    padded[before_y : before_y + height, before_x : before_x + width] = frame
    patch = padded[before_y + top : before_y + top + side, before_x + left : before_x + left + side]
    return patch if side == out_size else cv2.resize(patch, (out_size, out_size))


def test_pixels_are_those_of_padding_the_whole_frame():
    rng = np.random.default_rng(0)
    positions = set()
    for _ in range(300):
        height, width = rng.integers(1, 90, 2)
        frame = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        side, out_size = int(rng.integers(1, 120)), int(rng.choice([1, 31, 64, 127]))
        corner = int(rng.integers(-150, width + 60)), int(rng.integers(-150, height + 60))
        border = frame.mean(axis=(0, 1))
        crop = crop_square(frame, corner, side, out_size, border)
        np.testing.assert_array_equal(crop, literal_crop(frame, corner, side, out_size, border))
        assert crop.shape == (out_size, out_size, 3)
        assert crop.dtype == np.uint8
        across = np.intersect1d(np.arange(corner[0], corner[0] + side), np.arange(width)).size
        down = np.intersect1d(np.arange(corner[1], corner[1] + side), np.arange(height)).size
        positions.add("outside" if 0 in (across, down) else "inside" if across == down == side else "partly")
    assert positions == {"inside", "outside", "partly"}


def test_border_colour_is_cut_to_integers():
    frame = np.zeros((4, 4, 3), np.uint8)
    assert crop_square(frame, (-9, -9), 5, 5, [9.9, 100.5, 254.999])[0, 0].tolist() == [9, 100, 254]


def test_crop_inside_of_the_right_size_is_a_view():
    frame = np.random.default_rng(1).integers(0, 256, (50, 60, 3), dtype=np.uint8)
    crop = crop_square(frame, (3, 4), 20, 20, (0, 0, 0))
    assert np.shares_memory(crop, frame)
    np.testing.assert_array_equal(crop, frame[4:24, 3:23])
    assert np.shares_memory(crop_square(frame, (10, 0), 50, 50, (0, 0, 0)), frame)  # touching three edges


@pytest.mark.parametrize("corner", [(500, 500), (-50, -50), (1900, 1400), (-900, 20)])
def test_no_copy_of_the_frame_is_made(corner):
    frame = np.zeros((1500, 2000, 3), np.uint8)
    tracemalloc.start()
    crop_square(frame, corner, 200, 127, (1, 2, 3))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * 200 * 200 * 3 < frame.nbytes / 20


@pytest.mark.parametrize("layout", ["flipped", "transposed", "strided"])
def test_frame_need_not_be_contiguous(layout):
    base = np.random.default_rng(2).integers(0, 256, (80, 80, 3), dtype=np.uint8)
    frame = {"flipped": base[:, ::-1, ::-1], "transposed": base.transpose(1, 0, 2), "strided": base[::2, ::2]}[layout]
    whole = np.ascontiguousarray(frame)
    for corner in ((5, 5), (-8, 30)):
        expected = crop_square(whole, corner, 25, 63, (9, 9, 9))
        np.testing.assert_array_equal(crop_square(frame, corner, 25, 63, (9, 9, 9)), expected)


def smooth_frame(height, width):
    """Brightness that changes slowly, so that interpolating at a coordinate cut to 1/32 pixel changes little."""
    y, x = np.mgrid[:height, :width]
    waves = [127 + 100 * np.sin(x / 9 + k) * np.cos(y / 11 - k) for k in range(3)]
    return np.stack(waves, axis=-1).astype(np.uint8)


def test_a_patch_too_large_to_cut_is_sampled_to_the_same_picture(monkeypatch):
    frame = smooth_frame(200, 260)
    border = frame.mean(axis=(0, 1))
    for corner, side in (((-40, -60), 300), ((-200, 50), 411), ((30, -10), 280), ((-1000, -900), 2000)):
        cut = crop_square(frame, corner, side, 127, border).astype(int)
        monkeypatch.setattr(crop_module, "_LONGEST_PATCH", 1)
        sampled = crop_square(frame, corner, side, 127, border).astype(int)
        monkeypatch.undo()
        difference = np.abs(cut - sampled)
        # Where the frame's edge crosses a sample, 1/32 of a pixel is 1/32 of the step to the border colour.
        assert difference.mean() < 0.3
        assert difference.max() <= 8


def test_a_huge_patch_takes_no_memory():
    frame = smooth_frame(300, 400)
    tracemalloc.start()
    crop = crop_square(frame, (-100_000, -99_900), 200_000, 255, (7, 8, 9))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2_000_000
    assert (crop[0, 0] == (7, 8, 9)).all()
    assert not (crop[127, 127] == (7, 8, 9)).all()  # the frame is under one network pixel, the middle one


def test_paste_back_maps_the_frames_first_and_last_pixel_onto_the_maps():
    # A patch whose value is its own column (or row): what arrives at frame pixel x tells where it came from.
    height, width, size = 90, 120, 63
    patch_side, left, top = 42.0, 20.25, 30.5
    zoom = size / patch_side
    ramp = np.tile(np.arange(size, dtype=np.float32), (size, 1))
    across = paste_back(ramp, (left, top), patch_side, (height, width))
    down = paste_back(ramp.T.copy(), (left, top), patch_side, (height, width))
    # Frame pixels 0 .. W - 1 lie at 0 .. W on the scale of the box they fill, by the published trackers' convention.
    columns = (np.arange(width) * width / (width - 1) - left) * zoom
    rows = (np.arange(height) * height / (height - 1) - top) * zoom
    inside_x = (columns > 0) & (columns < size - 1)
    inside_y = (rows > 0) & (rows < size - 1)
    inside = np.ix_(inside_y, inside_x)
    np.testing.assert_allclose(across[inside], np.tile(columns[inside_x], (inside_y.sum(), 1)), atol=1 / 16)
    np.testing.assert_allclose(down[inside], np.tile(rows[inside_y][:, None], (1, inside_x.sum())), atol=1 / 16)


def test_paste_back_is_zero_outside_the_patch():
    pasted = paste_back(np.ones((31, 31), np.float32), (10.0, 20.0), 31.0, (300, 400))
    assert pasted.shape == (300, 400)
    assert pasted.dtype == np.float32
    assert pasted.sum() == pytest.approx(31 * 31, rel=0.02)
    ys, xs = np.nonzero(pasted > 0.5)
    assert (xs.min(), ys.min(), xs.max(), ys.max()) == (10, 20, 40, 50)
    ys, xs = np.nonzero(pasted)  # interpolation reaches one pixel farther
    assert xs.min() >= 9
    assert ys.min() >= 19
    assert xs.max() <= 41
    assert ys.max() <= 51
    assert not paste_back(np.ones((31, 31), np.float32), (-50.0, 20.0), 31.0, (300, 400)).any()


def test_a_mask_cut_out_and_pasted_back_covers_itself():
    mask = np.zeros((200, 300, 3), np.uint8)
    cv2.ellipse(mask, (140, 90), (30, 18), 25, 0, 360, (255, 255, 255), -1)
    side, size = 100, 127
    corner = crop_corner([140, 90], side, Rounding.PYSOT)
    patch = crop_square(mask, corner, side, size, (0, 0, 0))[..., 0].astype(np.float32) / 255
    back = paste_back(patch, corner, side, mask.shape[:2]) > 0.5
    truth = mask[..., 0] > 127
    assert (back & truth).sum() / (back | truth).sum() > 0.93
