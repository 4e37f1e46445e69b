"""What is drawn is where it should be, in colours that tell targets apart, and nothing else changes."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from demo_material import FakePrediction

from pysot.demo import annotate
from pysot.demo.draw import LOST_GREY, MASK_OPACITY, colour_of

GREY = np.full((360, 480, 3), 90, np.uint8)
BOX = np.array([200.0, 150.0, 80.0, 60.0])


def is_colour(image: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    return (np.abs(image.astype(int) - colour) <= 2).all(axis=-1)


def test_box_is_drawn_on_its_edges_and_the_frame_is_left_as_it_was():
    frame = GREY.copy()
    image = annotate(frame, {1: FakePrediction(BOX)})
    np.testing.assert_array_equal(frame, GREY)
    drawn = is_colour(image, colour_of(1))
    assert drawn[150, 205:275].all()
    assert drawn[210, 205:275].all()
    assert drawn[155:205, 200].all()
    assert drawn[155:205, 280].all()
    assert not drawn[155:205, 205:275].any()


def test_nothing_is_drawn_away_from_the_target_and_the_status():
    image = annotate(GREY, {1: FakePrediction(BOX)}, "frame 3   20.0 fps")
    changed = (image != GREY).any(axis=-1)
    changed[115:215, 195:285] = False  # the box and its label
    rows, columns = np.nonzero(changed)
    assert rows.max() < 30
    assert columns.max() < 200


def test_rotated_box_is_drawn_through_its_corners():
    polygon = np.array([240.0, 140.0, 280.0, 180.0, 240.0, 220.0, 200.0, 180.0])
    drawn = is_colour(annotate(GREY, {1: FakePrediction(BOX, polygon=polygon)}), colour_of(1))
    assert drawn[160, 220]
    assert drawn[200, 260]
    assert drawn[200, 220]


def test_mask_is_translucent():
    mask = np.zeros(GREY.shape[:2], bool)
    mask[160:200, 210:270] = True
    image = annotate(GREY, {1: FakePrediction(BOX, mask=mask)})
    expected = 90 * (1 - MASK_OPACITY) + np.array(colour_of(1)) * MASK_OPACITY
    np.testing.assert_allclose(image[180, 240], expected, atol=1)
    np.testing.assert_array_equal(image[155, 240], GREY[0, 0])


def test_lost_target_is_dashed_labelled_grey_and_has_no_mask():
    mask = np.zeros(GREY.shape[:2], bool)
    mask[160:200, 210:270] = True
    image = annotate(GREY, {1: FakePrediction(BOX, mask=mask, lost=True)})
    edge = is_colour(image, colour_of(1))[150:211, 280]
    assert 0.3 < edge.mean() < 0.75
    assert is_colour(image, LOST_GREY)[120:150, 195:285].any()
    np.testing.assert_array_equal(image[180, 240], GREY[0, 0])


def test_neighbouring_targets_have_clearly_different_colours():
    colours = np.array([colour_of(number) for number in range(1, 9)], float)
    distances = np.linalg.norm(colours[:, None] - colours[None], axis=-1)
    assert distances[~np.eye(8, dtype=bool)].min() > 60
    assert colour_of(9) == colour_of(1)


@pytest.mark.parametrize(("shape", "width"), [((360, 480), 2), ((2160, 3840), 16)])
def test_line_width_follows_the_frame_size(shape, width):
    frame = np.full((*shape, 3), 90, np.uint8)
    box = np.array([shape[1] * 0.25, shape[0] * 0.5, shape[1] * 0.5, shape[0] * 0.25])
    row = annotate(frame, {1: FakePrediction(box)})[int(shape[0] * 0.6), : shape[1] // 2]
    assert is_colour(row, colour_of(1)).sum() == pytest.approx(width, abs=1)


def test_frame_smaller_than_its_text_is_no_failure():
    assert annotate(GREY[:4, :5], {1: FakePrediction(np.array([1.0, 1, 2, 2]))}, "frame 1").shape == (4, 5, 3)


@pytest.mark.parametrize(
    "box", [[-500, -500, 100, 100], [470, 350, 100, 100], [-10, -10, 30, 30], [1e9, -1e9, 1e9, 1e9], [10, 10, 0, 0]]
)
@pytest.mark.parametrize("lost", [False, True])
def test_box_off_the_frame_is_no_failure(box, lost):
    assert annotate(GREY, {1: FakePrediction(np.array(box, float), lost=lost)}).shape == GREY.shape


@pytest.mark.parametrize(("dtype", "channels"), [(np.uint8, 1), (np.uint16, 1), (np.uint8, 4), (np.uint16, 3)])
def test_any_frame_becomes_a_bgr_picture(dtype, channels):
    frame = np.full((72, 96, channels), 90, dtype) * (256 if dtype == np.uint16 else 1)
    image = annotate(frame.astype(dtype), {})
    assert (image.shape, image.dtype) == ((72, 96, 3), np.uint8)
    np.testing.assert_array_equal(image, 90)


def test_label_names_the_target_only_among_several():
    alone = annotate(GREY, {1: FakePrediction(BOX)})
    both = annotate(GREY, {1: FakePrediction(BOX), 2: FakePrediction(BOX + np.array([0, 120, 0, 0]))})
    width = [is_colour(image, colour_of(1))[140].sum() for image in (alone, both)]
    assert width[1] > width[0]


def test_text_can_be_read_on_every_label():
    for number in range(1, 9):
        image = annotate(np.full((360, 480, 3), 90, np.uint8), {number: FakePrediction(BOX)})
        label = cv2.cvtColor(image[128:148, 203:240], cv2.COLOR_BGR2GRAY)
        assert int(label.max()) - int(label.min()) > 90
