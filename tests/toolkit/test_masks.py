"""Masks: their text, their files, their score; from a tracker that draws them to the table."""

from __future__ import annotations

import json
import shutil
import weakref
from dataclasses import dataclass, replace

import cv2
import numpy as np
import pytest

from toolkit.datasets import load_dataset
from toolkit.errors import DatasetError, RegionError, ResultError
from toolkit.evaluate import GroundTruth, evaluate, score
from toolkit.masks import decode_mask, encode_mask, mask_iou, read_mask
from toolkit.metrics.mask_overlap import mask_scores
from toolkit.protocols import run_one_pass, save
from toolkit.results import read_masks, write_boxes, write_masks
from toolkit.tables import overall_table, to_text
from toolkit.tuning.scoring import Scorer

SIZE = (12, 8)  # width, height


def square(left: int, top: int, side: int = 4) -> np.ndarray:
    mask = np.zeros(SIZE[::-1], dtype=bool)
    mask[top : top + side, left : left + side] = True
    return mask


# As text.


def test_a_line_by_hand():
    mask = np.zeros((5, 6), dtype=bool)
    mask[1, 2] = mask[2, 2:5] = mask[3, 4] = True
    # The window is 3 x 3 at column 2, row 1: X.. XXX ..X, so none outside first, then 1, 2, 3, 2, 1.
    assert encode_mask(mask) == "m2,1,3,3,0,1,2,3,2,1"


def test_a_full_window_has_two_runs():
    assert encode_mask(np.ones((2, 3), dtype=bool)) == "m0,0,3,2,0,6"


def test_any_mask_survives_the_round_trip():
    rng = np.random.default_rng(0)
    for _ in range(50):
        height, width = rng.integers(1, 20, 2)
        mask = rng.random((height, width)) < rng.random()
        assert (decode_mask(encode_mask(mask), (width, height)) == mask).all()


@pytest.mark.parametrize("shift", [(-2, 0), (0, -3), (3, 1), (-9, 0), (0, 9)])
def test_what_lies_beyond_the_image_is_cut_off(shift):
    mask = square(3, 2)
    moved = np.zeros((40, 40), dtype=bool)
    moved[10:18, 10:22] = mask
    seen = moved[10 - shift[1] : 18 - shift[1], 10 - shift[0] : 22 - shift[0]]
    line = f"m{3 + shift[0]},{2 + shift[1]},4,4,0,16"
    assert (decode_mask(line, SIZE) == seen).all()


@pytest.mark.parametrize("line", ["1", "m", "m1,2,3", "m0,0,2,2,5", "m0,0,2,2,-1,5", "m0,0,2,x,4", "m0,0,-2,2,0,4"])
def test_what_is_no_mask_is_refused(line):
    with pytest.raises(RegionError, match="mask"):
        decode_mask(line, SIZE)


def test_overlap_by_hand():
    # 4 x 4 against the same one column over: 12 shared, 20 in either.
    assert mask_iou(square(3, 2), square(4, 2)) == 12 / 20
    assert mask_iou(square(0, 0), square(8, 4)) == 0
    assert np.isnan(mask_iou(np.zeros((2, 2), dtype=bool), np.zeros((2, 2), dtype=bool)))


# As files.


def test_result_file_byte_for_byte(tmp_path):
    write_masks(tmp_path / "a.txt", ["1", encode_mask(square(3, 2)), encode_mask(square(0, 0, 0))])
    assert (tmp_path / "a.txt").read_bytes() == b"1\nm3,2,4,4,0,16\nm0,0,1,1,1\n"
    masks = read_masks(tmp_path / "a.txt", 3)
    assert (masks.mask(1, SIZE) == square(3, 2)).all()
    assert not masks.mask(2, SIZE).any()


def test_faults_of_a_result_file_name_the_line(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("1\nm0,0,2,2,5\n")
    with pytest.raises(ResultError, match=r"a.txt line 2: .* 2 x 2: its runs have 5 pixels"):
        read_masks(path, 2).mask(1, SIZE)
    with pytest.raises(ResultError, match=r"2 masks, the sequence has 3 frames \(the file ends after line 2\)"):
        read_masks(path, 3)
    with pytest.raises(ResultError, match="no such file"):
        read_masks(tmp_path / "b.txt", 0)


def test_an_annotated_mask_is_what_is_not_black(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), np.array([[0, 1, 255]], dtype=np.uint8))
    assert read_mask(tmp_path / "a.png").tolist() == [[False, True, True]]
    with pytest.raises(DatasetError, match=r"b.png: no such file"):
        read_mask(tmp_path / "b.png")


