"""Result files: exact bytes out, tolerant in, and errors that name file and line."""

import os

import numpy as np
import pytest

from toolkit.errors import ResultError
from toolkit.results import (
    LAYOUTS,
    format_region,
    read_boxes,
    read_confidences,
    read_regions,
    read_times,
    write_atomic,
    write_boxes,
    write_confidences,
    write_regions,
    write_times,
)


def test_vot_run_byte_for_byte(tmp_path):
    path = tmp_path / "baseline" / "bag" / "bag_001.txt"
    write_regions(path, [[1], [334.02, 128.36, 104.09, 101.36], [2], [0], np.arange(8) / 3])
    assert path.read_bytes() == (
        b"1\n334.0200,128.3600,104.0900,101.3600\n2\n0\n0.0000,0.3333,0.6667,1.0000,1.3333,1.6667,2.0000,2.3333\n"
    )
    regions = read_regions(path, 5)
    assert regions.sizes.tolist() == [1, 4, 1, 1, 8]


def test_decimals_are_those_of_float32():
    # 16777.21655 is 16777.216796875 in float32; in float64 it would print 16777.2166 or ...65.
    assert format_region([16777.21655, 0, 1, 1]).startswith("16777.2168")


def test_one_pass_boxes_survive_the_round_trip_exactly(tmp_path):
    boxes = np.random.default_rng(0).uniform(-10, 1000, (50, 4))
    write_boxes(tmp_path / "a.txt", boxes)
    np.testing.assert_array_equal(read_boxes(tmp_path / "a.txt", 50), boxes)
    assert (tmp_path / "a.txt").read_text().splitlines()[0] == ",".join(map(repr, boxes[0].tolist()))


@pytest.mark.parametrize("text", ["1,2,3,4\n5,6,7,8\n", "1\t2\t3\t4\n5\t6\t7\t8", "1 2 3 4\r\n5, 6;7 8\r\n\n"])
def test_any_usual_separator_is_read(tmp_path, text):
    (tmp_path / "a.txt").write_text(text)
    assert read_boxes(tmp_path / "a.txt", 2).tolist() == [[1, 2, 3, 4], [5, 6, 7, 8]]


def test_confidences_have_a_blank_first_line(tmp_path):
    path = tmp_path / "a_001_confidence.value"
    write_confidences(path, [np.nan, 0.5, 0.25])
    assert path.read_bytes() == b"\n0.500000\n0.250000\n"
    np.testing.assert_array_equal(read_confidences(path, 3), [np.nan, 0.5, 0.25])


def test_times_keep_one_column_per_repetition(tmp_path):
    write_times(tmp_path / "t.txt", [[0.1, 0.2], [0.3, 0.4]])
    assert (tmp_path / "t.txt").read_text() == "0.100000,0.200000\n0.300000,0.400000\n"
    assert read_times(tmp_path / "t.txt").tolist() == [[0.1, 0.2], [0.3, 0.4]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,2,3,4\n", r"a.txt: 1 boxes, the sequence has 2 frames \(the file ends after line 1\)"),
        ("1,2,3,4\n" * 3, r"a.txt: 3 boxes, the sequence has 2 frames \(line 3 is too many\)"),
        ("1,2,3,4\n1,nan,3,4\n", "a.txt line 2: expected finite numbers, got '1 nan 3 4'"),
        ("1,2,3,4\n1,inf,3,4\n", "a.txt line 2: expected finite numbers"),
        ("1,2,3,4\n1,2,three,4\n", "a.txt line 2: expected finite numbers, got '1 2 three 4'"),
        ("1,2,3,4\n1,2,3\n", "a.txt line 2: expected 4 numbers x, y, w, h, got 3"),
        ("", "a.txt: 0 boxes, the sequence has 2 frames"),
    ],
)
def test_malformed_box_files_are_named_with_their_line(tmp_path, text, message):
    (tmp_path / "a.txt").write_text(text)
    with pytest.raises(ResultError, match=message):
        read_boxes(tmp_path / "a.txt", 2)


def test_missing_and_binary_files(tmp_path):
    with pytest.raises(ResultError, match=r"a.txt: no such file"):
        read_boxes(tmp_path / "a.txt")
    (tmp_path / "a.txt").write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(ResultError, match="cannot be read as text"):
        read_regions(tmp_path / "a.txt")


def test_region_of_odd_length_is_named_with_its_line(tmp_path):
    (tmp_path / "a.txt").write_text("1\n1,2,3,4\n1,2,3,4,5\n")
    with pytest.raises(ResultError, match=r"a.txt line 3: expected 1, 4 or 8 numbers, got 5"):
        read_regions(tmp_path / "a.txt")


def test_confidence_that_is_no_number(tmp_path):
    for wrong, shown in (("high", "'high'"), ("nan", "'nan'"), ("0.1,0.2", "'0.1 0.2'"), ("", "an empty line")):
        (tmp_path / "c.value").write_text(f"\n0.5\n{wrong}\n0.7\n")
        with pytest.raises(ResultError, match=f"c.value line 3: expected one finite number, got {shown}"):
            read_confidences(tmp_path / "c.value")


def test_the_confidence_of_the_given_frame_does_not_count(tmp_path):
    (tmp_path / "c.value").write_text("1.000000\n0.5\n0.25\n")
    np.testing.assert_array_equal(read_confidences(tmp_path / "c.value", 3), [np.nan, 0.5, 0.25])


def test_a_write_that_fails_leaves_nothing_behind(tmp_path, monkeypatch):
    write_atomic(tmp_path / "a.txt", "old")
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError("disk")))
    with pytest.raises(OSError, match="disk"):
        write_atomic(tmp_path / "a.txt", "new")
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "old"


def test_layouts_are_those_of_the_other_toolkits(tmp_path):
    def at(protocol, *which):
        return LAYOUTS[protocol].regions_path(tmp_path, *which).relative_to(tmp_path).as_posix()

    assert at("one_pass", "Basketball") == "Basketball.txt"
    assert at("supervised", "bag") == "baseline/bag/bag_001.txt"
    assert at("supervised", "bag", 15) == "baseline/bag/bag_015.txt"
    assert at("long_term", "ballet") == "longterm/ballet/ballet_001.txt"
    assert LAYOUTS["long_term"].confidence_path(tmp_path, "ballet").name == "ballet_001_confidence.value"
    assert LAYOUTS["long_term"].times_path(tmp_path, "ballet").name == "ballet_time.txt"
    assert at("got10k", "GOT-10k_Val_000001", 3) == "GOT-10k_Val_000001/GOT-10k_Val_000001_003.txt"
