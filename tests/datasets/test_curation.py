"""The curation library: crops, journals, masks, and the report on a finished set."""

from __future__ import annotations

import json
from dataclasses import dataclass

import cv2
import numpy as np
import pytest

from pysot.datasets.curation.clips import Thing
from pysot.datasets.curation.crops import box_in_frame, crop
from pysot.datasets.curation.images import CROP_SIZE, crop_zoom, encode_jpeg, encode_mask
from pysot.datasets.curation.jobs import run_jobs
from pysot.datasets.curation.masks import read_labels
from pysot.datasets.curation.verify import verify_crops
from pysot.datasets.decode import decode_rows, read_header
from pysot.geometry import Rounding, context_side, crop_corner, crop_square
from pysot.utils import InputError


def test_the_template_region_takes_127_pixels():
    size = (63.0, 28.0)
    assert crop_zoom(size) * context_side(size, 0.5) == pytest.approx(127)


def test_a_crop_at_whole_pixels_is_crop_square():
    # w = h = 63.5 would be zoom 1; a box of 127 x 127 has zoom 1/2, so that the crop is a square of 1022 frame pixels.
    rng = np.random.default_rng(0)
    frame = cv2.GaussianBlur(rng.integers(0, 256, (400, 500, 3), dtype=np.uint8), (0, 0), 6)
    border = frame.mean(axis=(0, 1))
    box = (200.0, 100.0, 327.0, 227.0)
    side = 1022
    corner = crop_corner([(box[0] + box[2] - 1) / 2, (box[1] + box[3] - 1) / 2], side, Rounding.PYSOT)
    expected = crop_square(frame, corner, side, CROP_SIZE, border)
    made = crop(frame, box, border)
    inside = np.s_[170:340, 160:380]
    # The corner lies on a half pixel, which crop_square rounds: half a crop pixel at this scale, on a smooth picture.
    assert np.abs(made[inside].astype(int) - expected[inside]).mean() < 2.5
    assert (made[0, 0] == border.astype(np.uint8)).all()


@pytest.mark.parametrize("box", [(10.25, 20.5, 31.75, 33.0), (5.0, 5.0, 9.0, 8.0), (100.3, 10.2, 400.1, 290.9)])
def test_the_box_is_in_the_middle_to_a_fraction_of_a_pixel(box):
    # A linear ramp: its value says from where in the frame a crop's pixel was taken.
    y, x = np.mgrid[:300, :500].astype(np.float32)
    center = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    for ramp, middle in ((x / 2, center[0]), (y / 2, center[1])):
        made = crop(ramp.astype(np.uint8), box, 0).astype(float)
        around = made[250:261, 250:261].mean()
        assert 2 * around == pytest.approx(middle - 0.5 - 1.0, abs=1.6)  # whole greys cut half a pixel off


@pytest.mark.parametrize(
    "box", [(np.nan, 0, 5, 5), (10, 10, 10, 20), (20, 10, 10, 20), (300, 10, 320, 30), (5, 5, 6, 30)]
)
def test_boxes_that_cannot_be_cropped(box):
    with pytest.raises(InputError, match="expected"):
        box_in_frame(Thing("00", box), (200, 100))


def test_shares_become_pixels():
    assert box_in_frame(Thing("00", (0.25, 0.5, 0.5, 1.1), relative=True), (200, 100)) == (50, 50, 100, 100)


def test_crops_can_be_decoded_from_any_row_of_blocks():
    data = encode_jpeg(np.zeros((CROP_SIZE, CROP_SIZE, 3), np.uint8))
    rows = decode_rows(data, range(200, 300), header=read_header(data))
    assert rows.first == 192
    assert len(rows.pixels) == 304 - 192


# --------------------------------------------------------------------------------------------- journal


@dataclass(frozen=True)
class Item:
    name: str


def test_a_journal_goes_on_where_it_ended(tmp_path):
    journal, seen, counts = tmp_path / "j", [], []

    def work(item):
        if item.name == "c" and len(seen) == 2:
            raise KeyboardInterrupt
        seen.append(item.name)
        return item.name.upper()

    items = [Item("a"), Item("b"), Item("c")]
    with pytest.raises(KeyboardInterrupt):
        run_jobs(items, work, journal, {"x": 1})
    seen.append("stopped")
    assert run_jobs(items, work, journal, {"x": 1}, progress=counts.append) == {"a": "A", "b": "B", "c": "C"}
    assert seen == ["a", "b", "stopped", "c"]
    assert counts == [2, 1]
    with pytest.raises(InputError, match=r'was begun with \{"x": 1\}, this one has \{"x": 2, "z": 3\}'):
        run_jobs(items, work, journal, {"x": 2, "z": 3})


