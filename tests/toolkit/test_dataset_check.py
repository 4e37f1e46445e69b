"""What verify finds in a dataset, and what convert makes of downloads and of the boxes of annotation tools."""

import json
import math

import cv2
import numpy as np
import pytest

from toolkit.datasets import find_dataset, load_dataset
from toolkit.datasets.box_formats import detect, natural, read_tracks
from toolkit.datasets.convert import convert_boxes, convert_download, safe_name
from toolkit.datasets.survey import survey
from toolkit.datasets.verify import check_image, inspect
from toolkit.errors import DatasetError

SIZE = (64, 48)


def put(path, text=""):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def put_image(path, size=SIZE, value=128):
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(value).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    assert cv2.imwrite(str(path), noise)


def put_video(path, frames=6, size=SIZE):
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10, size)
    for value in range(frames):
        writer.write(np.full((size[1], size[0], 3), 40 * value, np.uint8))
    writer.release()


def otb(root, name="cat", frames=4, boxes=None):
    boxes = boxes or [(5 + i, 6, 10, 12) for i in range(frames)]
    put(root / name / "groundtruth_rect.txt", "".join(",".join(map(str, box)) + "\n" for box in boxes))
    for number in range(1, frames + 1):
        put_image(root / name / "img" / f"{number:04d}.jpg", value=number)
    return root / name / "img"


def inspected(root, **options):
    return inspect(find_dataset(str(root), root), **options)


