"""benchmarks/difficulty.py against scores derived by hand."""

from __future__ import annotations

import doctest
import importlib.util
from pathlib import Path

import numpy as np
import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "difficulty.py"


@pytest.fixture(scope="module")
def difficulty():
    spec = importlib.util.spec_from_file_location("difficulty", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write_sequence(root: Path, boxes: np.ndarray) -> None:
    folder = root / "OTB100" / "Basketball"
    folder.mkdir(parents=True)
    np.savetxt(folder / "groundtruth_rect.txt", boxes, delimiter=",")


def table(captured: str) -> list[str]:
    return [cell.strip() for cell in captured.splitlines()[-1].strip("|").split("|")]


def test_a_target_that_only_moves_is_known_from_its_centre(difficulty, tmp_path, capsys):
    boxes = np.tile([10.0, 10, 40, 10], (725, 1))
    boxes[1:, 0] += 100  # one step of 100 pixels, then none
    write_sequence(tmp_path, boxes)
    assert difficulty.main(["--dataset", "OTB100", "--dataset-root", str(tmp_path)]) == 0
    name, still, centre, area, median, tenth = table(capsys.readouterr().out)
    perfect = 20 / 21  # an overlap of 1 is not greater than the threshold 1
    assert name == "OTB100"
    assert float(still) == pytest.approx(perfect / 725, abs=5e-4)
    assert float(centre) == float(area) == pytest.approx(perfect, abs=5e-4)
    assert float(median) == float(tenth) == 0


def test_its_example_holds(difficulty):
    found = doctest.testmod(difficulty)
    assert found.attempted
    assert not found.failed


def test_a_gap_is_no_step(difficulty):
    boxes = np.array([[0.0, 0, 10, 10], [2, 0, 10, 10], [np.nan] * 4, [90, 0, 10, 10], [92, 0, 10, 10]])
    assert difficulty.pace(boxes) == pytest.approx(0.2)


def test_pace_is_in_sides_of_the_target(difficulty):
    boxes = np.array([[0.0, 0, 40, 10], [5, 0, 40, 10], [10, 0, 40, 10]])
    assert difficulty.pace(boxes) == pytest.approx(5 / 20)


def test_a_benchmark_that_is_not_there(difficulty, tmp_path, capsys):
    assert difficulty.main(["--dataset", "VOT18", "--dataset-root", str(tmp_path)]) == 2
    assert "VOT2018" in capsys.readouterr().err
