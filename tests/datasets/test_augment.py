"""Boxes and masks follow the pixels; every change is what its key says."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from pysot.datasets.augment import (
    Augment,
    Blur,
    Change,
    Placement,
    Region,
    box_in_crop,
    cutout_slices,
    place,
    recolor,
    take,
)
from tests.drawn_crops import textured

CENTER = Placement(255.0, 255.0, 1.0)
CROP = (511, 511)
NOTHING = Augment().draw(np.random.default_rng(0))
SEARCH = Augment(shift=64, scale=0.18, aspect=0.2, flip=0.5)


def drawn_box(image: np.ndarray) -> np.ndarray:
    """x1, y1, x2, y2 of what is bright, a pixel's position being its centre, edges where the brightness is half."""
    edges = []
    for axis in (0, 1):
        profile = image.max(axis=axis).astype(float) / 255
        inside = np.flatnonzero(profile >= 0.5)
        first, last = inside[0], inside[-1]
        # Where, between the last dark and the first bright pixel, half the brightness is reached.
        before, after = (profile[first - 1] if first else 0.0), (profile[last + 1] if last + 1 < len(profile) else 0.0)
        edges.append(
            (
                first - (profile[first] - 0.5) / (profile[first] - before),
                last + (profile[last] - 0.5) / (profile[last] - after),
            )
        )
    (left, right), (top, bottom) = edges
    return np.array([left, top, right, bottom])