# As a score.


def test_sequences_count_the_same_however_long_they_are():
    scores = mask_scores([np.array([np.nan, 1.0, 1.0, 1.0]), np.array([np.nan, 0.5]), np.empty(0)])
    assert scores.overlap[:2].tolist() == [1, 0.5]
    weights = np.array([[1.0, 1.0, 1.0], [0.0, 1.0, 1.0], [0.0, 0.0, 1.0]])
    np.testing.assert_array_equal(scores.statistics()["mask_iou"](weights), [0.75, 0.5, np.nan])


@dataclass
class Drawn:
    bbox: np.ndarray
    score: float
    polygon: None
    mask: np.ndarray | None


class OneColumnOff:
    """Draws the square of its frame one column to the right; the frame's brightness says where the square is."""

    def init(self, frame, box):
        pass

    def track(self, frame):
        left = int(frame[0, 0, 0]) // 10
        return Drawn(np.array([left, 2.0, 4.0, 4.0]), 1.0, None, square(left + 1, 2))


class Boxes:
    """Says the same and draws nothing."""

    def init(self, frame, box):
        pass

    def track(self, frame):
        answer = OneColumnOff().track(frame)
        return type("Answer", (), {"bbox": answer.bbox, "score": 1.0, "polygon": None})()


@pytest.fixture
def drawn(tmp_path):
    """Two sequences of 4 frames, a square that moves by a column; in one, nothing is seen in the third."""
    for name, hidden in (("seen", None), ("hidden", 2)):
        folder = tmp_path / "data/Drawn" / name
        for part in ("img", "mask"):
            (folder / part).mkdir(parents=True)
        for index in range(4):
            mask = square(index, 2) & (index != hidden)
            cv2.imwrite(str(folder / f"img/{index + 1:04d}.png"), np.full((*SIZE[::-1], 3), 10 * index, np.uint8))
            cv2.imwrite(str(folder / f"mask/{index + 1:04d}.png"), mask.astype(np.uint8) * 255)
        write_boxes(folder / "groundtruth_rect.txt", [[index, 2, 4, 4] for index in range(4)])
    return tmp_path


def run(tracker, dataset, results, name):
    for sequence in dataset.sequences:
        save("one_pass", results / "Drawn" / name, sequence.name, [run_one_pass(tracker, sequence)])


def test_from_a_tracker_to_the_table(drawn):
    dataset = load_dataset("Drawn", drawn / "data")
    run(OneColumnOff(), dataset, drawn / "results", "drawing")
    run(Boxes(), dataset, drawn / "results", "boxes")
    lines = (drawn / "results/Drawn/drawing/masks/hidden.txt").read_text().splitlines()
    assert lines == ["1", "m2,2,4,4,0,16", "m3,2,4,4,0,16", "m4,2,4,4,0,16"]
    assert not (drawn / "results/Drawn/boxes/masks").exists()
    evaluation = evaluate(dataset, drawn / "results")
    assert not evaluation.failures
    # 12 of 20 pixels in every frame but the given one, and the one in which there is nothing to draw.
    assert evaluation.scores["drawing"].value("mask_iou") == pytest.approx(0.6)
    assert np.isnan(evaluation.scores["boxes"].value("mask_iou"))
    assert evaluation.scores["boxes"].overall()["mask_iou"] is None
    table = to_text(overall_table(evaluation))
    assert "Mask IoU" in table
    assert [line.split()[5] for line in table.splitlines()[3:]] == ["-", "0.600"]


