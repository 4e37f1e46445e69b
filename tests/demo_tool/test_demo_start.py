"""Start boxes: given, found beside the video, drawn; and never those of another video."""

from __future__ import annotations

import numpy as np
import pytest
from demo_material import make_images, make_video, truth_lines

from pysot.demo import draw_start, open_source, resolve_start, start
from pysot.utils import InputError


@pytest.fixture
def video(tmp_path):
    return make_video(tmp_path / "clip.avi", frames=3)


def found(source_path):
    return start.find_ground_truth(open_source(str(source_path)))


def test_given_rects_win_over_a_ground_truth_file_and_are_one_target_each(video):
    video.with_suffix(".txt").write_text(truth_lines(3))
    begin = resolve_start(open_source(str(video)), ["1,2,3,4.5", "10 20 30 40"])
    np.testing.assert_array_equal(begin.boxes, [[1, 2, 3, 4.5], [10, 20, 30, 40]])
    assert (begin.ground_truth, begin.origin) == (None, None)


def test_text_file_of_the_videos_name_gives_box_and_ground_truth(video):
    video.with_suffix(".txt").write_text(truth_lines(3))
    begin = resolve_start(open_source(str(video)), [])
    np.testing.assert_array_equal(begin.boxes, [[10, 30, 20, 20]])
    np.testing.assert_array_equal(begin.ground_truth[:, 0], [10, 11, 12])
    assert begin.origin == video.with_suffix(".txt")


def test_no_file_means_that_the_box_must_be_drawn(video):
    assert resolve_start(open_source(str(video)), []) is None


@pytest.mark.parametrize(
    ("line", "box"),
    [
        ("10,30,20,25", [10, 30, 20, 25]),
        ("10\t30\t20\t25", [10, 30, 20, 25]),
        ("  10 30  20 25 ", [10, 30, 20, 25]),
        ("1e1, 30.0, 20, 25", [10, 30, 20, 25]),
        # A square on its corner: centre (30, 40), half-diagonal 10.
        ("30,30,40,40,30,50,20,40", [20, 30, 20, 20]),
    ],
)
def test_forms_of_a_ground_truth_line(tmp_path, line, box):
    (tmp_path / "g.txt").write_text(f"{line}\r\nNaN,NaN,NaN,NaN\r\n\r\n")
    truth = start.read_ground_truth(tmp_path / "g.txt")
    np.testing.assert_allclose(truth, [box, [np.nan] * 4])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a box per line, got an empty file"),
        ("1,2,3\n", "line 1: expected 4 or 8 numbers, got '1,2,3'"),
        ("1,2,3,4\nshopping list\n", "line 2: expected 4 or 8 numbers, got 'shopping list'"),
    ],
)
def test_unusable_ground_truth_file_is_named_with_its_line(tmp_path, text, message):
    (tmp_path / "g.txt").write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        start.read_ground_truth(tmp_path / "g.txt")
    assert "g.txt" in str(caught.value)
    assert "--init-rect" in str(caught.value)


def test_ground_truth_that_begins_without_the_target_cannot_start(video):
    video.with_suffix(".txt").write_text("NaN,NaN,NaN,NaN\n1,2,3,4\n")
    with pytest.raises(InputError, match=r"clip.txt, line 1: .*not finite"):
        resolve_start(open_source(str(video)), [])


@pytest.mark.parametrize(
    ("rect", "message"),
    [
        ("1,2,3", "expected four numbers x,y,w,h"),
        ("1,2,3,4,5", "expected four numbers"),
        ("a,b,c,d", "expected four numbers"),
        ("", "expected four numbers"),
        ("10,10,0,20", "is empty"),
        ("10,10,20,-5", "is empty"),
        ("96,10,20,20", "outside the frame, which is 96 x 72"),
        ("-30,10,20,20", "outside the frame"),
        ("nan,10,20,20", "not finite"),
    ],
)
def test_bad_rect_is_refused_with_the_flag_and_the_reason(video, rect, message):
    with pytest.raises(InputError, match=message) as caught:
        resolve_start(open_source(str(video)), [rect])
    assert str(caught.value).startswith("--init-rect")
    assert "\n" not in str(caught.value)


