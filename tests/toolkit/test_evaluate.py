"""From result files to scores: small benchmarks end to end, and parity with the reference's numbers."""

import json
import shutil
import zipfile

import numpy as np
import pytest

from toolkit.conventions import Conventions
from toolkit.datasets import load_dataset
from toolkit.errors import DatasetError, ResultError
from toolkit.evaluate import evaluate, scores_json, write_scores
from toolkit.results import write_atomic, write_boxes, write_confidences, write_regions, write_times

BOXES = np.array([[10.0 + i, 10, 20, 20] for i in range(30)])


@pytest.fixture
def otb(tmp_path):
    """Two sequences of 30 frames with attributes."""
    entry = {"video_dir": "", "init_rect": BOXES[0].tolist(), "img_names": ["x.jpg"] * 30, "gt_rect": BOXES.tolist()}
    annotations = {"Ant": {**entry, "attr": ["Blur"]}, "Bee-1": {**entry, "attr": ["Blur", "Occlusion"]}}
    write_atomic(tmp_path / "data/OTB100/OTB100.json", json.dumps(annotations))
    return load_dataset("OTB100", tmp_path / "data"), tmp_path / "results"


def test_oracle_and_one_that_loses_the_second(otb):
    dataset, results = otb
    write_boxes(results / "OTB100/oracle/Ant.txt", BOXES)
    write_boxes(results / "OTB100/oracle/bee_1.txt", BOXES)  # as other toolkits spell it
    write_boxes(results / "OTB100/half/Ant.txt", BOXES)
    write_boxes(results / "OTB100/half/Bee-1.txt", BOXES + 500)
    evaluation = evaluate(dataset, results)
    assert not evaluation.failures
    oracle, half = evaluation.scores["oracle"], evaluation.scores["half"]
    assert oracle.overall()["success_auc"] == pytest.approx(20 / 21)
    assert oracle.overall()["precision"] == 1
    assert half.overall()["precision"] == 0.5
    assert half.per_sequence("precision").tolist() == [1, 0]
    assert half.per_attribute("precision") == {"Blur": 0.5, "Occlusion": 0}
    assert oracle.ahead_of(half, "precision").difference == 0.5
    assert half.interval("precision") == (0, 1)


def test_one_bad_file_does_not_keep_the_others_from_being_scored(otb, tmp_path):
    dataset, results = otb
    for tracker in ("good", "short", "gone"):
        write_boxes(results / f"OTB100/{tracker}/Ant.txt", BOXES)
    write_boxes(results / "OTB100/good/Bee-1.txt", BOXES)
    write_boxes(results / "OTB100/short/Bee-1.txt", BOXES[:-1])
    evaluation = evaluate(dataset, results)
    assert list(evaluation.scores) == ["good"]
    assert "short/Bee-1.txt: 29 boxes, the sequence has 30 frames" in str(evaluation.failures["short"])
    assert "gone/Bee-1.txt: no such file" in str(evaluation.failures["gone"])
    write_scores(tmp_path / "scores.json", [evaluation])
    table = json.loads((tmp_path / "scores.json").read_text())
    assert table["OTB100"]["good"]["normalized_precision_auc"] == 1


def test_no_results_at_all(otb):
    dataset, results = otb
    with pytest.raises(ResultError, match=r"no results in .*OTB100"):
        evaluate(dataset, results)
    assert "no results in" in str(evaluate(dataset, results, ["absent"]).failures["absent"])


def test_speed_from_run_json(otb):
    dataset, results = otb
    for name in ("Ant", "Bee-1"):
        write_boxes(results / f"OTB100/fast/{name}.txt", BOXES)
    write_atomic(results / "OTB100/fast/run.json", json.dumps({"fps": 120.5}))
    assert evaluate(dataset, results).scores["fast"].overall()["fps"] == 120.5


@pytest.fixture
def vot(tmp_path):
    """One sequence of 400 frames, 100 x 60 pixels."""
    truth = [[10, 10, 40, 10, 40, 30, 10, 30]] * 400
    entry = {"video_dir": "", "init_rect": truth[0], "img_names": ["x.jpg"] * 400, "gt_rect": truth}
    annotations = {"a": {**entry, "width": 100, "height": 60, "occlusion": [1] * 400}}
    write_atomic(tmp_path / "data/VOT2018/VOT2018.json", json.dumps(annotations))
    return load_dataset("VOT2018", tmp_path / "data"), tmp_path / "results"