def test_scoring_holds_the_masks_of_no_more_than_two_frames(drawn, monkeypatch):
    dataset = load_dataset("Drawn", drawn / "data")
    run(OneColumnOff(), dataset, drawn / "results", "drawing")
    alive, most = weakref.WeakSet(), []

    class Counted(np.ndarray):
        __hash__ = object.__hash__

    def counted(read):
        def counting(*args):
            mask = read(*args).view(Counted)
            alive.add(mask)
            most.append(len(alive))
            return mask

        return counting

    monkeypatch.setattr("toolkit.sequence.read_mask", counted(read_mask))
    monkeypatch.setattr("toolkit.results.decode_mask", counted(decode_mask))
    scores = score(GroundTruth(dataset), drawn / "results/Drawn/drawing")
    assert scores.value("mask_iou") == pytest.approx(0.6)
    # Three annotated masks of each of two sequences, and those found: never more than this frame's and the last's.
    assert len(most) == 6 + 5
    assert max(most) <= 4


def test_tuning_reads_and_keeps_no_masks(drawn, monkeypatch):
    def refuse(*_):
        raise AssertionError

    for name in ("toolkit.sequence.read_mask", "toolkit.results.decode_mask", "toolkit.protocols.encode_mask"):
        monkeypatch.setattr(name, refuse)
    told = []
    dataset = load_dataset("Drawn", drawn / "data")
    value = Scorer(dataset, "success_auc", lambda repetition: None)(OneColumnOff(), told.append)
    assert told == [value, value]
    assert all(sequence.masks == "mask" for sequence in dataset.sequences)


def test_a_frame_without_the_trackers_mask_has_an_empty_one(drawn):
    class Loses(OneColumnOff):
        def track(self, frame):
            answer = super().track(frame)
            return replace(answer, mask=None) if answer.bbox[0] == 2 else answer

    dataset = load_dataset("Drawn", drawn / "data")
    run(Loses(), dataset, drawn / "results", "loses")
    lines = (drawn / "results/Drawn/loses/masks/seen.txt").read_text().splitlines()
    assert lines == ["1", "m2,2,4,4,0,16", encode_mask(square(0, 0, 0)), "m4,2,4,4,0,16"]
    evaluation = evaluate(dataset, drawn / "results")
    assert not evaluation.failures
    # 12 of 20 pixels in two frames and none in the third; in the other sequence, the target is hidden in that frame.
    np.testing.assert_allclose(evaluation.scores["loses"].per_sequence("mask_iou"), [0.6, 0.4])


def annotate(drawn, **frames):
    """Put JSON annotations beside the two: by sequence, its images, counted from 1, as ``folder/img/0001.png``."""
    table = {name: {"img_names": files, "gt_rect": [[0, 2, 4, 4]] * len(files)} for name, files in frames.items()}
    (drawn / "data/Drawn/Drawn.json").write_text(json.dumps(table))
    return {sequence.name: sequence for sequence in load_dataset("Drawn", drawn / "data").sequences}


def images(folder, *numbers):
    return [f"{folder}/img/{number:04d}.png" for number in numbers]


def test_a_mask_goes_with_the_image_of_its_name(drawn):
    sequence = annotate(drawn, seen=images("seen", 3, 4, 2))["seen"]
    for index, left in enumerate((2, 3, 1)):
        assert (sequence.mask(index) == square(left, 2)).all()


@pytest.mark.parametrize("source", ["json", "folder"])
def test_a_missing_mask_is_named_and_shifts_no_other(drawn, source):
    (drawn / "data/Drawn/seen/mask/0002.png").unlink()
    if source == "json":
        annotate(drawn, seen=images("seen", 1, 2, 3, 4))
    sequence = next(each for each in load_dataset("Drawn", drawn / "data").sequences if each.name == "seen")
    assert (sequence.mask(2) == square(2, 2)).all()
    with pytest.raises(DatasetError, match=r"seen.mask.0002\.png: no such file \(mask of frame 2 of seen\)"):
        sequence.mask(1)


def test_masks_without_their_image_or_without_any(drawn):
    sequences = {sequence.name: sequence for sequence in load_dataset("Drawn", drawn / "data").sequences}
    (drawn / "data/Drawn/seen/img/0004.png").unlink()
    with pytest.raises(DatasetError, match=r"seen: no image for frame 4 in .*img \(3 images, 4 frames expected\)"):
        sequences["seen"].mask(3)
    with pytest.raises(DatasetError, match="hidden: no masks are annotated"):
        replace(sequences["hidden"], masks=None).mask(0)


