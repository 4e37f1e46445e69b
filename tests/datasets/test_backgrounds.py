"""Photographs around small images: where, which, how bright, and the same each time."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from pysot.datasets.curation.backgrounds import Backgrounds, find_photos, load_photo, match_light, surround
from pysot.datasets.curation.clips import Clip, Labelled, Thing
from pysot.datasets.curation.crops import crop
from pysot.datasets.curation.curate import curate
from pysot.datasets.curation.images import CROP_SIZE
from pysot.utils import InputError

BOX = (20.0, 15.0, 60.0, 45.0)


@pytest.fixture
def photos(tmp_path):
    rng = np.random.default_rng(0)
    folder = tmp_path / "photos" / "deep"
    folder.mkdir(parents=True)
    for number in range(3):
        cv2.imwrite(str(folder / f"{number}.png"), rng.integers(0, 256, (90, 120, 3), dtype=np.uint8))
    return Backgrounds(find_photos(tmp_path / "photos"))


@pytest.fixture
def image():
    return np.full((60, 80, 3), (40, 90, 140), np.uint8)


def views(image):
    return crop(image, BOX, None), crop(np.full(image.shape[:2], 255, np.uint8), BOX, 0)


def test_the_image_itself_is_left_as_it_is(photos, image):
    picture, inside = views(image)
    for name in map(str, range(20)):
        filled = photos.fill(picture, inside, name)
        np.testing.assert_array_equal(filled[inside == 255], picture[inside == 255])
        assert filled[inside == 0].std() > 10  # no even colour


def test_a_name_decides(photos, image):
    picture, inside = views(image)
    first, again, other = (photos.fill(picture, inside, name) for name in "aab")
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_where_the_image_fills_the_crop_nothing_changes(photos, image):
    picture = crop(image, BOX, None)
    assert photos.fill(picture, np.full(picture.shape[:2], 255, np.uint8), "a") is picture


def test_some_edges_are_soft_and_some_hard():
    picture, inside = np.zeros((100, 100, 3), np.uint8), np.zeros((100, 100), np.uint8)
    inside[:, :50] = 255
    widths = set()
    for seed in range(40):
        filled = surround(np.random.default_rng(seed), picture, inside, np.full((50, 50, 3), 200, np.uint8))
        row = filled[50, :, 0].astype(int)
        assert (np.diff(row) >= 0).all()
        widths.add(int((row[50:] < row[-1]).sum()))
    assert 0 in widths
    assert 15 <= max(widths) <= 25


def test_brightness_moves_towards_the_images():
    dark, bright = np.full((9, 9, 3), 40, np.uint8), np.full((9, 9, 3), 80, np.uint8)
    levels = [int(match_light(np.random.default_rng(seed), dark, None, bright, None)[0, 0, 0]) for seed in range(30)]
    assert min(levels) >= 40 * 2**0.4 - 1
    assert max(levels) <= 80
    black = match_light(np.random.default_rng(0), np.zeros((9, 9, 3), np.uint8), None, bright, None)
    assert black.max() == 0


def test_crops_have_photographs_around_and_the_same_ones_again(photos, image, tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), image)
    clip = Clip("a", lambda: [Labelled(0, tmp_path / "a.png", (Thing("00", BOX),))])
    for output, around in (("plain", None), ("one", photos), ("two", photos)):
        curate([clip], tmp_path / "a.png", tmp_path / output, "train", backgrounds=around)
    plain, one, two = (tmp_path / output / "crop511/a/000000.00.x.jpg" for output in ("plain", "one", "two"))
    assert one.read_bytes() == two.read_bytes()
    inside = cv2.erode(crop(np.full(image.shape[:2], 255, np.uint8), BOX, 0), np.ones((33, 33)))
    shown, bare = cv2.imread(str(one)).astype(int), cv2.imread(str(plain)).astype(int)
    assert np.abs(shown - bare)[inside == 255].mean() < 3
    corner = np.s_[: CROP_SIZE // 8, : CROP_SIZE // 8]
    assert bare[corner].std(axis=(0, 1)).max() < 2 < shown[corner].std()
    with pytest.raises(InputError, match="was begun with"):
        curate([clip], tmp_path / "a.png", tmp_path / "one", "train")
    assert json.loads((tmp_path / "one/train.json").read_text()) == json.loads(
        (tmp_path / "plain/train.json").read_text()
    )


def test_a_folder_without_photographs_is_named(tmp_path):
    with pytest.raises(InputError, match="no images"):
        find_photos(tmp_path)


def test_photographs_that_cannot_be_read_are_found_before_anything_is_cropped(photos):
    bad, cut = photos.photos[1], photos.photos[2].with_name("3.jpg")
    bad.write_bytes(b"no image")
    cut.write_bytes(cv2.imencode(".jpg", np.zeros((90, 120, 3), np.uint8))[1].tobytes()[:300])
    with pytest.raises(InputError, match=r"photos: 2 of 4 photographs cannot be used.*1\.png: not an image"):
        find_photos(bad.parents[1])


def test_a_photograph_that_goes_bad_costs_no_crop(photos, image, tmp_path):
    """The run ends naming it, and goes on where it was once it is mended; the clips have no part in it."""
    cv2.imwrite(str(tmp_path / "a.png"), image)
    clips = [
        Clip(str(number), lambda: [Labelled(frame, tmp_path / "a.png", (Thing("00", BOX),)) for frame in range(3)])
        for number in range(8)
    ]
    load_photo.cache_clear()
    bad = photos.photos[1]
    good = bad.read_bytes()
    bad.write_bytes(good[:40])
    with pytest.raises(InputError, match=r"photograph for backgrounds: .*1\.png"):
        curate(clips, tmp_path, tmp_path / "out", "train", backgrounds=photos)
    assert not (tmp_path / "out" / "train.json").exists()
    bad.write_bytes(good)
    done = curate(clips, tmp_path, tmp_path / "out", "train", backgrounds=photos)
    assert done.crops == 24
    assert done.problems == ()


def test_a_malformed_clip_keeps_what_was_read(photos, image, tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), image)

    def read():
        yield Labelled(0, tmp_path / "a.png", (Thing("00", BOX),))
        raise InputError("line 2: no box")

    done = curate([Clip("a", read)], tmp_path, tmp_path / "out", "train", backgrounds=photos)
    assert done.crops == 1
    assert done.problems == ("line 2: no box",)


def test_photographs_are_kept_small(tmp_path):
    for name, size in (("large", (1500, 3000)), ("tall", (2048, 20)), ("small", (60, 90))):
        cv2.imwrite(str(tmp_path / f"{name}.png"), np.full((*size, 3), 77, np.uint8))
    assert load_photo(tmp_path / "large.png").shape == (512, 1024, 3)
    assert load_photo(tmp_path / "tall.png").shape == (1024, 10, 3)
    assert load_photo(tmp_path / "small.png").shape == (60, 90, 3)
    assert Backgrounds((tmp_path / "large.png",)).pick(np.random.default_rng(0)).max() == 77
    most = load_photo.cache_parameters()["maxsize"] * 1024 * 1024 * 3
    assert most <= 200 * 2**20
