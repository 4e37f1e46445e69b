"""Batches: the same for any number of workers, disjoint over ranks, and whole where images are broken."""

from __future__ import annotations

import re
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from pysot.config import load_cfg
from pysot.datasets import EpochSampler, PairKey, build_pair_dataset, build_pair_loader
from pysot.utils import ConfigError, InputError
from tests.drawn_crops import Videos, small_set, textured, write_annotations, write_crops


@pytest.fixture(scope="module")
def crops(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six drawn videos of three frames, with masks."""
    folder = tmp_path_factory.mktemp("crops")
    videos = small_set(6)
    write_crops(folder, videos, masks=True)
    write_annotations(folder, videos)
    return folder


def cfg_of(folder: Path, *words: Any, **entry: Any):
    entry = {"ROOT": str(folder), "ANNO": str(folder / "train.json"), "FRAME_RANGE": 100} | entry
    defaults = ["DATASET.NAMES", ["SET"], "TRAIN.BATCH_SIZE", 4, "TRAIN.NUM_WORKERS", 0, "DATASET.VIDEOS_PER_EPOCH", 24]
    augment = [
        "DATASET.SEARCH.BLUR",
        0.3,
        "DATASET.SEARCH.FLIP",
        0.5,
        "DATASET.SEARCH.CUTOUT",
        0.3,
        "DATASET.GRAY",
        0.2,
    ]
    return load_cfg(None, ["DATASET.SET", entry, *defaults, *augment, *words])


def assert_equal(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert one.keys() == other.keys()
    for name, value in one.items():
        if isinstance(value, torch.Tensor):
            assert torch.equal(value, other[name]), name
        else:
            assert value == other[name], name


def joined(batches: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        name: torch.cat([batch[name] for batch in batches])
        if isinstance(value, torch.Tensor)
        else [item for batch in batches for item in batch[name]]
        for name, value in batches[0].items()
    }


def test_what_a_batch_holds(crops: Path):
    batch = next(build_pair_loader(cfg_of(crops), seed=0).epoch(0))
    shapes = {
        name: (tuple(value.shape), value.dtype) for name, value in batch.items() if isinstance(value, torch.Tensor)
    }
    assert shapes == {
        "template": ((4, 3, 127, 127), torch.uint8),
        "search": ((4, 3, 255, 255), torch.uint8),
        "cls": ((4, 5, 25, 25), torch.int8),
        "loc": ((4, 4, 5, 25, 25), torch.float32),
        "loc_weight": ((4, 5, 25, 25), torch.float32),
        "box_xyxy": ((4, 4), torch.float32),
        "template_box_xyxy": ((4, 4), torch.float32),
        "negative": ((4,), torch.bool),
    }
    assert batch["faults"] == []
    assert all(name.count(str(crops)) == 2 for name in batch["names"])


@pytest.mark.parametrize("workers", [1, 2])
def test_the_number_of_workers_changes_nothing(crops: Path, workers: int):
    alone = build_pair_loader(cfg_of(crops), seed=3)
    shared = build_pair_loader(cfg_of(crops, "TRAIN.NUM_WORKERS", workers), seed=3)
    for epoch in (0, 1):  # workers outlive an epoch
        batches = list(alone.epoch(epoch))
        assert len(batches) == alone.steps == 6
        for one, other in zip(batches, shared.epoch(epoch), strict=True):
            assert_equal(one, other)
    first, second = ([batch["names"] for batch in alone.epoch(epoch)] for epoch in (0, 1))
    assert first != second


def test_a_spawned_worker_has_the_same_pairs(crops: Path):
    dataset = build_pair_dataset(cfg_of(crops), seed=0)
    copy = ForkingPickler.loads(bytes(ForkingPickler.dumps(dataset)))
    assert_equal(copy[PairKey(0, 5)], dataset[PairKey(0, 5)])


def test_ranks_share_out_what_one_process_has(crops: Path):
    whole = list(build_pair_loader(cfg_of(crops, "TRAIN.BATCH_SIZE", 8), seed=1).epoch(2))
    ranks = [list(build_pair_loader(cfg_of(crops), seed=1, rank=rank, world_size=2).epoch(2)) for rank in (0, 1)]
    for one, parts in zip(whole, zip(*ranks, strict=True), strict=True):
        assert_equal(one, joined(list(parts)))


def test_an_epoch_can_be_entered_anywhere(crops: Path):
    loader = build_pair_loader(cfg_of(crops), seed=1)
    batches = list(loader.epoch(5))
    for one, other in zip(batches[4:], loader.epoch(5, first_step=4), strict=True):
        assert_equal(one, other)
    assert list(loader.epoch(5, first_step=6)) == []


def test_no_pair_is_in_two_batches():
    keys = []
    for rank in range(3):
        sampler = EpochSampler(100, 7, rank, 3)
        sampler.seek(1)
        assert len(sampler) == 4
        keys += [key for batch in sampler for key in batch]
    assert len(set(keys)) == len(keys) == 84
    with pytest.raises(ConfigError, match=r"VIDEOS_PER_EPOCH 20 is less than one step: TRAIN\.BATCH_SIZE 7 times 3"):
        EpochSampler(20, 7, 0, 3)


@pytest.mark.parametrize(("pairs", "sizes"), [(10, [4, 4, 2]), (8, [4, 4]), (3, [3])])
def test_where_every_pair_counts_the_last_batch_may_be_smaller(crops: Path, pairs: int, sizes: list[int]):
    loader = build_pair_loader(cfg_of(crops), seed=1, pairs_per_epoch=pairs, every_pair=True)
    batches = list(loader.epoch(0))
    assert [len(batch["template"]) for batch in batches] == sizes
    assert loader.steps == len(sizes)
    assert_equal(joined(batches), loader.dataset.__getitems__([PairKey(0, number) for number in range(pairs)]))


def test_the_box_is_where_the_target_was_drawn(crops: Path):
    dataset = build_pair_dataset(cfg_of(crops, "DATASET.SEARCH.CUTOUT", 0, "DATASET.SEARCH.BLUR", 0), seed=0)
    batch = dataset.__getitems__([PairKey(0, number) for number in range(24)])
    for name, boxes in (("template", "template_box_xyxy"), ("search", "box_xyxy")):
        for image, box in zip(batch[name], batch[boxes].numpy(), strict=True):
            bright = image.numpy().min(axis=0) > 190  # the texture is below 128, and colour offsets are small
            rows, columns = np.flatnonzero(bright.any(axis=1)), np.flatnonzero(bright.any(axis=0))
            found = [columns[0] - 0.5, rows[0] - 0.5, columns[-1] + 0.5, rows[-1] + 0.5]
            # The target was drawn at a whole number of pixels, up to one from its exact size.
            np.testing.assert_allclose(found, box, atol=2.1)


def test_masks_follow_the_image(crops: Path):
    words = ["MASK.MASK", True, "RPN.TYPE", "DepthwiseRPN", "DATASET.SEARCH.BLUR", 0, "DATASET.NEG", 0.3]
    cfg = cfg_of(crops, *words, MASKS="{video}/{frame:06d}.{track}.m.png")
    batch = build_pair_dataset(cfg, seed=0).__getitems__([PairKey(0, number) for number in range(24)])
    assert batch["has_mask"].tolist() == [not negative for negative in batch["negative"]]
    assert 0 < int(batch["has_mask"].sum()) < 24
    for image, mask, has_mask in zip(batch["search"], batch["mask"], batch["has_mask"], strict=True):
        if not has_mask:
            assert (mask == 0).all()
            continue
        assert set(mask.unique().tolist()) == {-1, 1}
        # A cut-out is neither bright nor part of the mask.
        bright = torch.from_numpy(image.numpy().min(axis=0) > 190)
        overlap = (bright & (mask > 0)).sum() / (bright | (mask > 0)).sum()
        assert overlap > 0.93


def test_a_target_without_a_mask_file_has_none(crops: Path, tmp_path: Path):
    videos = small_set(2)
    write_crops(tmp_path, videos)
    write_annotations(tmp_path, videos)
    cfg = cfg_of(tmp_path, "MASK.MASK", True, "RPN.TYPE", "DepthwiseRPN", MASKS="{video}/{frame:06d}.{track}.m.png")
    assert not build_pair_dataset(cfg, seed=0)[PairKey(0, 0)]["has_mask"].any()
    cv2.imwrite(str(tmp_path / "v0" / "000000.00.m.png"), np.zeros((9, 9), np.uint8))
    batch = build_pair_dataset(cfg, 0).__getitems__([PairKey(0, number) for number in range(40)])
    assert "v0/000000.00.m.png: expected a mask of the image's size 511 x 511, got 9 x 9" in batch["faults"][0]


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_whole_frames_are_cropped_on_the_way(tmp_path: Path, suffix: str):
    rng = np.random.default_rng(0)
    videos: Videos = {f"v{number}": {"0": {}} for number in range(4)}
    for video in videos.values():
        name = next(key for key in videos if videos[key] is video)
        for frame in range(3):
            image = textured(rng, 360, 480) // 2
            left, top, width, height = (*rng.integers(10, 250, 2).tolist(), *rng.integers(30, 90, 2).tolist())
            image[top : top + height, left : left + width] = 255
            video["0"][f"{frame}"] = [left, top, left + width, top + height]
            (tmp_path / name).mkdir(exist_ok=True)
            cv2.imwrite(str(tmp_path / name / f"img{frame:03d}{suffix}"), image)
    write_annotations(tmp_path, videos)
    words = ["DATASET.SEARCH.CUTOUT", 0, "DATASET.SEARCH.BLUR", 0, "DATASET.NEG", 0]
    cfg = cfg_of(tmp_path, *words, CROPPED=False, IMAGES=f"{{video}}/img{{frame:03d}}{suffix}")
    batch = build_pair_dataset(cfg, seed=0).__getitems__([PairKey(0, number) for number in range(24)])
    assert batch["faults"] == []
    for image, box in zip(batch["search"], batch["box_xyxy"].numpy(), strict=True):
        bright = image.numpy().min(axis=0) > 160
        rows, columns = np.flatnonzero(bright.any(axis=1)), np.flatnonzero(bright.any(axis=0))
        found = np.array([columns[0] - 0.5, rows[0] - 0.5, columns[-1] + 0.5, rows[-1] + 0.5])
        np.testing.assert_allclose(found, np.clip(box, -0.5, 254.5), atol=2.1)


def test_whole_frames_need_to_know_where_the_target_is(tmp_path: Path):
    write_annotations(tmp_path, {"v": {"0": {"0": [30.0, 40.0]}}})
    build_pair_dataset(cfg_of(tmp_path), seed=0)
    with pytest.raises(
        InputError, match=r"train\.json: some boxes are sizes alone; .* \(DATASET\.SET\.CROPPED is False\)"
    ):
        build_pair_dataset(cfg_of(tmp_path, CROPPED=False), seed=0)


def broken(folder: Path, videos: Videos, which: list[str]) -> None:
    write_crops(folder, videos)
    write_annotations(folder, videos)
    for number, name in enumerate(which):
        data = (folder / name).read_bytes()
        kinds = [data[: len(data) // 2], b"", b"text", None]
        if kinds[number % 4] is None:
            (folder / name).unlink()
        else:
            (folder / name).write_bytes(kinds[number % 4])  # type: ignore[arg-type]


def test_broken_images_are_replaced_alike_and_reported(tmp_path: Path):
    which = [f"v{video}/{10 * (video % 3):06d}.00.x.jpg" for video in range(4)]
    broken(tmp_path, small_set(6), which)
    loaders = [build_pair_loader(cfg_of(tmp_path, "TRAIN.NUM_WORKERS", workers), seed=0) for workers in (0, 2)]
    for one, other in zip(*(loader.epoch(0) for loader in loaders), strict=True):
        assert_equal(one, other)
        assert not any(name in text for name in which for text in one["names"])
    assert loaders[0].faults == loaders[1].faults
    named = sorted(re.match(rf"{re.escape(str(tmp_path))}/(\S+): ", fault)[1] for fault in loaders[0].faults)  # type: ignore[index]
    assert named == which
    report = loaders[0].fault_report(most=3)
    assert report.startswith("4 image(s) cannot be read; other pairs took their place (")
    assert report.endswith("  and 1 more")
    problems = " ".join(loaders[0].faults)
    for problem in ("the JPEG ends early", "(0 bytes)", "(4 bytes)", "No such file"):
        assert problem in problems


def test_too_many_broken_images_are_an_error(tmp_path: Path):
    which = [f"v{video}/000000.00.x.jpg" for video in range(6)]
    broken(tmp_path, small_set(6), which)
    loader = build_pair_loader(cfg_of(tmp_path, "DATASET.MAX_FAULTY", 2), seed=0)
    with pytest.raises(InputError, match=r"(?s)\d image\(s\) cannot be read.*v\d/000000.*MAX_FAULTY 2: stopped"):
        list(loader.epoch(0))


def test_nothing_but_broken_images_is_an_error(tmp_path: Path):
    broken(tmp_path, small_set(2, frames=1), ["v0/000000.00.x.jpg", "v1/000000.00.x.jpg"])
    with pytest.raises(InputError, match="16 pairs in a row have an image that cannot be read") as caught:
        list(build_pair_loader(cfg_of(tmp_path), seed=0).epoch(0))
    assert "v0/000000.00.x.jpg: the JPEG ends early" in str(caught.value)
    assert "v1/000000.00.x.jpg: not an image that can be read (0 bytes)" in str(caught.value)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"ROOT": "/absent"}, r"DATASET\.SET\.ROOT: no folder /absent"),
        ({"ANNO": "/absent.json"}, r"/absent\.json: cannot be read"),
        ({"IMAGES": "{clip}.jpg"}, r"DATASET\.SET\.IMAGES: expected a name with \{video\}"),
        ({"IMAGES": "{video.__class__}"}, "expected a name"),
        ({"IMAGES": "{video"}, "expected a name"),
        ({"IMAGES": "{video:06d}"}, "expected a name"),
        ({"MASKS": "{0}"}, r"DATASET\.SET\.MASKS: expected a name"),
    ],
)
def test_sources_that_cannot_be_opened_are_named(crops: Path, entry: dict[str, str], message: str):
    with pytest.raises((InputError, ConfigError), match=message):
        build_pair_dataset(cfg_of(crops, **entry), seed=0)


@pytest.mark.shared
def test_crops_of_real_videos(shared: Path):
    folder = shared / "data" / "train"
    entry = {"ROOT": str(folder / "crop511"), "ANNO": str(folder / "videos.json")}
    dataset = build_pair_dataset(cfg_of(folder, **entry), seed=0)
    batch = dataset.__getitems__([PairKey(0, number) for number in range(90)])
    assert batch["faults"] == []
    names = [name.split(" ") for name in batch["names"]]
    videos = [[path.rsplit("/", 1)[0] for path in pair] for pair in names]
    assert len({template for template, _ in videos}) == len(dataset.sampler.sources[0].index.videos) == 30
    for (template, search), negative in zip(videos, batch["negative"].tolist(), strict=True):
        assert (template != search) == negative
    positives = (batch["cls"] == 1).flatten(1).sum(1)
    assert (positives[batch["negative"]] == 0).all()
    assert (positives[~batch["negative"]] > 0).float().mean() > 0.9


@pytest.mark.shared
def test_whole_photographs_with_coco_annotations(shared: Path):
    folder = shared / "data" / "train"
    entry = {"ROOT": str(folder / "stills"), "ANNO": str(folder / "stills.json"), "IMAGES": "{video}", "CROPPED": False}
    dataset = build_pair_dataset(cfg_of(folder, "DATASET.NEG", 0.5, "DATASET.NEG_SAME_CATEGORY", 1.0, **entry), seed=0)
    batch = dataset.__getitems__([PairKey(0, number) for number in range(40)])
    assert batch["faults"] == []
    index = dataset.sampler.sources[0].index
    assert len(index.tracks) + index.dropped > 9000
    for name, negative in zip(batch["names"], batch["negative"].tolist(), strict=True):
        template, search = name.split(" ")
        assert (template != search) == negative
        # Categories of these pictures are named by source: those of one category lie in one folder.
        assert template.rsplit("/", 1)[0] == search.rsplit("/", 1)[0]
