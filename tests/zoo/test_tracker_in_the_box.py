"""The tracker in the box: it comes with the package, follows a real-looking bag, and says when it is gone."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors import safe_open

import pysot
from pysot.demo.start import read_ground_truth
from pysot.geometry import iou_xywh
from pysot.zoo import DEFAULT_MODEL, FileState, cached_path, check, get_entry
from tools import test as test_tool

LARGEST = 10_000_000
"""Bytes of weights that may lie in the repository."""


def read_frames(video: Path, count: int) -> list[np.ndarray]:
    capture = cv2.VideoCapture(str(video))
    return [capture.read()[1] for _ in range(count)]


def test_it_comes_with_the_package_in_half_precision():
    entry = get_entry("default")
    assert check(entry).state is FileState.VERIFIED
    path = cached_path(entry)
    assert path.stat().st_size < LARGEST
    with safe_open(path, "pt") as file:
        tensors = [file.get_tensor(name) for name in file.keys()]  # noqa: SIM118  # it is no dict
        assert {tensor.dtype for tensor in tensors if tensor.ndim > 1} == {torch.float16}
        assert "siamrpn_nano" in file.metadata()["config"]


def test_it_follows_the_demo_clip(repo_root):
    frames = read_frames(repo_root / "demo" / "bag.avi", 60)
    truth = read_ground_truth(repo_root / "demo" / "bag.txt")[:60]
    tracker = pysot.load_tracker("default", device="cpu")
    tracker.init(frames[0], truth[0])
    found = np.array([tracker.track(frame).bbox for frame in frames[1:]])
    assert iou_xywh(found, truth[1:]).mean() > 0.7


def test_it_says_that_the_target_is_gone(repo_root):
    frames = read_frames(repo_root / "demo" / "bag.avi", 12)
    tracker = pysot.load_tracker("default", device="cpu")
    tracker.init(frames[0], read_ground_truth(repo_root / "demo" / "bag.txt")[0])
    assert not any(tracker.track(frame).lost for frame in frames[1:])
    # The same hall from its other side: the upper part of the picture, mirrored, has no luggage in it.
    empty = np.ascontiguousarray(cv2.resize(frames[0][:150, ::-1], (640, 480)))
    assert sum(tracker.track(empty).lost for _ in range(10)) >= 8


@pytest.mark.shared
@pytest.mark.slow
def test_success_on_four_sequences_of_otb(shared, tmp_path):
    """Four sequences that nothing was trained on."""
    from toolkit.datasets import load_dataset
    from toolkit.evaluate import evaluate
    from toolkit.runner import narrowed

    names = ["Couple", "Crossing", "Football1", "Jumping"]
    words = ["--dataset", "OTB100", "--dataset-root", shared / "data/otb", "--results", tmp_path, "--device", "cpu"]
    assert test_tool.main([*map(str, words), "--video", *names]) == 0
    dataset = narrowed(load_dataset("OTB100", shared / "data/otb"), names)
    assert evaluate(dataset, tmp_path).scores[DEFAULT_MODEL].value("success_auc") >= 0.66


@pytest.mark.shared
def test_overlap_on_the_vot_sequence_bag(shared):
    truth = read_ground_truth(shared / "data/bag/groundtruth.txt")
    frames = read_frames(shared / "data/bag/bag.avi", len(truth))
    tracker = pysot.load_tracker("default", device="cpu")
    tracker.init(frames[0], truth[0])
    found = np.array([tracker.track(frame).bbox for frame in frames[1:]])
    assert iou_xywh(found, truth[1:]).mean() >= 0.60