class TestVerify:
    def test_nothing_wrong(self, tmp_path):
        otb(tmp_path / "mine")
        result = inspected(tmp_path / "mine")
        assert (result.sequences, result.frames, result.images) == (1, 4, 4)
        assert (result.problems, result.notes) == ([], [])

    def only(self, root, **options):
        problems = inspected(root, **options).problems
        assert len(problems) == 1, problems
        assert problems[0].fix
        return problems[0]

    def test_empty_cut_and_undecodable_images_are_one_problem_each(self, tmp_path):
        images = otb(tmp_path / "mine", frames=6)
        (images / "0002.jpg").write_bytes(b"")
        whole = (images / "0003.jpg").read_bytes()
        (images / "0003.jpg").write_bytes(whole[: len(whole) // 2])
        (images / "0004.jpg").write_bytes(b"no picture")
        (images / "0005.jpg").write_bytes(b"neither")
        messages = {problem.message: problem for problem in inspected(tmp_path / "mine").problems}
        assert set(messages) == {
            f"{images / '0002.jpg'} is empty (0 bytes)",
            f"{images / '0003.jpg'} is cut off",
            f"{images / '0004.jpg'} cannot be decoded as an image (and 1 more)",
        }
        assert messages[f"{images / '0004.jpg'} cannot be decoded as an image (and 1 more)"].files == (
            str(images / "0004.jpg"),
            str(images / "0005.jpg"),
        )

    def test_a_sequence_without_annotations_is_not_passed_over(self, tmp_path):
        for name in ("good", "blank", "bare"):
            otb(tmp_path / "mine", name)
        (tmp_path / "mine/notes").mkdir()
        blank, bare = (tmp_path / "mine" / name / "groundtruth_rect.txt" for name in ("blank", "bare"))
        blank.write_text("\n")
        bare.unlink()
        expected = "expected the target's x, y, w, h in each frame, a line each, or no such folder"
        assert {problem.sequence: problem.message for problem in inspected(tmp_path / "mine").problems} == {
            "blank": f"{blank}: is empty; {expected}",
            "bare": f"{bare}: no such file; {expected}",
        }
        with pytest.raises(DatasetError, match=r"bare/groundtruth_rect\.txt: no such file"):
            load_dataset(str(tmp_path / "mine"), tmp_path)

    def test_quick_finds_the_empty_but_decodes_only_the_first(self, tmp_path):
        images = otb(tmp_path / "mine")
        (images / "0002.jpg").write_bytes(b"")
        (images / "0003.jpg").write_bytes(b"no picture")
        assert "0002.jpg is empty" in self.only(tmp_path / "mine", decode=False).message

    def test_too_few_and_too_many_images(self, tmp_path):
        images = otb(tmp_path / "mine")
        (images / "0004.jpg").unlink()
        assert self.only(tmp_path / "mine").message == f"3 images in {images}, 4 frames are annotated"
        put_image(images / "0004.jpg")
        put_image(images / "0005.jpg")
        result = inspected(tmp_path / "mine")
        assert (result.problems, result.notes) == ([], [f"{images}: 5 images, 4 frames are annotated"])

    def test_images_of_another_size(self, tmp_path):
        images = otb(tmp_path / "mine")
        put_image(images / "0003.jpg", size=(32, 24))
        problem = self.only(tmp_path / "mine")
        assert problem.message == f"{images / '0003.jpg'} is 32x24, the first image 64x48 (1 differ)"

    def test_a_malformed_sequence_does_not_hide_the_others(self, tmp_path):
        otb(tmp_path / "mine", "a")
        images = otb(tmp_path / "mine", "b")
        (images / "0002.jpg").write_bytes(b"")
        otb(tmp_path / "mine", "c")
        put(tmp_path / "mine/a/groundtruth_rect.txt", "1,2,3,4\n1,2,x,4\n")
        result = inspected(tmp_path / "mine")
        assert [problem.sequence for problem in result.problems] == ["a", "b"]
        assert "groundtruth_rect.txt line 2: expected numbers, got '1 2 x 4'" in result.problems[0].message
        assert result.sequences == 2

    @pytest.mark.parametrize(
        ("box", "reason"),
        [
            ((math.nan,) * 4, "is no region"),
            ((5, 6, 0, 12), "has no size"),
            ((100, 6, 10, 12), "is outside the image"),
            ((-30, 6, 10, 12), "is outside the image"),
        ],
    )
    def test_regions(self, tmp_path, box, reason):
        """Wrong in the first frame, nothing can start; later, benchmarks have such frames."""
        good = (5, 6, 10, 12)
        otb(tmp_path / "mine", boxes=[box, good, good, good])
        assert reason in self.only(tmp_path / "mine").message
        otb(tmp_path / "mine", boxes=[good, good, box, box])
        result = inspected(tmp_path / "mine")
        assert result.problems == []
        assert len(result.notes) == 1
        assert result.notes[0].endswith("in 2 frames (first: 3)")

    def test_an_infinite_number(self, tmp_path):
        otb(tmp_path / "mine", boxes=[(5, 6, 7, 8), (5, 6, "inf", 8), (5, 6, 7, 8), (5, 6, 7, 8)])
        assert self.only(tmp_path / "mine").message == "the ground truth of frame 2 has an infinite number"

    def test_json_names_that_are_not_there(self, tmp_path):
        otb(tmp_path / "OTB100", "Jogging")
        names = [f"Jogging-1/img/{n:04d}.jpg" for n in range(1, 5)]
        entry = {"img_names": names, "gt_rect": [[1, 2, 3, 4]] * 4}
        put(tmp_path / "OTB100/OTB100.json", json.dumps({"Jogging-1": entry}))
        result = inspect(find_dataset("OTB100", tmp_path))
        incomplete, missing = result.problems
        assert incomplete.message.startswith("1 of 100 sequences in ")
        assert missing.message.startswith("none of its 4 images is there")
        assert missing.fix == f"copy or link {tmp_path / 'OTB100/Jogging'} to {tmp_path / 'OTB100/Jogging-1'}"

    def test_sizes_against_the_json(self, tmp_path):
        otb(tmp_path / "mine")
        names = [f"cat/img/{n:04d}.jpg" for n in range(1, 5)]
        entry = {"img_names": names, "gt_rect": [[1, 2, 3, 4]] * 4, "width": 640, "height": 480}
        put(tmp_path / "mine/mine.json", json.dumps({"cat": entry}))
        assert self.only(tmp_path / "mine").message.endswith("is 64x48, the annotations say 640x480")

    def test_missing_sequences_by_name(self, tmp_path):
        otb(tmp_path / "OTB100", "Woman")
        problem = inspect(find_dataset("CVPR13", tmp_path)).problems[0]
        assert problem.message.startswith("1 of 51 sequences")
        assert "missing: Basketball, Bolt, Boy, Car4, CarDark and 45 more" in problem.message
        assert len(problem.files) == 50

    @pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp"])
    def test_check_image(self, tmp_path, suffix):
        file = tmp_path / f"a{suffix}"
        assert check_image(file) == ("is missing", None)
        put_image(file)
        assert check_image(file) == ("", SIZE)
        file.write_bytes(file.read_bytes() + b"trailer")  # some cameras append something
        assert check_image(file) == ("", SIZE)

    def test_a_png_called_jpg_is_fine(self, tmp_path):
        put_image(tmp_path / "a.png")
        (tmp_path / "a.png").rename(tmp_path / "a.jpg")
        assert check_image(tmp_path / "a.jpg") == ("", SIZE)


class TestConvertDownload:
    def test_same_sequences_either_way(self, tmp_path):
        root = tmp_path / "VOT2018"
        for name in ("b", "a"):
            put(root / name / "groundtruth.txt", "1,2,11,2,11,12,1,12\n2,2,12,2,12,12,2,12.25\n")
            put(root / name / "occlusion.tag", "0\n1\n")
            for number in (1, 2):
                put_image(root / name / "color" / f"{number:08d}.jpg")
        put(root / "list.txt", "b\na\n")
        native = load_dataset("VOT2018", tmp_path)
        convert_download(find_dataset("VOT2018", tmp_path, native=True), root / "VOT2018.json")
        converted = load_dataset("VOT2018", tmp_path)
        assert find_dataset("VOT2018", tmp_path).source.name == "VOT2018.json"
        for before, after in zip(native.sequences, converted.sequences, strict=True):
            assert before.name == after.name
            assert before.frames.paths == after.frames.paths
            np.testing.assert_array_equal(before.ground_truth.values, after.ground_truth.values)
            np.testing.assert_array_equal(before.tags["occlusion"], after.tags["occlusion"])
            assert after.annotated_size == SIZE

    def test_needs_the_images(self, tmp_path):
        put(tmp_path / "VOT2018/a/groundtruth.txt", "1,2,11,2,11,12,1,12\n")
        with pytest.raises(DatasetError, match=r"a: 0 images for the 1 frames of a; .* unpack them first"):
            convert_download(find_dataset("VOT2018", tmp_path), tmp_path / "out.json")


def converted(source, videos, out, **options):
    convert_boxes(read_tracks(source, **options), videos, out / "mine.json")
    return {sequence.name: sequence for sequence in load_dataset("mine", out.parent).sequences}


@pytest.fixture
def out(tmp_path):
    return tmp_path / "root" / "mine"


def boxes_of(sequence):
    return sequence.ground_truth.values[:, :4].tolist()


class TestCsv:
    def test_a_video_file_with_named_columns(self, tmp_path, out):
        put_video(tmp_path / "cat.avi")
        put(tmp_path / "cat.csv", "frame,x,y,w,h,score\n1,5,6,7,8,.9\n2,,,,,\n3,6,6,7,8,.9\n")
        sequence = converted(tmp_path / "cat.csv", tmp_path, out)["cat"]
        assert len(sequence) == 3
        assert boxes_of(sequence)[::2] == [[5, 6, 7, 8], [6, 6, 7, 8]]
        assert np.isnan(boxes_of(sequence)[1]).all()
        assert sequence.size == SIZE
        assert sequence.frames.paths[0] == out / "cat/frames_of_video/00000002.jpg"
        assert [round(float(frame.mean()), -1) for frame in sequence] == [40, 80, 120]  # frames 1, 2, 3 of the video

    def test_without_names_one_line_per_frame(self, tmp_path, out):
        for number in range(1, 4):
            put_image(tmp_path / f"cat/{number}.png")
        put(tmp_path / "cat.csv", "5;6;7;8\n6;6;7;8\n7;6;7;8\n")
        sequence = converted(tmp_path / "cat.csv", tmp_path, out)["cat"]
        assert boxes_of(sequence) == [[5, 6, 7, 8], [6, 6, 7, 8], [7, 6, 7, 8]]
        assert [path.resolve() for path in sequence.frames.paths] == [tmp_path / f"cat/{n}.png" for n in (1, 2, 3)]

    def test_several_videos_and_targets(self, tmp_path, out):
        for video in ("a", "b c"):
            for number in range(3):
                put_image(tmp_path / f"clips/{video}/img/{number}.jpg")
        rows = ["video,frame,target,x,y,w,h", "a.mp4,1,dog,1,2,3,4", "a.mp4,1,cat,5,6,7,8", "b c,3,cat,9,9,9,9"]
        put(tmp_path / "all.csv", "\n".join(rows))
        found = converted(tmp_path / "all.csv", tmp_path / "clips", out, first_frame=1)
        assert {name: boxes_of(sequence) for name, sequence in found.items()} == {
            "a-cat": [[5, 6, 7, 8]],
            "a-dog": [[1, 2, 3, 4]],
            "b_c": [[9, 9, 9, 9]],
        }

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("frame,x,y,w,h\n1,2,3,4\n", r"cat.csv line 2: expected 5 columns, got 4"),
            ("1,2,3\n", r"cat.csv line 1: expected 4 or 5 columns, got 3"),
            ("frame,x,y,w\n1,2,3,4\n", r"cat.csv line 1: expected columns x, y, w, h"),
            ("1,2,3,x\n", r"cat.csv line 1: expected a number, got 'x'"),
            ("1,2,0,4\n", r"cat.csv line 1: expected a box with a size above 0, got 1, 2, 0, 4"),
            ("frame,x,y,w,h\n1.5,2,3,4,5\n", r"line 2: expected a whole number for the frame, got '1.5'"),
            ("frame,x,y,w,h\n-1,2,3,4,5\n", r"line 2: frame -1, but the first is 0 \(--first-frame\)"),
            ("frame,x,y,w,h\n1,2,3,4,5\n1,2,3,4,5\n", r"line 3: a second box for the same target and frame"),
            ("", r"cat.csv: no boxes found"),
        ],
    )
    def test_mistakes(self, tmp_path, text, message):
        put(tmp_path / "cat.csv", text)
        with pytest.raises(DatasetError, match=message):
            read_tracks(tmp_path / "cat.csv")

    def test_beyond_the_end_and_no_video(self, tmp_path, out):
        put(tmp_path / "cat.csv", "frame,x,y,w,h\n7,1,2,3,4\n")
        with pytest.raises(DatasetError, match=r"cat.csv: no video cat in .*: expected a folder of images"):
            converted(tmp_path / "cat.csv", tmp_path, out)
        put_video(tmp_path / "cat.avi")
        with pytest.raises(DatasetError, match=r"cat.csv: a box for frame 8 of cat, which has 6 frames"):
            converted(tmp_path / "cat.csv", tmp_path, out)
        (tmp_path / "cat.avi").write_bytes(b"no video")
        made = out / "cat/frames_of_video"
        assert made.is_dir()  # of the earlier video; the new file is younger
        with pytest.raises(DatasetError, match=r"cat.avi: cannot be decoded as a video"):
            converted(tmp_path / "cat.csv", tmp_path, out)
        assert not made.is_dir()


