"""A tenth of a recipe for a CPU, from nothing to its scores, through the tools and its stopwatch."""

from __future__ import annotations

import doctest
import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import recipe

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_a_tenth_of_siamfc_beats_a_box_that_never_moves(tmp_path):
    command = [sys.executable, "benchmarks/recipe.py", "--config", "siamfc_synthetic", "--folder", str(tmp_path)]
    tenth = ["--videos", "120", "--test-videos", "8", "DATASET.VIDEOS_PER_EPOCH", "400"]
    done = subprocess.run([*command, *tenth], cwd=ROOT, capture_output=True, text=True, timeout=1200)
    assert done.returncode == 0, done.stderr
    found = re.search(r"^\| Synthetic \| (0\.\d+) \| (0\.\d+) \|$", done.stdout, re.MULTILINE)
    assert found, done.stdout
    tracker, static = map(float, found.groups())
    assert tracker > static
    assert re.search(r"^\| train siamfc_synthetic \| \d+ \| \d+ \|$", done.stdout, re.MULTILINE)


def test_a_recipe_given_by_its_file_has_the_name_of_its_folder():
    found = doctest.testmod(recipe)
    assert found.attempted
    assert not found.failed
    first, second = (recipe.best_weights(Path("f"), f"experiments/{name}/config.yaml") for name in ("one", "two"))
    assert (first, second) == (Path("f/one/snapshot/best.pth"), Path("f/two/snapshot/best.pth"))


@pytest.mark.parametrize(
    "names",
    [["--config", "siamfc_synthetik"], ["--config", "siammask_synthetic_refine", "--after", "siamfc_synthetik"]],
)
def test_a_wrong_name_is_found_out_before_anything_is_drawn(names, tmp_path):
    command = [sys.executable, "benchmarks/recipe.py", *names, "--folder", str(tmp_path / "new")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert "siamfc_synthetic" in done.stderr
    assert not (tmp_path / "new").exists()
