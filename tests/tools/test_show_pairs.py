"""The contact sheet shows what the network will see."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.drawn_crops import small_set, write_annotations, write_crops
from tools.show_pairs import EACH, main


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("crops")
    videos = small_set(3)
    write_crops(folder, videos, masks=True)
    write_annotations(folder, videos)
    entry = {"ROOT": str(folder), "ANNO": str(folder / "train.json"), "MASKS": "{video}/{frame:06d}.{track}.m.png"}
    return ["DATASET.SET", str(entry), "DATASET.NAMES", "['SET']"]


def colored(image: np.ndarray, color: tuple[int, int, int]) -> int:
    return int((np.abs(image.astype(int) - color).max(axis=2) <= 2).sum())


GREEN, RED = (80, 200, 60), (70, 70, 235)


SIAMFC = "RPN.TYPE SiamFCHead TRACK.TYPE SiamFCTracker TRAIN.SEARCH_SIZE 239 TRAIN.BASE_SIZE 0 TRAIN.OUTPUT_SIZE 15"


@pytest.mark.parametrize(
    ("system", "search"),
    [
        ("", 255),
        ("DATASET.DEVICE_AUGMENT True", 255),
        ("MASK.MASK True RPN.TYPE DepthwiseRPN", 255),
        ("RPN.TYPE PointHead TRAIN.LOC_LOSS iou DATASET.DEVICE_AUGMENT True", 255),
        (f"{SIAMFC} INPUT.COLOR RGB", 239),
    ],
)
def test_a_sheet_of_every_kind(
    tmp_path: Path, words: list[str], capsys: pytest.CaptureFixture[str], system: str, search: int
):
    out = tmp_path / "sheet.png"
    assert main(["--out", str(out), "--pairs", "3", *words, *system.split(), "DATASET.NEG", "0"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "SET: 3 videos, 3 targets, 9 boxes; 100.0 % of the pairs",
        f"{out}: 3 pairs of epoch 0, from number 0",
    ]
    sheet = cv2.imread(str(out))
    assert sheet.shape[1] == 2 * (127 + 2 * search + 3 * 8) + 8
    assert colored(sheet, GREEN) > 1000
    assert colored(sheet, RED) > 100  # labels
    yellow_on_white = np.abs(sheet.astype(int) - (158, 230, 252)).max(axis=2) < 12
    assert (yellow_on_white.sum() > 3000) == ("MASK.MASK" in system)


def test_negative_pairs_are_red(tmp_path: Path, words: list[str]):
    sheets = []
    for share in ("0", "1"):
        assert main(["--out", str(tmp_path / "sheet.png"), "--pairs", "2", *words, "DATASET.NEG", share]) == 0
        sheets.append(cv2.imread(str(tmp_path / "sheet.png")))
    assert colored(sheets[1], GREEN) < colored(sheets[0], GREEN) / 2
    assert colored(sheets[1], RED) > colored(sheets[0], RED)


def test_mistakes_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["--out", str(tmp_path / "x.png"), "DATASET.NAMES", "['VID']", "DATASET.VID.ROOT", "/absent"]) == 2
    captured = capsys.readouterr()
    assert captured.err == "show_pairs: DATASET.VID.ROOT: no folder /absent; see training_dataset/README.md\n"
    assert not (tmp_path / "x.png").exists()


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--pairs 0", "expected 1 or more, got 0"),
        ("--columns -1", "expected 1 or more, got -1"),
        ("--epoch -3", "expected 0 or more, got -3"),
        ("--first x", "expected 0 or more, got x"),
    ],
)
def test_counts_are_checked(option: str, message: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit, match="2"):
        main(option.split())
    assert message in capsys.readouterr().err


def test_a_name_of_no_picture_is_refused(tmp_path: Path, words: list[str], capsys: pytest.CaptureFixture[str]):
    assert main(["--out", str(tmp_path / "pairs.foo"), "--pairs", "1", *words]) == 2
    assert "pairs.foo: expected a name that ends in .png or .jpg" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_every_augmentation_is_drawn_once(tmp_path: Path, words: list[str], capsys: pytest.CaptureFixture[str]):
    out = tmp_path / "sheet.png"
    assert main(["--out", str(out), "--each", *words]) == 0
    assert "every augmentation of one pair" in capsys.readouterr().out
    sheet = cv2.imread(str(out))
    cells = [cell for row in np.split(sheet, 5) for cell in np.split(row, 2, axis=1)]
    assert len({cell.tobytes() for cell in cells}) == len(EACH) == 10
    searches = [cell[8:263, 143:398] for cell in cells]
    gray = [bool((search[..., 0] == search[..., 1]).mean() > 0.9) for search in searches]
    assert [name for name, is_gray in zip(EACH, gray, strict=True) if is_gray] == ["GRAY 1"]