def test_supervised_oracle_and_one_failure(vot):
    dataset, results = vot
    write_regions(results / "VOT2018/oracle/baseline/a/a_001.txt", [[1]] + [[10, 10, 30, 20]] * 399)
    rows = [[1]] + [[10, 10, 30, 20]] * 199 + [[2]] + [[0]] * 4 + [[1]] + [[10, 10, 30, 20]] * 194
    write_regions(results / "VOT2018/once/baseline/a/a_001.txt", rows)
    scores = evaluate(dataset, results).scores
    oracle, once = scores["oracle"].overall(), scores["once"].overall()
    assert (oracle["accuracy"], oracle["robustness"], oracle["lost_number"]) == (1, 0, 0)
    assert (oracle["eao"]["all"], oracle["eao"]["occlusion"]) == (1, 1)
    assert oracle["eao"]["camera_motion"] is None  # never occurs: nothing to average
    assert (once["accuracy"], once["robustness"], once["lost_number"]) == (1, 0.25, 1)
    assert 0.5 < once["eao"]["all"] < 1


def test_fifteen_repetitions_count_any_other_number_does_not(vot):
    dataset, results = vot
    good, lost = [[1]] + [[10, 10, 30, 20]] * 399, [[1]] + [[10, 10, 30, 20]] * 394 + [[2]] + [[0]] * 4
    for number in range(1, 16):
        write_regions(results / f"VOT2018/all/baseline/a/a_{number:03d}.txt", lost if number < 4 else good)
    for number in range(1, 4):
        write_regions(results / f"VOT2018/three/baseline/a/a_{number:03d}.txt", lost if number > 1 else good)
    scores = evaluate(dataset, results).scores
    assert scores["all"].value("lost_number") == pytest.approx(3 / 15)
    assert scores["three"].value("lost_number") == 0
    assert scores["three"].value("eao/all") == 1


def test_bounds_switch(vot):
    dataset, results = vot
    write_regions(results / "VOT2018/t/baseline/a/a_001.txt", [[1]] + [[10, 10, 90, 20]] * 399)
    wide = evaluate(dataset, results).scores["t"].value("accuracy")
    narrow = evaluate(dataset, results, conventions=Conventions(vot_bounds="last_pixel")).scores["t"].value("accuracy")
    # 31 x 21 pixels of truth; the box reaches column 100 or is cut at 99.
    assert (wide, narrow) == pytest.approx((31 / 91, 31 / 90))


def test_neither_image_sizes_nor_images(tmp_path, capfd):
    entry = {"img_names": ["a/1.jpg"] * 30, "gt_rect": BOXES.tolist()}
    write_atomic(tmp_path / "VOT2019.json", json.dumps({"a": entry}))
    for tracker in ("one", "two"):
        write_regions(tmp_path / f"results/VOT2019/{tracker}/baseline/a/a_001.txt", [[1], *BOXES[1:]])
    with pytest.raises(DatasetError, match=r"image size of a: expected 'width' and 'height' .*1.jpg: no such file"):
        evaluate(load_dataset("VOT2019", tmp_path), tmp_path / "results")
    assert capfd.readouterr().err == ""  # nothing from OpenCV


def test_long_term_by_hand(tmp_path):
    truth = [[10, 10, 30, 20]] * 100 + [[float("nan")] * 4] * 100
    entry = {"video_dir": "", "init_rect": truth[0], "img_names": ["x.jpg"] * 200, "gt_rect": truth}
    annotations = {"a": {**entry, "width": 100, "height": 60}}
    write_atomic(tmp_path / "VOT2018-LT/VOT2018-LT.json", json.dumps(annotations))
    folder = tmp_path / "results/VOT2018-LT/t/longterm/a"
    write_regions(folder / "a_001.txt", [[1]] + [[10, 10, 30, 20]] * 199)
    write_confidences(folder / "a_001_confidence.value", [0] + [0.9] * 99 + [0.1] * 100)
    write_times(folder / "a_time.txt", [0.05] * 200)
    scores = evaluate(load_dataset("VOT2018-LT", tmp_path), tmp_path / "results").scores["t"].overall()
    # Reporting above 0.9 gives 99 frames of overlap 1; the first, given frame is never reported.
    assert scores["precision"] == 1
    assert scores["recall"] == pytest.approx(0.99)
    assert scores["f1"] == pytest.approx(2 * 0.99 / 1.99)
    assert scores["fps"] == pytest.approx(20)


