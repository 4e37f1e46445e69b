"""Every download layout with its special cases, rebuilt in miniature; the JSON annotations; what goes wrong."""

import json

import cv2
import numpy as np
import pytest

from toolkit.benchmarks import BENCHMARKS, find_benchmark
from toolkit.datasets import READERS, load_dataset, pysot_json
from toolkit.datasets.lasot import TEST_SPLIT
from toolkit.datasets.otb import SUBSETS
from toolkit.datasets.uav import PART_STARTS
from toolkit.errors import DatasetError
from toolkit.evaluate import FAMILIES
from toolkit.results import LAYOUTS
from toolkit.sequence import read_image


def put(path, text=""):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def put_images(folder, names, size=(32, 24)):
    folder.mkdir(parents=True, exist_ok=True)
    for value, name in enumerate(names):
        cv2.imwrite(str(folder / name), np.full((size[1], size[0], 3), value, np.uint8))


def lines(count, width=4, sep=","):
    return "".join(sep.join(str(10 * row + column) for column in range(width)) + "\n" for row in range(count))


def by_name(dataset):
    return {sequence.name: sequence for sequence in dataset.sequences}


def test_table_refers_to_what_exists():
    for benchmark in BENCHMARKS.values():
        assert benchmark.reader in READERS
        assert benchmark.protocol in LAYOUTS
        assert benchmark.family in FAMILIES
        assert (benchmark.eao_lengths != (0, 0)) == (benchmark.family == "supervised")


def test_lists_are_complete():
    assert len(TEST_SPLIT) == 280
    assert len({name.rpartition("-")[0] for name in TEST_SPLIT}) == 70
    assert {name: len(names) for name, names in SUBSETS.items()} == {"OTB50": 50, "CVPR13": 51}
    # UAV123's 123 sequences: 51 are parts of 19 folders, 72 have a folder of their own.
    assert (len(PART_STARTS), sum(map(len, PART_STARTS.values()))) == (19, 51)
    assert all(starts[0] == 1 and list(starts) == sorted(starts) for starts in PART_STARTS.values())


class TestOTB:
    def test_two_targets_in_one_folder(self, tmp_path):
        put(tmp_path / "OTB100/Jogging/groundtruth_rect.1.txt", lines(3))
        put(tmp_path / "OTB100/Jogging/groundtruth_rect.2.txt", lines(3, sep="\t"))
        put(tmp_path / "OTB100/Human4/groundtruth_rect.1.txt", "\n")
        put(tmp_path / "OTB100/Human4/groundtruth_rect.2.txt", lines(2))
        found = by_name(load_dataset("OTB100", tmp_path))
        assert list(found) == ["Human4-2", "Jogging-1", "Jogging-2"]
        np.testing.assert_array_equal(found["Jogging-1"].ground_truth.values, found["Jogging-2"].ground_truth.values)

    def test_folders_copied_for_pysot(self, tmp_path):
        for number in (1, 2):
            put(tmp_path / f"OTB100/Jogging-{number}/groundtruth_rect.1.txt", lines(3))
            put(tmp_path / f"OTB100/Jogging-{number}/groundtruth_rect.2.txt", lines(3))
        assert list(by_name(load_dataset("OTB100", tmp_path))) == ["Jogging-1", "Jogging-2"]

    def test_david_starts_at_its_300th_image(self, tmp_path):
        put(tmp_path / "OTB100/David/groundtruth_rect.txt", lines(4))
        for number in range(1, 311):
            put(tmp_path / f"OTB100/David/img/{number:04d}.jpg")
        sequence = load_dataset("OTB100", tmp_path).sequences[0]
        assert [path.name for path in sequence.frames.paths] == [f"0{number}.jpg" for number in (300, 301, 302, 303)]

    def test_subsets_come_from_the_same_download(self, tmp_path):
        for name in ("Basketball", "Dog", "Woman"):
            put(tmp_path / f"OTB100/{name}/groundtruth_rect.txt", lines(2))
        assert list(by_name(load_dataset("CVPR13", tmp_path))) == ["Basketball", "Woman"]
        assert load_dataset("CVPR13", tmp_path).shortfall.startswith("CVPR13: 2 of 51 sequences")

    def test_own_videos_by_path_or_by_name(self, tmp_path):
        put(tmp_path / "mine/cat/groundtruth.txt", lines(2))
        put_images(tmp_path / "mine/cat", ["1.png", "2.png", "10.png"])
        for dataset in (load_dataset(str(tmp_path / "mine"), tmp_path / "x"), load_dataset("mine", tmp_path)):
            assert dataset.benchmark.name == "mine"
            assert [path.name for path in dataset.sequences[0].frames.paths] == ["1.png", "2.png"]