def test_rect_partly_outside_is_a_start(video):
    begin = resolve_start(open_source(str(video)), ["-5,-5,20,20"])
    np.testing.assert_array_equal(begin.boxes, [[-5, -5, 20, 20]])


def test_groundtruth_txt_counts_beside_the_only_video_and_our_own_output_is_none(tmp_path, video):
    (tmp_path / "groundtruth.txt").write_text(truth_lines(3))
    assert found(video) == tmp_path / "groundtruth.txt"
    make_video(tmp_path / "clip_tracked.mp4", frames=1)
    assert found(video) == tmp_path / "groundtruth.txt"


def test_groundtruth_txt_between_two_videos_belongs_to_neither(tmp_path, video):
    (tmp_path / "groundtruth.txt").write_text(truth_lines(3))
    make_video(tmp_path / "other.mp4", frames=1)
    assert found(video) is None
    (tmp_path / "clip.txt").write_text(truth_lines(3))
    assert found(video) == tmp_path / "clip.txt"


@pytest.mark.parametrize("name", ["groundtruth.txt", "groundtruth_rect.txt"])
def test_image_folder_has_its_ground_truth_inside(tmp_path, name):
    folder = make_images(tmp_path / "seq", ["1.png"])
    (folder / name).write_text(truth_lines(1))
    assert found(folder) == folder / name


@pytest.mark.parametrize("given", ["Crossing", "Crossing/img"])
def test_benchmark_layout_has_it_above_the_images(tmp_path, given):
    make_images(tmp_path / "Crossing" / "img", ["0001.jpg"])
    make_images(tmp_path / "Crossing" / "depth", ["0001.png"])
    (tmp_path / "Crossing" / "groundtruth_rect.txt").write_text(truth_lines(1))
    assert found(tmp_path / given) == tmp_path / "Crossing" / "groundtruth_rect.txt"


def test_file_above_one_image_folder_is_its_own_and_above_several_is_nobodys(tmp_path):
    folder = make_images(tmp_path / "first", ["1.png"])
    (tmp_path / "groundtruth.txt").write_text(truth_lines(1))
    assert found(folder) == tmp_path / "groundtruth.txt"
    make_images(tmp_path / "second", ["1.png"])
    assert found(folder) is None
    (tmp_path / "first.txt").write_text(truth_lines(1))
    assert found(folder) == tmp_path / "first.txt"


def test_file_above_several_sequences_with_img_folders_is_nobodys(tmp_path):
    make_images(tmp_path / "Crossing" / "img", ["1.png"])
    make_images(tmp_path / "Couple" / "img", ["1.png"])
    (tmp_path / "groundtruth.txt").write_text(truth_lines(1))
    assert found(tmp_path / "Crossing") is None


def test_part_of_a_folder_has_no_ground_truth_because_lines_would_not_fit(tmp_path):
    folder = make_images(tmp_path / "seq", ["1.png", "2.png", "10.png"])
    (folder / "groundtruth.txt").write_text(truth_lines(3))
    assert found(folder / "1*.png") is None
    assert found(folder / "*.png") == folder / "groundtruth.txt"


def test_drawn_box_is_taken_and_none_is_an_error(video, monkeypatch):
    source = open_source(str(video))
    monkeypatch.setattr(start, "select_box", lambda frame, title: np.array([5.0, 6.0, 7.0, 8.0]))
    np.testing.assert_array_equal(draw_start(source, "clip").boxes, [[5, 6, 7, 8]])
    monkeypatch.setattr(start, "select_box", lambda frame, title: None)
    with pytest.raises(InputError, match="no box was drawn"):
        draw_start(source, "clip")


def test_missing_start_says_what_to_do(video):
    message = str(start.missing_start(open_source(str(video))))
    assert "--init-rect x,y,w,h" in message
    assert str(video.with_suffix(".txt")) in message