class TestCoco:
    def table(self, **changes):
        images = [{"id": n, "file_name": f"cat/{n:02d}.jpg", "width": 64, "height": 48} for n in (3, 1, 2)]
        rows = [{"image_id": n, "bbox": [n, 2, 3, 4], "category_id": 1} for n in (1, 2, 3)]
        return {"images": images, "annotations": rows, **changes}

    def images(self, folder):
        for number in (1, 2, 3):
            put_image(folder / f"cat/{number:02d}.jpg")

    def test_images_by_folder(self, tmp_path, out):
        self.images(tmp_path)
        put(tmp_path / "a.json", json.dumps(self.table()))
        sequence = converted(tmp_path / "a.json", tmp_path, out)["cat"]
        assert boxes_of(sequence) == [[1, 2, 3, 4], [2, 2, 3, 4], [3, 2, 3, 4]]
        assert [path.name for path in sequence.frames.paths] == ["01.jpg", "02.jpg", "03.jpg"]

    def test_videos_and_tracks(self, tmp_path, out):
        self.images(tmp_path)
        images = [{"id": f"i{n}", "file_name": f"cat/{n:02d}.jpg", "video_id": 7, "frame_id": 9 - n} for n in (1, 2, 3)]
        rows = [{"image_id": "i1", "bbox": [1, 1, 2, 2], "track_id": 5}]
        rows += [{"image_id": "i3", "bbox": [3, 3, 2, 2], "attributes": {"track_id": 6}}]
        rows += [{"image_id": "i1", "bbox": [4, 4, 2, 2], "attributes": {"track_id": 6}}]
        table = self.table(videos=[{"id": 7, "name": "pets"}], images=images, annotations=rows)
        put(tmp_path / "a.json", json.dumps(table))
        found = converted(tmp_path / "a.json", tmp_path, out)
        assert list(found) == ["pets-5", "pets-6"]
        assert [path.name for path in found["pets-6"].frames.paths] == ["03.jpg", "02.jpg", "01.jpg"]
        assert boxes_of(found["pets-6"])[::2] == [[3, 3, 2, 2], [4, 4, 2, 2]]

    def test_frames_of_a_video_file(self, tmp_path, out):
        put_video(tmp_path / "cat.avi", frames=3)
        put(tmp_path / "a.json", json.dumps(self.table()))
        sequence = converted(tmp_path / "a.json", tmp_path, out)["cat"]
        assert [path.name for path in sequence.frames.paths] == ["00000001.jpg", "00000002.jpg", "00000003.jpg"]

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"images": 3}, r"a.json: expected COCO's JSON with a list 'images'"),
            ({"images": [{"id": 1}]}, r"a.json: images\[0\]: expected an object with id, file_name"),
            (
                {"annotations": [{"image_id": 9, "bbox": [1, 2, 3, 4]}]},
                r"annotations\[0\]: image_id 9 is not in 'images'",
            ),
            ({"annotations": [{"image_id": 1, "bbox": [1, 2]}]}, r"annotations\[0\]: expected 4 numbers"),
            (
                {"annotations": [{"image_id": 1, "bbox": [1, 2, 3, 4]}] * 2},
                r"annotations\[1\]: a second box for the same",
            ),
        ],
    )
    def test_mistakes(self, tmp_path, changes, message):
        put(tmp_path / "a.json", json.dumps(self.table(**changes)))
        with pytest.raises(DatasetError, match=message):
            read_tracks(tmp_path / "a.json")

    def test_listed_images_that_are_missing(self, tmp_path, out):
        self.images(tmp_path)
        (tmp_path / "cat/02.jpg").unlink()
        put(tmp_path / "a.json", json.dumps(self.table()))
        with pytest.raises(DatasetError, match=r"cat.02.jpg: no such file, but it is listed"):
            converted(tmp_path / "a.json", tmp_path, out)