class TestVOT:
    def test_polygons_tags_and_list(self, tmp_path):
        root = tmp_path / "VOT2018"
        put(root / "list.txt", "b\na\n")
        put(root / "a/groundtruth.txt", lines(3, 8))
        put(root / "a/occlusion.tag", "0\n1\n")
        put(root / "a/camera_motion.label", "1\n1\n1\n")
        put(root / "a/size_change.tag", "")
        put(root / "b/groundtruth.txt", lines(2, 4))
        put_images(root / "a/color", ["00000001.jpg", "00000002.jpg", "00000003.jpg"])
        put(root / "c/groundtruth.txt", lines(2, 4))  # not listed
        dataset = load_dataset("VOT2018", tmp_path)
        assert [sequence.name for sequence in dataset.sequences] == ["b", "a"]
        sequence = dataset.sequences[1]
        assert {tag: mask.tolist() for tag, mask in sequence.tags.items()} == {
            "camera_motion": [True, True, True],
            "occlusion": [False, True, False],
        }
        assert sequence.ground_truth.sizes.tolist() == [8, 8, 8]
        assert sequence.size == (32, 24)

    def test_long_term_absence(self, tmp_path):
        put(tmp_path / "VOT2018-LT/ballet/groundtruth.txt", "1,2,3,4\nnan,nan,nan,nan\n5,6,7,8\n")
        sequence = load_dataset("VOT2018-LT", tmp_path).sequences[0]
        assert np.isnan(sequence.ground_truth.values[1]).all()

    def test_listed_but_missing(self, tmp_path):
        put(tmp_path / "VOT2018/list.txt", "gone\n")
        with pytest.raises(DatasetError, match=r"gone.groundtruth.txt: no such file"):
            load_dataset("VOT2018", tmp_path)


def test_uav_parts_of_one_folder(tmp_path):
    root = tmp_path / "UAV123"
    put(root / "anno/UAV123/bird1_2.txt", "1,2,3,4\nNaN,NaN,NaN,NaN\n")
    put(root / "anno/UAV123/car1_s.txt", lines(1))
    put(root / "anno/UAV20L/bird1.txt", lines(1))
    for number in range(1, 780):
        put(root / f"data_seq/UAV123/bird1/{number:06d}.jpg")
    found = by_name(load_dataset("UAV123", tmp_path))
    assert [path.name for path in found["bird1_2"].frames.paths] == ["000775.jpg", "000776.jpg"]
    assert found["car1_s"].frames.folder.name == "car1_s"
    long = load_dataset("UAV20L", tmp_path).sequences
    assert [sequence.frames.paths[0].name for sequence in long] == ["000001.jpg"]


def test_uav_attributes_lie_beside_the_boxes(tmp_path):
    root = tmp_path / "UAV123/anno/UAV123"
    put(root / "bike1.txt", lines(1))
    put(root / "bird1_1.txt", lines(1))
    put(root / "att/bird1_1.txt", "1,0,0,0,1,0,0,0,0,0,0,1\n")
    found = by_name(load_dataset("UAV123", tmp_path))
    assert found["bird1_1"].attributes == ("SV", "FOC", "SOB")
    assert found["bike1"].attributes == ()
    put(root / "att/bird1_1.txt", "1,0,1\n")
    with pytest.raises(DatasetError, match=r"bird1_1.txt: 3 flags, expected 12, one per attribute"):
        load_dataset("UAV123", tmp_path)


