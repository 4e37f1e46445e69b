"""Which sequences tune and which are held back."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from toolkit.errors import DatasetError
from toolkit.regions import Regions
from toolkit.sequence import Frames, Sequence
from toolkit.tuning.split import read_split, split_by_share


def sequences(names, folder=None):
    truth = Regions.from_rows([[1.0, 2.0, 3.0, 4.0]])
    return [Sequence(name, Frames(Path("data"), [f"{folder or name}/1.jpg"]), truth) for name in names]


NAMES = [f"s{number:03d}" for number in range(200)]


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_every_sequence_is_on_one_side_and_the_shares_are_near(share):
    split = split_by_share(sequences(NAMES), share)
    assert sorted([*split.tuning, *split.testing]) == NAMES
    assert not set(split.tuning) & set(split.testing)
    # Four standard deviations of a binomial count.
    assert abs(len(split.tuning) - 200 * share) < 4 * np.sqrt(200 * share * (1 - share))


def test_it_is_the_same_on_every_machine():
    split = split_by_share(sequences(["bag", "ball", "bird", "car", "cup"]), 0.5)
    assert split == split_by_share(sequences(["cup", "car", "bird", "ball", "bag"]), 0.5)
    assert (split.tuning, split.testing) == (("bird", "cup", "ball"), ("bag", "car"))


def test_more_sequences_move_none_of_the_others():
    few, many = (split_by_share(sequences(names), 0.5) for names in (NAMES[::3], NAMES))
    assert set(few.tuning) <= set(many.tuning)
    assert set(few.testing) <= set(many.testing)
    assert [name for name in many.tuning if name in few.tuning] == list(few.tuning)


def test_another_seed_is_another_split():
    first, second = (split_by_share(sequences(NAMES), 0.5, seed) for seed in (0, 1))
    assert 20 < len(set(first.tuning) & set(second.tuning)) < 80  # half of a hundred, by chance
    assert first != second


def test_sequences_of_the_same_images_stay_together():
    pairs = [one for name in NAMES[:60] for one in sequences([f"{name}-1", f"{name}-2"], folder=name)]
    sides = split_by_share(pairs, 0.5).sides()
    assert set(sides.values()) == {"tuning", "testing"}
    assert all(sides[f"{name}-1"] == sides[f"{name}-2"] for name in NAMES[:60])


def test_an_empty_side_is_refused():
    with pytest.raises(DatasetError, match="leaves no sequence for testing"):
        split_by_share(sequences(["one"]), 0.999)


def test_a_split_that_was_written_is_read(tmp_path):
    split = split_by_share(sequences(NAMES), 0.5)
    (tmp_path / "split.json").write_text(split.to_json())
    assert read_split(tmp_path / "split.json", sequences(NAMES)) == split


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"tuning": ["s001", "s002"], "testing": ["s002"]}, "in both lists: s002"),
        ({"tuning": ["s001"], "testing": ["nothing"]}, "has no sequence nothing"),
        ({"tuning": ["s001"], "testing": []}, "neither list empty"),
        ({"tuning": "s001", "testing": ["s002"]}, "neither list empty"),
        (["s001"], "neither list empty"),
    ],
)
def test_faulty_files(tmp_path, content, message):
    (tmp_path / "split.json").write_text(json.dumps(content))
    with pytest.raises(DatasetError, match=message):
        read_split(tmp_path / "split.json", sequences(NAMES))


def test_a_file_that_is_not_there_or_no_json(tmp_path):
    for file in (tmp_path / "none.json", Path(__file__)):
        with pytest.raises(DatasetError, match="cannot be read as JSON"):
            read_split(file, sequences(NAMES))
