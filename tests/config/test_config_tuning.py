"""What is searched by default, ranges that are given, and the file of what was found."""

from __future__ import annotations

import pytest

from pysot.config import experiment_names, load_cfg
from pysot.config.tuning import KeyRange, changed_yaml, default_ranges, read_range, value_at
from pysot.utils import ConfigError


def test_every_experiment_can_be_searched():
    """Every range holds the configuration's own value, and both its ends make a configuration that can work."""
    for name in experiment_names():
        cfg = load_cfg(name)
        for key, (low, high, step) in default_ranges(cfg).items():
            own = value_at(cfg, key)
            assert low <= own <= high, (name, key)
            assert step is None or (own - low) % step == (high - low) % step == 0, (name, key)
            for end in (low, high):
                load_cfg(name, [key, end])


def test_siamfc_searches_its_own_keys():
    ranges = default_ranges(load_cfg("siamfc_alex"))
    assert {key.removeprefix("TRACK.") for key in ranges} == {
        "SIAMFC.SCALE_PENALTY", "SIAMFC.SCALE_LR", "SIAMFC.SCALE_STEP", "WINDOW_INFLUENCE", "INSTANCE_SIZE",
    }  # fmt: skip


def test_search_sizes_stay_below_those_of_a_lost_target():
    cfg = load_cfg("siamrpn_r50_l234_dwxcorr_lt", ["TRACK.LOST_INSTANCE_SIZE", 287])
    assert default_ranges(cfg)["TRACK.INSTANCE_SIZE"] == KeyRange(223, 287, 16)


def test_a_range_is_widened_to_the_configurations_own_value():
    assert default_ranges(load_cfg("siamrpn_r50", ["TRACK.PENALTY_K", 0.9]))["TRACK.PENALTY_K"].high == 0.9


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("TRACK.LR 0.2 0.6", KeyRange(0.2, 0.6, None)),
        ("TRACK.INSTANCE_SIZE 239 311", KeyRange(239, 303, 16)),
        ("TRACK.INSTANCE_SIZE 239 295 8", KeyRange(239, 295, 8)),
        ("TRACK.CONTEXT_AMOUNT 0.3 0.7 0.1", KeyRange(0.3, pytest.approx(0.7), 0.1)),
        ("TRACK.SIAMFC.RESPONSE_UP 8 20", KeyRange(8, 20, 1)),
    ],
)
def test_ranges(words, expected):
    key, found = read_range("siamrpn_r50", [], words.split())
    assert key == words.split()[0]
    assert found == expected
    assert type(found.low) is type(expected.low)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("TRACK.LR 0.2", "expected KEY LOW HIGH"),
        ("TRACK.PENALTYK 0 1", "unknown key; the nearest known key is TRACK.PENALTY_K"),
        ("TRACK.LR 0.2 1.6", "TRACK.LR: expected above 0 and at most 1, got 1.6"),
        ("TRACK.LR 0.6 0.9", "LOW < HIGH around the configuration's own"),
        ("TRACK.LR 0.6 0.2", "LOW < HIGH around the configuration's own"),
        ("TRACK.LR 0.2 0.6 0.15", "expected a STEP that leads from LOW to the configuration's own"),
        ("TRACK.LR 0.2 0.6 x", "expected a STEP"),
        ("TRACK.INSTANCE_SIZE 239 303 2", "is no multiple of ANCHOR.STRIDE"),
        ("TRACK.TYPE a b", "expected a key with a number"),
        ("TRACK.ADAPTIVE.ENABLED false true", "expected a key with a number|needs TRACK.TYPE"),
    ],
)
def test_faulty_ranges(words, message):
    with pytest.raises(ConfigError, match=message):
        read_range("siamrpn_r50", ["TRACK.LR", 0.4], words.split())


@pytest.mark.parametrize("name", ["siammask_r50_l3", "siamfc_alex", "siamrpn_r50_l234_dwxcorr_lt"])
def test_the_file_of_what_was_found_reads_as_the_configuration_that_was_scored(tmp_path, name):
    overrides = ["TRACK.LOST_SCORE", "0.25", "CUDA", "false", "BACKBONE.KWARGS.width_mult", "0.5"]
    values = {"TRACK.WINDOW_INFLUENCE": 0.12345678901234567, "TRACK.INSTANCE_SIZE": 271}
    text = changed_yaml(name, overrides, values)
    (tmp_path / "best.yaml").write_text(text)
    words = [word for item in values.items() for word in item]
    assert load_cfg(tmp_path / "best.yaml") == load_cfg(name, [*overrides, *words])


def test_a_heading_with_nothing_under_it(tmp_path):
    (tmp_path / "base.yaml").write_text("TRACK:\n")
    (tmp_path / "best.yaml").write_text(changed_yaml(str(tmp_path / "base.yaml"), [], {"TRACK.LR": 0.3}))
    assert load_cfg(tmp_path / "best.yaml").TRACK.LR == 0.3