class TestMot:
    def test_targets_and_ignored_rows(self, tmp_path, out):
        for number in range(1, 5):
            put_image(tmp_path / f"MOT17-02/img1/{number:06d}.jpg")
        rows = ["2,1,10,11,5,6,1,1,1", "3,1,11,11,5,6,1,1,0.5", "1,2,1,1,5,6,1,1,1", "1,3,1,1,5,6,0,1,1"]
        put(tmp_path / "MOT17-02/gt/gt.txt", "\n".join(rows))
        for source in (tmp_path, tmp_path / "MOT17-02"):
            found = converted(source, source, out)
            assert {name: boxes_of(sequence) for name, sequence in found.items()} == {
                "MOT17-02-1": [[10, 11, 5, 6], [11, 11, 5, 6]],
                "MOT17-02-2": [[1, 1, 5, 6]],
            }
            assert found["MOT17-02-1"].frames.paths[0].name == "000002.jpg"

    @pytest.mark.parametrize(
        ("line", "message"),
        [("1,1,2,3,4", "got 5 values"), ("0,1,2,3,4,5", "frame 0, but the first is 1"), ("1,a,2,3,4,5", "got 'a'")],
    )
    def test_mistakes(self, tmp_path, line, message):
        put(tmp_path / "v/gt/gt.txt", f"1,2,1,1,5,6\n{line}\n")
        with pytest.raises(DatasetError, match=rf"gt.txt line 2: .*{message}"):
            read_tracks(tmp_path)