class TestLaSOT:
    def test_flags_of_either_kind_and_the_test_split(self, tmp_path):
        root = tmp_path / "LaSOT"
        put(root / "cat/cat-1/groundtruth.txt", lines(3))
        put(root / "cat/cat-1/full_occlusion.txt", "0,1,0")
        put(root / "cat/cat-1/out_of_view.txt", "0,0,1")
        put(root / "cat-3/groundtruth.txt", lines(2))
        put(root / "cat-3/absent.txt", "1\n0\n")
        put(root / "cat/cat-2/groundtruth.txt", lines(2))  # of the training split
        found = by_name(load_dataset("LaSOT", tmp_path))
        assert list(found) == ["cat-1", "cat-3"]
        assert found["cat-1"].visible.tolist() == [True, False, False]
        assert found["cat-3"].visible.tolist() == [False, True]
        assert list(by_name(load_dataset("LaSOT-all", tmp_path))) == ["cat-1", "cat-2", "cat-3"]

    def test_flags_of_another_length(self, tmp_path):
        put(tmp_path / "LaSOT/cat-1/groundtruth.txt", lines(3))
        put(tmp_path / "LaSOT/cat-1/absent.txt", "1\n0\n")
        with pytest.raises(DatasetError, match=r"absent.txt: 2 flags, groundtruth.txt has 3 frames"):
            load_dataset("LaSOT", tmp_path)


def test_nfs_thins_out_annotations_made_at_240_hz(tmp_path):
    text = "".join(f'0 {n} 2 {n + 10} 22 {n} 0 0 0 "ball"\n' for n in range(17))
    put(tmp_path / "NFS/ball/30/ball.txt", text)
    put(tmp_path / "NFS/ball/240/ball.txt", text)
    for number in range(1, 3):
        put(tmp_path / f"NFS/ball/30/ball/{number:05d}.jpg")
    slow, fast = (load_dataset(name, tmp_path).sequences[0] for name in ("NFS30", "NFS240"))
    assert slow.ground_truth.values[:, :4].tolist() == [[0, 2, 10, 20], [8, 2, 10, 20]]
    assert len(fast.ground_truth) == 17


def test_got10k_cover_and_size(tmp_path):
    folder = tmp_path / "GOT-10k/val/GOT-10k_Val_000001"
    put(tmp_path / "GOT-10k/val/list.txt", "GOT-10k_Val_000001\n")
    put(folder / "groundtruth.txt", lines(3))
    put(folder / "cover.label", "8\n0\n3\n")
    put(folder / "meta_info.ini", "[METAINFO]\nresolution: (1920, 1080)\n")
    sequence = load_dataset("GOT-10k-val", tmp_path).sequences[0]
    assert sequence.visible.tolist() == [True, False, True]
    assert sequence.size == (1920, 1080)


def test_withheld_ground_truth_leaves_the_length_to_the_images(tmp_path):
    put(tmp_path / "TrackingNet/TEST/anno/a.txt", "1,2,3,4\n")
    put_images(tmp_path / "TrackingNet/TEST/frames/a", [f"{n}.jpg" for n in range(12)])
    sequence = load_dataset("TrackingNet", tmp_path).sequences[0]
    assert (len(sequence), len(sequence.ground_truth)) == (12, 1)
    assert [int(frame[0, 0, 0]) for frame in sequence] == list(range(12))  # 2.jpg before 10.jpg


ENTRY = {
    "video_dir": "a",
    "init_rect": [1, 2, 3, 4],
    "img_names": ["a/img/1.jpg", "a/img/2.jpg"],
    "gt_rect": [[1, 2, 3, 4], [5, 6, 7, 8]],
}


