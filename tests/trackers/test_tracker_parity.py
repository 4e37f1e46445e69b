"""Boxes, scores, rotated boxes and masks against recordings of the reference implementations."""

from __future__ import annotations

import numpy as np
import pytest

import pysot
import pysot.zoo
from pysot.geometry import bounding_box_of_polygon, xywh_to_cxcywh
from tests.parity import NAMES, Recording, read_video

pytestmark = pytest.mark.shared


@pytest.fixture(scope="module")
def bag(shared):
    return read_video(shared / "data" / "bag" / "bag.avi", 13)


# Its lost phase searches 831 pixels with a ResNet-50: a minute on one core.
_SLOW = {"siamrpn_r50_l234_dwxcorr_lt"}


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow if n in _SLOW else ()) for n in NAMES])
def test_boxes_are_the_references(name, shared, bag, tmp_path):
    recording = Recording.read(shared / "parity", name)
    tracker = pysot.build_tracker(pysot.load_cfg(recording.experiment), recording.network(tmp_path), device="cpu")
    tracker.init(bag[0], recording.meta["init_rect"])
    results = [tracker.track(frame) for frame in bag[1:]]

    boxes = np.stack([result.bbox for result in results])
    if "track/cxcywh" in recording.arrays:
        np.testing.assert_allclose(xywh_to_cxcywh(boxes), recording.arrays["track/cxcywh"], atol=0.01)
    else:
        np.testing.assert_allclose(boxes, recording.arrays["track/bbox"], atol=0.01)
    if "track/best_score" in recording.arrays:
        np.testing.assert_allclose(
            [result.score for result in results], recording.arrays["track/best_score"], atol=1e-4
        )
    if "track/polygon" in recording.arrays:
        np.testing.assert_allclose([result.polygon for result in results], recording.arrays["track/polygon"], atol=0.01)


@pytest.fixture(scope="module")
def trained():
    """SiamMask with its published weights, where they have been fetched."""
    entry = pysot.zoo.get_entry("siammask_r50_l3")
    if pysot.zoo.check(entry).state is not pysot.zoo.FileState.VERIFIED:
        pytest.skip("the weights are not in the cache: python tools/zoo.py fetch siammask_r50_l3")
    return pysot.load_tracker("siammask_r50_l3", device="cpu")


def test_trained_siammask_on_real_video(trained, shared):
    recording = Recording.read(shared / "parity", "siammask_r50_l3_trained_bag").arrays
    frames = read_video(shared / "data" / "bag" / "bag.avi", 61)
    trained.init(frames[0], recording["init_rect"])
    results = [trained.track(frame) for frame in frames[1:]]
    np.testing.assert_allclose([result.bbox for result in results], recording["bbox"], atol=0.01)
    np.testing.assert_allclose([result.score for result in results], recording["best_score"], atol=1e-4)
    np.testing.assert_allclose([result.polygon for result in results], recording["polygon"], atol=0.01)
    np.testing.assert_allclose([result.mask.sum() for result in results], recording["mask_area"], rtol=1e-3)
    shape = recording["mask_shape"]
    mask = np.unpackbits(recording["mask_frame10_packed"])[: shape.prod()].reshape(shape).astype(bool)
    assert (results[9].mask != mask).mean() < 1e-4


@pytest.mark.slow
def test_trained_siammask_overlaps_the_ground_truth(trained, shared):
    from toolkit.overlap import vot_overlap

    frames = read_video(shared / "data" / "bag" / "bag.avi")
    truth = np.loadtxt(shared / "data" / "bag" / "groundtruth.txt", delimiter=",")
    trained.init(frames[0], bounding_box_of_polygon(truth[0]))
    height, width = frames[0].shape[:2]
    overlaps = [
        vot_overlap(trained.track(frame).polygon, polygon, (width, height))
        for frame, polygon in zip(frames[1:], truth[1:], strict=True)
    ]
    assert np.mean(overlaps) >= 0.70
    assert np.mean(overlaps) == pytest.approx(0.709, abs=0.001)