class TestYolo:
    def test_centres_and_shares_become_pixels(self, tmp_path, out):
        for number in range(3):
            put_image(tmp_path / f"data/images/cat/{number}.jpg")
            put(tmp_path / f"data/labels/cat/{number}.txt", f"0 0.5 0.5 0.25 {0.25 + 0.125 * number}\n")
        sequence = converted(tmp_path / "data", tmp_path / "data", out)["cat"]
        # Centre (32, 24) of 64 x 48; 16 x 12, 18, 24.
        assert boxes_of(sequence) == [[24, 18, 16, 12], [24, 15, 16, 18], [24, 12, 16, 24]]

    def test_targets_by_id_and_frames_by_number_of_a_video(self, tmp_path, out):
        put_video(tmp_path / "clips/cat.avi")
        put(tmp_path / "labels/cat/cat_2.txt", "0 0.5 0.5 0.25 0.25 4\n0 0.25 0.5 0.25 0.25 0.9 7\n")
        put(tmp_path / "labels/cat/cat_4.txt", "0 0.5 0.5 0.25 0.25 4\n")
        found = converted(tmp_path, tmp_path / "clips", out)
        assert list(found) == ["cat-4", "cat-7"]
        assert [path.name for path in found["cat-4"].frames.paths] == [f"{n:08d}.jpg" for n in (2, 3, 4)]
        assert boxes_of(found["cat-7"]) == [[8, 18, 16, 12]]

    def test_mistakes(self, tmp_path, out):
        put(tmp_path / "labels/cat/1.txt", "0 32 24 16 12\n")
        with pytest.raises(DatasetError, match=r"1.txt line 1: expected shares of the image's size"):
            read_tracks(tmp_path)
        put(tmp_path / "labels/cat/1.txt", "0 0.5 0.5 0.1 0.1\n0 0.4 0.4 0.1 0.1\n")
        with pytest.raises(DatasetError, match=r"1.txt line 2: a second box"):
            read_tracks(tmp_path)
        put(tmp_path / "labels/cat/1.txt", "0 0.5 0.5 0.1 0.1\n")
        put_image(tmp_path / "images/cat/2.jpg")
        with pytest.raises(DatasetError, match=r"1.txt: cat has no image 1"):
            converted(tmp_path, tmp_path, out)