@pytest.mark.parametrize("out_size", [127, 255, 239])
def test_boxes_are_where_the_rectangle_is_drawn(out_size: int):
    rng = np.random.default_rng(out_size)
    for _ in range(60):
        width, height = (2 * rng.integers(8, 40, 2) + 1).tolist()
        image = np.zeros(CROP, dtype=np.uint8)
        image[255 - height // 2 : 256 + height // 2, 255 - width // 2 : 256 + width // 2] = 255
        change = SEARCH.draw(rng)
        region = place(change, CENTER, out_size, CROP)
        crop = take(image, region, out_size, flip=change.flip, border=0)
        box = box_in_crop(region, CENTER, (width, height), out_size, flip=change.flip)
        visible = np.clip(box, -0.5, out_size - 0.5)
        np.testing.assert_allclose(drawn_box(crop), visible, atol=0.51)


def test_frames_give_what_crops_give():
    rng = np.random.default_rng(0)
    frame = textured(rng, 600, 800)
    for _ in range(30):
        zoom = rng.uniform(0.3, 1.0)
        at = Placement(*rng.uniform(250, 350, 2), zoom)
        change = SEARCH.draw(rng)
        region = place(change, at, 255, None)
        crop = take(frame, region, 255, flip=change.flip, border=0)
        # A pixel of the crop, and where it must come from.
        row, column = rng.integers(1, 254, 2)
        seen = 254 - column if change.flip else column
        x = region.left - 0.5 + (seen + 0.5) * region.width / 255
        y = region.top - 0.5 + (row + 0.5) * region.height / 255
        expected = cv2.getRectSubPix(frame, (1, 1), (x, y))[0, 0]
        np.testing.assert_allclose(crop[row, column], expected, atol=6)
        # The centre of the target lies where the box says.
        box = box_in_crop(region, at, (40 * zoom, 40 * zoom), 255, flip=change.flip)
        center = (box[:2] + box[2:]) / 2
        u = 254 - center[0] if change.flip else center[0]
        assert region.left - 0.5 + (u + 0.5) * region.width / 255 == pytest.approx(at.center_x)


def test_a_block_of_pixels_and_a_frame_are_resampled_alike():
    image = textured(np.random.default_rng(1))
    for flip in (False, True):
        block = take(image, Region(100, 90, 280, 230), 255, flip=flip, border=0)
        general = take(image, Region(100.0, 90.0, 280.0, 230.0), 255, flip=flip, border=0)
        inner = np.s_[2:-2, 2:-2]  # at its border, a block repeats its pixels
        difference = np.abs(block[inner].astype(int) - general[inner])
        assert difference.max() <= 4  # OpenCV's warp rounds coordinates to 1/32 pixel
        assert difference.mean() < 0.6


def test_what_lies_outside_a_frame_has_the_border_colour():
    frame = np.full((50, 60, 3), 200, dtype=np.uint8)
    crop = take(frame, Region(-100.0, -100.0, 120.0, 120.0), 127, flip=False, border=(1, 2, 3))
    assert crop[5, 5].tolist() == [1, 2, 3]
    assert crop[-5, -5].tolist() == [200, 200, 200]


def test_an_unchanged_crop_is_the_middle_of_the_image():
    image = textured(np.random.default_rng(0))
    for size in (127, 255):
        region = place(NOTHING, CENTER, size, CROP)
        start = 255 - size // 2
        assert region == (start, start, size, size)
        np.testing.assert_array_equal(
            take(image, region, size, flip=False, border=0), image[start : start + size, start : start + size]
        )
        # PySOT: the box is centred on pixel size // 2.
        assert box_in_crop(region, CENTER, (40, 20), size).tolist() == [
            size // 2 - 20,
            size // 2 - 10,
            size // 2 + 20,
            size // 2 + 10,
        ]


def reference_region(change: Change, size: int) -> tuple[float, float, float, float]:
    """PySOT's crop in a crop of 511: corners at pixel centres, scaled, then shifted as far as the crop goes."""
    half_x, half_y = (size - 1) / 2 * change.scale[0], (size - 1) / 2 * change.scale[1]
    shift_x = max(half_x - 255, min(255 - half_x, change.shift[0]))
    shift_y = max(half_y - 255, min(255 - half_y, change.shift[1]))
    return 255 + shift_x - half_x, 255 + shift_y - half_y, 255 + shift_x + half_x, 255 + shift_y + half_y


@pytest.mark.parametrize("size", [127, 255, 431])
def test_regions_are_the_reference_s_up_to_whole_pixels(size: int):
    rng = np.random.default_rng(0)
    augment = Augment(shift=64, scale=0.18)
    for _ in range(200):
        change = augment.draw(rng)
        region = place(change, CENTER, size, CROP)
        assert all(isinstance(value, int) for value in region)
        corners = (region.left, region.top, region.left + region.width - 1, region.top + region.height - 1)
        np.testing.assert_allclose(corners, reference_region(change, size), atol=1.3)
        assert min(corners) >= 0
        assert max(corners) <= 510


def test_shifts_are_uniform_and_scales_within_bounds():
    rng = np.random.default_rng(0)
    changes = [SEARCH.draw(rng) for _ in range(4000)]
    shifts = np.array([change.shift for change in changes])
    counts, _ = np.histogram(shifts, bins=16, range=(-64, 64))
    assert np.abs(counts - 500).max() < 100  # 4.6 standard deviations
    assert abs(np.corrcoef(shifts.T)[0, 1]) < 0.06
    scales = np.array([change.scale for change in changes])
    limit = 1.18 * np.sqrt(1.2)
    assert 0.97 * limit < scales.max() <= limit
    assert 0.82 / np.sqrt(1.2) <= scales.min() < 0.80
    assert abs(np.mean([change.flip for change in changes]) - 0.5) < 0.03


def test_a_setting_changes_nothing_but_its_own_part():
    everything = Augment(64, 0.18, 0.3, 1.0, 1.0, 1.0, 1.0, 1.0)
    for seed in range(20):
        full, plain = everything.draw(np.random.default_rng(seed)), SEARCH.draw(np.random.default_rng(seed))
        assert full.shift == plain.shift
        rngs = [np.random.default_rng(seed) for _ in range(2)]
        everything.draw(rngs[0])
        Augment().draw(rngs[1])
        assert rngs[0].random() == rngs[1].random()


def test_colour_offsets_follow_the_axes_of_imagenet():
    rng = np.random.default_rng(0)
    offsets = np.array([Augment(color=1.0).draw(rng, "RGB").offset for _ in range(20000)])
    axes = np.array([[-0.559, 0.981, -0.419], [1.721, 0.199, -1.830], [4.645, 4.737, 4.883]])
    np.testing.assert_allclose(np.cov(offsets.T), axes.T @ axes + np.eye(3) / 12, atol=1.0)
    bgr = np.array([Augment(color=1.0).draw(np.random.default_rng(5), "BGR").offset])
    assert bgr[0, ::-1].tolist() == list(Augment(color=1.0).draw(np.random.default_rng(5), "RGB").offset)
    crop = np.full((9, 9, 3), 250, dtype=np.uint8)
    recolor(crop, NOTHING._replace(offset=(-7, 3, 9)), np.zeros(4), gray=False)
    assert crop[4, 4].tolist() == [243, 253, 255]  # cut off, not wrapped around


@pytest.mark.parametrize(("size", "upright"), [(5, 0.0), (25, 0.3), (45, 1.0), (7, 0.5)])
def test_blur_is_a_cross(size: int, upright: float):
    crop = textured(np.random.default_rng(0), 255, 255)
    kernel = np.zeros((size, size))
    kernel[:, size // 2] += upright / size
    kernel[size // 2, :] += (1 - upright) / size
    expected = cv2.filter2D(crop, -1, kernel)
    recolor(crop, NOTHING._replace(blur=Blur(size, upright)), np.zeros(4), gray=False)
    assert np.abs(crop.astype(int) - expected).max() <= 1


def test_grey_has_three_equal_channels():
    for order in ("BGR", "RGB"):
        crop = textured(np.random.default_rng(0), 64, 64)
        weights = np.array([0.114, 0.587, 0.299] if order == "BGR" else [0.299, 0.587, 0.114])
        expected = crop @ weights
        recolor(crop, NOTHING, np.zeros(4), gray=True, order=order)
        assert (crop == crop[..., :1]).all()
        assert np.abs(crop[..., 0] - expected).max() < 1


def test_a_cut_out_hides_a_part_of_the_target():
    rng = np.random.default_rng(0)
    box = np.array([60.0, 40.0, 160.0, 120.0])
    for _ in range(50):
        change = Augment(cutout=1.0).draw(rng)
        assert change.cutout is not None
        crop = textured(rng, 255, 255)
        before, fill = crop.copy(), np.rint(crop.mean(axis=(0, 1)))
        recolor(crop, change, box, gray=False)
        rows, columns = cutout_slices(change.cutout, box, 255)
        assert (crop[rows, columns] == fill).all()
        crop[rows, columns] = before[rows, columns]
        np.testing.assert_array_equal(crop, before)
        assert 30 <= columns.stop - columns.start <= 71
        assert 24 <= rows.stop - rows.start <= 57
        center = np.array([columns.start + columns.stop, rows.start + rows.stop]) / 2
        assert (center >= box[:2] - 1).all()
        assert (center <= box[2:] + 1).all()


def test_compression_noise_grows_as_the_quality_falls():
    original = textured(np.random.default_rng(0), 255, 255)
    errors = []
    for quality in (70, 40, 15):
        crop = original.copy()
        recolor(crop, NOTHING._replace(quality=quality), np.zeros(4), gray=False)
        errors.append(np.abs(crop.astype(int) - original).mean())
    assert 0 < errors[0] < errors[1] < errors[2] < 40


def test_the_reach_holds_every_region():
    rng = np.random.default_rng(0)
    for side, augment in ((127, Augment(4, 0.05)), (255, SEARCH), (255, Augment(0, 0.0)), (480, SEARCH)):
        reach = augment.reach(side)
        assert reach <= 511
        assert reach % 2 == 1
        for _ in range(300):
            region = place(augment.draw(rng), CENTER, side, CROP)
            assert region.left >= 255 - reach // 2
            assert region.left + region.width <= 256 + reach // 2
            assert region.top + region.height <= 256 + reach // 2