def test_got10k_repetitions_are_pooled(tmp_path):
    folder = tmp_path / "GOT-10k/val/v"
    write_atomic(tmp_path / "GOT-10k/val/list.txt", "v\n")
    write_boxes(folder / "groundtruth.txt", BOXES)
    write_atomic(folder / "meta_info.ini", "resolution: (100, 100)")
    for number, shift in ((1, 0), (2, 500), (3, 0)):
        write_boxes(tmp_path / f"results/GOT-10k-val/t/v/v_{number:03d}.txt", BOXES + shift)
    values = evaluate(load_dataset("GOT-10k-val", tmp_path), tmp_path / "results").scores["t"].overall()
    assert values == pytest.approx({"ao": 2 / 3, "sr_50": 2 / 3, "sr_75": 2 / 3})


def test_withheld_benchmarks_are_not_scored(tmp_path):
    write_atomic(tmp_path / "TrackingNet/TEST/anno/a.txt", "1,2,3,4\n")
    with pytest.raises(DatasetError, match="ground truth is withheld; submit"):
        evaluate(load_dataset("TrackingNet", tmp_path), tmp_path)


def near(found, expected):
    return found == pytest.approx(expected, abs=1e-6)


@pytest.mark.shared
def test_vot2018_matches_the_reference(shared):
    data = shared / "data/vot"
    evaluation = evaluate(load_dataset("VOT2018", data), data / "results")
    assert not evaluation.failures
    for tracker, expected in json.loads((data / "expected_VOT2018.json").read_text()).items():
        found = evaluation.scores[tracker].overall()
        for metric in ("accuracy", "robustness", "lost_number"):
            assert near(found[metric], expected[metric])
        for tag, value in expected["eao"].items():
            assert near(found["eao"][tag], value), tag
    found = evaluation.scores["SiamRPN++_r50"].overall()
    published = found["accuracy"], found["robustness"], found["eao"]["all"]
    assert [round(value, 3) for value in published] == [0.601, 0.234, 0.415]
    assert json.loads(scores_json([evaluation]))["VOT2018"]["SiamRPN++_r50"] == found


@pytest.mark.shared
def test_otb100_matches_the_reference(shared):
    data = shared / "data/otb"
    evaluation = evaluate(load_dataset("OTB100", data), data / "results")
    assert not evaluation.failures
    for tracker, expected in json.loads((data / "expected_OTB100.json").read_text()).items():
        scores = evaluation.scores[tracker]
        assert near(scores.value("success_auc"), expected["auc"])
        assert near(scores.value("precision"), expected["precision20"])
        each = dict(zip(scores.sequences, scores.per_sequence("success_auc"), strict=True))
        for name, value in expected["per_sequence_auc_first3"].items():
            assert near(each[name], value)


@pytest.mark.shared
def test_otb_images_and_annotations_in_the_native_layout_agree_with_the_json(shared, tmp_path):
    source = shared / "data/otb/OTB100"
    for name in ("Couple", "Crossing"):
        shutil.copytree(source / name, tmp_path / "OTB100" / name)
    annotated = {sequence.name: sequence for sequence in load_dataset("OTB100", source.parent).sequences}
    for sequence in load_dataset("OTB100", tmp_path).sequences:
        reference = annotated[sequence.name]
        np.testing.assert_array_equal(sequence.ground_truth.values, reference.ground_truth.values)
        assert [p.name for p in sequence.frames.paths] == [p.name for p in reference.frames.paths]
        np.testing.assert_array_equal(sequence.frame(3), reference.frame(3))


@pytest.mark.shared
def test_lasot_matches_the_reference_both_ways(shared, tmp_path):
    data = shared / "data/lasot"
    for archive, target in (("annotations.zip", tmp_path), ("results_SiamRPN++.zip", tmp_path / "results")):
        with zipfile.ZipFile(data / archive) as packed:
            packed.extractall(target)
    dataset = load_dataset("LaSOT", tmp_path)
    assert dataset.shortfall.startswith("LaSOT: 70 of 280")
    expected = json.loads((data / "expected_LaSOT_70.json").read_text())["SiamRPN++"]
    ways = {"frames_flagged_absent_never_hit_but_counted": "missed", "all_frames": "counted"}
    for way, absent in ways.items():
        scores = evaluate(dataset, tmp_path / "results", conventions=Conventions(absent=absent)).scores["SiamRPN++"]
        assert near(scores.value("success_auc"), expected[way]["auc"])
        assert near(scores.value("precision"), expected[way]["precision20"])
        assert near(scores.value("normalized_precision"), expected[way]["norm_precision_at_0.20"])
        each = dict(zip(scores.sequences, scores.per_sequence("success_auc"), strict=True))
        for name, value in expected[way]["per_sequence_auc_first3"].items():
            assert near(each[name], value)