def test_formats_are_told_apart(tmp_path):
    put(tmp_path / "c/a.csv")
    put(tmp_path / "m/v/gt/gt.txt")
    put(tmp_path / "y/labels/1.txt")
    put(tmp_path / "y/classes.txt")
    put(tmp_path / "x.json")
    assert [detect(tmp_path / name) for name in ("c", "m", "y", "x.json", "c/a.csv", "m/v/gt/gt.txt")] == [
        *("csv", "mot", "yolo", "coco", "csv", "mot"),
    ]
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match=r"empty: expected a CSV file .* --format"):
        detect(tmp_path / "empty")
    with pytest.raises(DatasetError, match=r"gone: no such file or folder"):
        read_tracks(tmp_path / "gone")


def test_names():
    assert sorted(["a10", "a2", "a"], key=natural) == ["a", "a2", "a10"]
    assert [safe_name(name) for name in ("a/b", "été 1", "..", "x:y")] == ["a_b", "été_1", "video", "x_y"]


def test_survey(tmp_path, monkeypatch):
    monkeypatch.setenv("PYSOT_CACHE", str(tmp_path / "cache"))
    root = tmp_path / "root"
    otb(root / "OTB100", "Woman")
    otb(root / "mine", "dog")
    put(root / "VOT2018/a/groundtruth.txt", "1,2,x,4\n")
    put(root / "notes/readme.txt")
    installed, missing = survey(root)
    found = {entry.name: entry for entry in installed}
    assert list(found) == ["OTB100", "OTB50", "CVPR13", "VOT2018", "mine"]
    assert (found["OTB100"].sequences, found["OTB100"].expected, found["OTB100"].frames) == (1, 100, 4)
    assert (found["mine"].with_images, found["mine"].annotations) == (1, "download")
    assert "groundtruth.txt line 1" in found["VOT2018"].fault
    assert {"LaSOT", "Builtin", "Builtin-VOT"} <= set(missing)
    assert not (tmp_path / "cache").exists()  # nothing was rendered
    assert survey(tmp_path / "gone")[0] == []