@pytest.fixture
def pair(drawn):
    """Two targets in one video, the first in the square's place, the second a row lower."""
    folder = drawn / "data/Drawn/pair"
    shutil.copytree(drawn / "data/Drawn/seen", folder)
    (folder / "groundtruth_rect.txt").unlink()
    for number in (1, 2):
        write_boxes(folder / f"groundtruth_rect.{number}.txt", [[index, 1 + number, 4, 4] for index in range(4)])
    return folder


def read_pair(drawn, source):
    frames = images("pair", 1, 2, 3, 4)
    if source == "json":
        return annotate(drawn, **{"pair-1": frames, "pair-2": frames, "seen": images("seen", 1, 2, 3, 4)})
    return {sequence.name: sequence for sequence in load_dataset("Drawn", drawn / "data").sequences}


@pytest.mark.parametrize("source", ["json", "folder"])
def test_targets_of_one_video_do_not_share_masks(drawn, pair, source):
    sequences = read_pair(drawn, source)
    assert (sequences["pair-1"].masks, sequences["pair-2"].masks) == (None, None)
    assert sequences["seen"].masks == "mask"


@pytest.mark.parametrize("source", ["json", "folder"])
def test_each_target_of_a_video_may_have_masks_of_its_own(drawn, pair, source):
    (pair / "mask.2").mkdir()
    for index in range(4):
        cv2.imwrite(str(pair / f"mask.2/{index + 1:04d}.png"), square(index, 3).astype(np.uint8))
    sequences = read_pair(drawn, source)
    assert sequences["pair-1"].masks is None
    for index in range(4):
        assert (sequences["pair-2"].mask(index) == square(index, 3)).all()


@pytest.mark.parametrize("source", ["json", "folder"])
def test_the_only_target_of_a_video_has_its_masks_whatever_its_number(drawn, pair, source):
    (pair / "groundtruth_rect.1.txt").unlink()
    sequences = annotate(drawn, **{"pair-2": images("pair", 1)}) if source == "json" else read_pair(drawn, source)
    assert sequences["pair-2"].masks == "mask"


def test_no_masks_are_kept_where_none_are_annotated(drawn):
    for file in (drawn / "data/Drawn/seen/mask").iterdir():
        file.unlink()
    (drawn / "data/Drawn/seen/mask").rmdir()
    sequence = next(each for each in load_dataset("Drawn", drawn / "data").sequences if each.name == "seen")
    assert sequence.masks is None
    assert run_one_pass(OneColumnOff(), sequence).masks is None


class Redraws(OneColumnOff):
    """Gives its masks as a function makes them of those in bool."""

    def __init__(self, redraw):
        self.redraw = redraw

    def track(self, frame):
        answer = super().track(frame)
        return replace(answer, mask=self.redraw(answer.mask))


@pytest.mark.parametrize(
    ("redraw", "message"),
    [
        (np.transpose, r"is \(12, 8\), expected the frame's \(8, 12\)"),
        (lambda mask: 0.1 + 0.8 * mask, "is float64, expected .* 0 and 1; threshold probabilities first"),
        (lambda mask: mask.astype(np.float32), "is float32, expected bool"),
        (lambda mask: mask * np.uint8(255), "has values from 0 to 255, expected bool or the integers 0 and 1"),
        (lambda mask: mask.astype(int) - 1, "has values from -1 to 0, expected bool"),
    ],
)
def test_what_is_no_mask_is_the_trackers_fault(drawn, redraw, message):
    sequence = load_dataset("Drawn", drawn / "data").sequences[0]
    with pytest.raises(ResultError, match=f"hidden frame 2: the tracker's mask {message}"):
        run_one_pass(Redraws(redraw), sequence)


@pytest.mark.parametrize("dtype", [np.uint8, np.int64])
def test_a_mask_may_be_of_the_integers_0_and_1(drawn, dtype):
    sequence = load_dataset("Drawn", drawn / "data").sequences[0]
    found = run_one_pass(Redraws(lambda mask: mask.astype(dtype)), sequence)
    assert found.masks == run_one_pass(OneColumnOff(), sequence).masks