@pytest.mark.parametrize("cut", range(1, 40, 5))
def test_a_journal_cut_anywhere_is_mended(tmp_path, cut):
    journal = tmp_path / "j"
    items = [Item("a"), Item("b"), Item("c")]
    run_jobs(items, lambda item: [item.name], journal, {})
    whole = journal.read_bytes()
    journal.write_bytes(whole[:-cut])
    assert run_jobs(items, lambda item: [item.name], journal, {}) == {"a": ["a"], "b": ["b"], "c": ["c"]}
    assert sorted(journal.read_bytes().splitlines()) == sorted(whole.splitlines())


def test_two_videos_of_one_name_are_refused(tmp_path):
    with pytest.raises(InputError, match="two videos are called 'a'"):
        run_jobs([Item("a"), Item("a")], str, tmp_path / "j", {})


# ----------------------------------------------------------------------------------------------- masks


def test_a_grey_mask_has_its_values(tmp_path):
    labels = np.array([[0, 1, 2], [255, 7, 0]], np.uint8)
    cv2.imwrite(str(tmp_path / "m.png"), labels)
    np.testing.assert_array_equal(read_labels(tmp_path / "m.png"), labels)


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n", b"no image"])
def test_what_is_no_mask_is_named(tmp_path, content):
    (tmp_path / "m.png").write_bytes(content)
    with pytest.raises(InputError, match=r"m\.png"):
        read_labels(tmp_path / "m.png")


def test_a_mask_in_colours_without_a_palette_is_refused(tmp_path):
    cv2.imwrite(str(tmp_path / "m.png"), np.full((4, 4, 3), (1, 2, 3), np.uint8))
    with pytest.raises(InputError, match="palette"):
        read_labels(tmp_path / "m.png")


# ---------------------------------------------------------------------------------------------- verify


@pytest.fixture
def finished(tmp_path):
    boxes = {f"{number:06d}": [1, 2, 30, 40] for number in range(6)}
    (tmp_path / "train.json").write_text(json.dumps({"v/w": {"00": boxes}}))
    folder = tmp_path / "crop511" / "v" / "w"
    folder.mkdir(parents=True)
    for name in boxes:
        (folder / f"{name}.00.x.jpg").write_bytes(encode_jpeg(np.full((CROP_SIZE, CROP_SIZE, 3), 90, np.uint8)))
        (folder / f"{name}.00.m.png").write_bytes(encode_mask(np.zeros((CROP_SIZE, CROP_SIZE), np.uint8)))
    return tmp_path


def found_in(folder):
    done = verify_crops(folder / "train.json", folder / "crop511", threads=2)
    assert done.crops == 6
    return done


def test_a_good_set_has_no_findings(finished):
    assert found_in(finished).findings == ()


def test_each_fault_is_found_and_reported(finished):
    folder = finished / "crop511" / "v" / "w"
    (folder / "000000.00.x.jpg").unlink()
    (folder / "000001.00.x.jpg").write_bytes(b"")
    jpeg = folder / "000002.00.x.jpg"
    jpeg.write_bytes(jpeg.read_bytes()[:-50])
    (folder / "000003.00.x.jpg").write_bytes(encode_jpeg(np.zeros((255, 255, 3), np.uint8)))
    mask = folder / "000004.00.m.png"
    mask.write_bytes(mask.read_bytes()[:-20])
    (folder / "000005.00.m.png").write_bytes(encode_mask(np.zeros((255, 255), np.uint8)))
    (folder / "000009.00.x.jpg").write_bytes(jpeg.read_bytes())
    (finished / "train.categories.json").write_text('{"other": {"00": "cat"}}')
    done = found_in(finished)
    assert done.counts() == {"missing": 1, "size": 1, "corrupt": 2, "mismatch": 3, "unlisted": 1}
    done.write(finished / "report.json")
    report = json.loads((finished / "report.json").read_text())
    assert len(report["findings"]) == 8
    assert {entry["where"] for entry in report["findings"]} >= {str(jpeg), str(mask)}


@pytest.mark.parametrize("box", [[1, 2, 1, 9], [0, 0], [1, 2, 3], "x", [1, None, 3, 4], [1, 2, 1e99, 9]])
def test_boxes_that_are_none_are_found(finished, box):
    table = json.loads((finished / "train.json").read_text())
    table["v/w"]["00"]["000003"] = box
    (finished / "train.json").write_text(json.dumps(table))
    (finding,) = found_in(finished).findings
    assert finding.kind == "box"
    assert "v/w/00/000003" in finding.where