class TestJson:
    def load(self, tmp_path, **changes):
        put(tmp_path / "OTB100/OTB100.json", json.dumps({"a": {**ENTRY, **changes}}))
        return load_dataset("OTB100", tmp_path).sequences[0]

    def test_everything_there_is(self, tmp_path):
        extra = {
            "attr": ["Occlusion"],
            "absent": [1, 0],
            "occlusion": [0, 1],
            "size_change": [],
            "width": 9,
            "height": 7,
        }
        sequence = self.load(tmp_path, **extra)
        assert sequence.attributes == ("Occlusion",)
        assert sequence.visible.tolist() == [True, False]
        assert list(sequence.tags) == ["occlusion"]
        assert sequence.size == (9, 7)
        assert sequence.frames.paths[1] == tmp_path / "OTB100/a/img/2.jpg"
        assert sequence.start_region.tolist() == [1, 2, 3, 4]

    def test_written_and_read_again(self, tmp_path):
        sequence = self.load(tmp_path, absent=[1, 0], occlusion=[0, 1], width=9, height=7, attr=["Blur"])
        pysot_json.write(tmp_path / "copy.json", [sequence], tmp_path / "OTB100")
        again = pysot_json.read(tmp_path / "copy.json", tmp_path / "OTB100")[0]
        assert again.frames.paths == sequence.frames.paths
        np.testing.assert_array_equal(again.ground_truth.values, sequence.ground_truth.values)
        np.testing.assert_array_equal(again.visible, sequence.visible)
        assert (again.attributes, again.size) == (sequence.attributes, sequence.size)

    def test_json_beside_the_folder(self, tmp_path):
        put(tmp_path / "OTB100.json", json.dumps({"a": ENTRY}))
        assert load_dataset("OTB100", tmp_path).sequences[0].frames.folder == tmp_path / "OTB100"

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"gt_rect": [[1, 2, 3, 4]] * 3}, "a: 3 entries of 'gt_rect', expected 2"),
            ({"gt_rect": [[1, 2, 3, 4], None]}, "a: gt_rect: expected a list of numbers for each frame"),
            ({"absent": [1]}, "a: 1 entries of 'absent', expected 2"),
            ({"gt_rect": [[1, 2, 3], [1, 2, 3]]}, r"a: gt_rect: regions: expected an array .* got \(2, 3\)"),
        ],
    )
    def test_mistakes(self, tmp_path, changes, message):
        with pytest.raises(DatasetError, match=message):
            self.load(tmp_path, **changes)

    def test_missing_keys_and_no_json(self, tmp_path):
        put(tmp_path / "OTB100/OTB100.json", json.dumps({"a": {}}))
        with pytest.raises(DatasetError, match="a has no 'img_names' and no 'gt_rect'"):
            load_dataset("OTB100", tmp_path)
        put(tmp_path / "OTB100/OTB100.json", "{")
        with pytest.raises(DatasetError, match="cannot be read as JSON"):
            load_dataset("OTB100", tmp_path)
        put(tmp_path / "OTB100/OTB100.json", "{}")
        with pytest.raises(DatasetError, match=r"OTB100.json: has no sequences"):
            load_dataset("OTB100", tmp_path)


def test_unknown_and_absent_benchmarks(tmp_path):
    with pytest.raises(DatasetError, match=r"unknown benchmark 'VOT18'. Did you mean 'VOT2018'"):
        find_benchmark("VOT18")
    with pytest.raises(DatasetError, match=r"no VOT2018 in .*VOT2018.json.*see testing_dataset"):
        load_dataset("VOT2018", tmp_path)


def test_missing_and_broken_images(tmp_path):
    put(tmp_path / "mine/a/groundtruth.txt", lines(3))
    put_images(tmp_path / "mine/a/img", ["1.jpg"])
    put(tmp_path / "mine/a/img/2.jpg", "no picture")
    sequence = load_dataset("mine", tmp_path).sequences[0]
    assert sequence.frame(0).shape == (24, 32, 3)
    with pytest.raises(DatasetError, match=r"2.jpg: cannot be decoded as an image \(frame 2 of a\)"):
        sequence.frame(1)
    with pytest.raises(DatasetError, match="a: no image for frame 3 in"):
        sequence.frame(2)
    (tmp_path / "mine/a/img/2.jpg").unlink()
    (tmp_path / "mine/a/img/2.jpg").mkdir()
    with pytest.raises(DatasetError, match=r"2.jpg: cannot be read \(.*\) \(frame 2 of a\)"):
        sequence.frame(1)


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_images_that_are_cut_off_and_such_that_are_followed_by_something(tmp_path, suffix):
    file = tmp_path / f"whole{suffix}"
    noise = np.random.default_rng(0).integers(0, 255, (80, 100, 3), np.uint8)
    cv2.imwrite(str(file), noise)
    whole = file.read_bytes()
    expected = cv2.imread(str(file))
    for more in (b"", b"\0" * 5000, b"something of a camera's"):
        file.write_bytes(whole + more)
        image, problem = read_image(file)
        np.testing.assert_array_equal(image, expected)
        assert problem == ""
    small = cv2.imencode(".jpg", noise[:8, :8])[1].tobytes()
    for cut in (whole[:-20], whole[: len(whole) // 2], whole[: len(whole) // 2] + b"\0" * 5000):
        file.write_bytes(cut)
        assert read_image(file) == (None, "is cut off")
    if suffix == ".jpg":  # a whole small picture in the head does not make the rest whole
        head = whole[:2] + b"\xff\xe1" + (len(small) + 2).to_bytes(2, "big") + small
        file.write_bytes(head + whole[2:])
        assert read_image(file)[1] == ""
        file.write_bytes(head + whole[2:-3000])
        assert read_image(file) == (None, "is cut off")
