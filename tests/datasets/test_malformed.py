"""Damaged training sets, in named ways: they are read, or the message names the file. Nothing else may happen."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
import torch

from pysot.config import load_cfg
from pysot.datasets import build_pair_loader, read_index
from pysot.datasets.curation.verify import verify_crops
from pysot.datasets.packed import pack_folder
from pysot.utils import InputError
from tests.damage import IMAGE, TEXT
from tests.drawn_crops import small_set, write_annotations, write_crops

Result = TypeVar("Result")

COCO = {
    "images": [{"id": 7, "file_name": "b.jpg"}, {"id": 8, "file_name": "a.jpg"}],
    "annotations": [
        {"id": 1, "image_id": 7, "bbox": [1.5, 2.5, 10.5, 20.5], "category_id": 5, "iscrowd": 0},
        {"id": 2, "image_id": 8, "bbox": [0, 0, 3, 4], "category_id": 6},
    ],
    "categories": [{"id": 5, "name": "dog"}, {"id": 6, "name": "cat"}],
}
PYSOT = {"v0": {"00": {"000000": [1.5, 2, 30, 40.5], "000010": [3, 4]}}, "v1": {"01": {"000003": [5, 6, 35, 46]}}}
KINDS = {"crops": PYSOT, "coco": COCO, "categories": {"v0": {"00": "dog 3"}, "v1": {"01": "cat"}}}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three videos of two crops with masks."""
    folder = tmp_path_factory.mktemp("malformed") / "crop511"
    folder.mkdir()
    videos = small_set(3, 2)
    write_crops(folder, videos, masks=True)
    write_annotations(folder, videos)
    return folder


def loader_of(root: Path, annotations: Path, **entry: Any):
    entry = {"ROOT": str(root), "ANNO": str(annotations), "FRAME_RANGE": 100} | entry
    words = ["DATASET.NAMES", ["SET"], "TRAIN.NUM_WORKERS", 0, "TRAIN.BATCH_SIZE", 6, "DATASET.VIDEOS_PER_EPOCH", 6]
    words += ["MASK.MASK", True, "RPN.TYPE", "DepthwiseRPN", "DATASET.NEG", 0.3]
    return build_pair_loader(load_cfg(None, ["DATASET.SET", entry, *words]), seed=0)


def or_message(work: Callable[[], Result]) -> tuple[Result | None, str]:
    """Return what ``work`` returns, or the message of an error of the user's; any other is this test's failure."""
    try:
        return work(), ""
    except InputError as error:
        return None, str(error)


def load(root: Path, annotations: Path, **entry: Any) -> tuple[dict[str, Any] | None, str]:
    """Return a batch, or the message."""
    masks = "{video}/{frame:06d}.{track}.m.png"
    return or_message(lambda: next(loader_of(root, annotations, MASKS=masks, **entry).epoch(0)))


def check(batch: dict[str, Any]) -> None:
    for name in ("box_xyxy", "template_box_xyxy", "loc", "loc_weight"):
        assert torch.isfinite(batch[name]).all(), name


# 46 ways x 3 files


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("damage", TEXT)
def test_annotations(damage: str, kind: str, tmp_path: Path):
    file = tmp_path / "train.json"
    victim = tmp_path / "train.categories.json" if kind == "categories" else file
    file.write_text(json.dumps(PYSOT, indent=1))
    victim.write_bytes(TEXT[damage](json.dumps(KINDS[kind], indent=1).encode()))
    index, message = or_message(lambda: read_index(file))
    if index is None:
        assert message.startswith(f"{victim}: ")
        assert len(message) < len(str(victim)) + 250
    else:
        assert len(index.tracks) > 0
        assert torch.isfinite(torch.from_numpy(index.boxes_xyxy)).all()
    inspection, message = or_message(lambda: verify_crops(file, tmp_path, threads=1))
    assert inspection is not None or victim.name in message


# 28 ways x 3 images, each in the training's loader and in verification


@pytest.mark.parametrize("which", ["crop", "mask", "frame"])
@pytest.mark.parametrize("damage", IMAGE)
def test_images(damage: str, which: str, made: Path, tmp_path: Path):
    root = tmp_path / "crop511"
    shutil.copytree(made, root)
    suffix = "m.png" if which == "mask" else "x.jpg"
    victims = sorted(root.glob(f"v1/*.{suffix}"))
    for victim in victims:
        victim.write_bytes(IMAGE[damage](victim.read_bytes()))
    # As whole frames, images may have any size: the target is somewhere in them.
    entry = {"CROPPED": False} if which == "frame" else {}
    batch, message = load(root, root / "train.json", **entry)
    assert batch is not None, message
    check(batch)
    for fault in batch["faults"]:
        # An image of another size does not fit its mask, which is named then; both have one stem.
        assert any(fault.startswith(str(victim).removesuffix(suffix)) for victim in victims), fault
    found = verify_crops(root / "train.json", root, threads=1).findings
    assert {finding.where for finding in found} <= {str(victim) for victim in victims}
    if batch["faults"]:
        assert found


def test_a_header_does_not_decide_how_much_memory_is_taken(made: Path, tmp_path: Path):
    root = tmp_path / "crop511"
    shutil.copytree(made, root)
    for victim in root.glob("*/*.x.jpg"):
        victim.write_bytes(IMAGE["says it is enormous"](victim.read_bytes()))
    batch, message = load(root, root / "train.json")
    assert batch is None
    assert "000000.00.x.jpg: the JPEG says it has 65500 x 65500 pixels: expected at most 128 million" in message


@pytest.mark.parametrize("what", ["gone", "a folder", "a link to itself"])
def test_a_crop_that_is_no_file(what: str, made: Path, tmp_path: Path):
    root = tmp_path / "crop511"
    shutil.copytree(made, root)
    for victim in root.glob("v1/*.x.jpg"):
        victim.unlink()
        if what == "a folder":
            victim.mkdir()
        elif what == "a link to itself":
            victim.symlink_to(victim.name)
    batch, message = load(root, root / "train.json")
    assert batch is not None, message
    assert batch["faults"]
    assert all("v1/0000" in fault for fault in batch["faults"])
    assert {finding.kind for finding in verify_crops(root / "train.json", root, threads=1).findings} == {"missing"}


def test_where_nothing_can_be_read_the_message_names_images(made: Path, tmp_path: Path):
    root = tmp_path / "crop511"
    shutil.copytree(made, root)
    for victim in root.glob("*/*.x.jpg"):
        victim.write_bytes(b"")
    batch, message = load(root, root / "train.json")
    assert batch is None
    assert ".x.jpg: not an image that can be read (0 bytes)" in message


# 9 ways


@pytest.mark.parametrize(
    "damage",
    ["empty", "one byte", "half", "twice", "a web page", "junk", "junk behind it", "with a zero byte", "a list"],
)
def test_packed_images(damage: str, made: Path, tmp_path: Path):
    archive = tmp_path / "crop511.sqlar"
    pack_folder(made, archive)
    archive.write_bytes(TEXT[damage](archive.read_bytes()))
    batch, message = load(archive, made / "train.json")
    if batch is None:
        assert str(archive) in message
    else:
        check(batch)
        assert all(str(archive) in fault for fault in batch["faults"])