class TestOwnFolder:
    def test_no_special_cases_of_otb(self, tmp_path):
        """OTB's David starts at its 300th image; somebody's own does not."""
        otb(tmp_path / "mine", "David")
        assert load_dataset("mine", tmp_path).sequences[0].frames.paths[0].name == "0001.jpg"

    def test_a_single_sequence_polygons_and_absence(self, tmp_path):
        otb(tmp_path / "mine")
        put(tmp_path / "mine/cat/groundtruth_rect.txt", "1,1,5,1,5,5,1,5\nnan,nan,nan,nan\n1,2,3,4\n1,2,3,4\n")
        dataset = load_dataset(str(tmp_path / "mine/cat"), tmp_path)
        assert (dataset.benchmark.name, dataset.sequences[0].name) == ("cat", "cat")
        assert dataset.sequences[0].ground_truth.sizes.tolist() == [8, 4, 4, 4]

    def test_from_inside(self, tmp_path, monkeypatch):
        otb(tmp_path / "mine")
        monkeypatch.chdir(tmp_path / "mine")
        assert load_dataset(".", tmp_path).benchmark.name == "mine"

    def test_nothing_in_it(self, tmp_path):
        (tmp_path / "mine").mkdir()
        with pytest.raises(DatasetError, match=r"no sequences in .*mine: expected <sequence>.groundtruth_rect.txt"):
            load_dataset("mine", tmp_path)
        put(tmp_path / "mine/cat/groundtruth.txt", "1,2,3\n")
        with pytest.raises(DatasetError, match=r"groundtruth.txt line 1: expected x, y, w, h or the corners"):
            load_dataset("mine", tmp_path)

    def test_a_benchmark_by_path_is_that_benchmark(self, tmp_path):
        put(tmp_path / "elsewhere/VOT2018/a/groundtruth.txt", "1,2,11,2,11,12,1,12\n")
        dataset = load_dataset(str(tmp_path / "elsewhere/VOT2018"), tmp_path / "empty")
        assert dataset.benchmark.protocol == "supervised"
