"""What is searched by default, ranges that are given, and the file of what was found."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from yacs.config import CfgNode

from pysot.config import experiment_names, load_cfg
from pysot.config.tuning import KeyRange, changed_yaml, default_ranges, read_range, searchable_keys, value_at
from pysot.utils import ConfigError


def test_every_experiment_can_be_searched():
    """Every range holds the configuration's own value, and both its ends make a configuration that can work."""
    for name in experiment_names():
        cfg = load_cfg(name)
        ranges = default_ranges(cfg)
        for key, (low, high, step) in ranges.items():
            own = value_at(cfg, key)
            assert low <= own <= high, (name, key)
            assert step is None or (own - low) % step == (high - low) % step == 0, (name, key)
        for end in ("low", "high"):
            load_cfg(name, [word for key, found in ranges.items() for word in (key, getattr(found, end))])


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
    key, found = read_range("siamfc_alex" if "SIAMFC" in words else "siamrpn_r50", [], words.split())
    assert key == words.split()[0]
    assert found == expected
    assert type(found.low) is type(expected.low)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("TRACK.LR 0.2", "expected KEY LOW HIGH"),
        ("TRACK.PENALTYK 0 1", "unknown key; the nearest is TRACK.PENALTY_K; expected one of TRACK.PENALTY_K, TRACK.W"),
        ("TRACK.LR.MORE 0 1", "unknown key; the nearest is TRACK.LR"),
        ("NOTHING 0 1", "unknown key; expected one of TRACK.PENALTY_K"),
        ("TRACK 0 1", "TRACK is a section, no number"),
        ("TRAIN.BASE_LR 0.001 0.01", "TRAIN is read by training alone; expected one of TRACK.PENALTY_K"),
        ("DATASET.NEG 0.1 0.3", "DATASET is read by training alone"),
        ("BACKBONE.KWARGS.width_mult 0.1 1", "BACKBONE is what the network was trained with"),
        ("RPN.KWARGS.hidden 32 64", "RPN is what the network was trained with"),
        ("ANCHOR.STRIDE 8 16", "ANCHOR is what the network was trained with"),
        ("TRACK.BASE_SIZE 0 8", "TRACK.BASE_SIZE is given by the network"),
        ("TRACK.LOST_SCORE 0.1 0.9", "TRACK.LOST_SCORE says what counts as lost"),
        ("TRACK.SIAMFC.SCALE_LR 0.1 1", "SiamRPNTracker, as it is configured, does not read TRACK.SIAMFC.SCALE_LR"),
        ("TRACK.DISTRACTOR.TOP_K 8 32", "SiamRPNTracker, as it is configured, does not read TRACK.DISTRACTOR.TOP_K"),
        ("TRACK.LR 0.2 1.6", "TRACK.LR: expected above 0 and at most 1, got 1.6"),
        ("TRACK.LR 0.6 0.9", "LOW < HIGH around the configuration's own"),
        ("TRACK.LR 0.6 0.2", "LOW < HIGH around the configuration's own"),
        ("TRACK.LR 0.2 0.6 0.15", "expected a STEP that leads from LOW to the configuration's own"),
        ("TRACK.LR 0.2 0.6 x", "expected a STEP"),
        ("TRACK.INSTANCE_SIZE 239 303 2", "is no multiple of ANCHOR.STRIDE"),
        ("TRACK.TYPE a b", "TRACK.TYPE is 'SiamRPNTracker', no number"),
        ("TRACK.ADAPTIVE.ENABLED false true", "TRACK.ADAPTIVE.ENABLED is False, no number"),
        ("CUDA false true", "CUDA is (True|False), no number"),
    ],
)
def test_faulty_ranges(words, message):
    with pytest.raises(ConfigError, match=message):
        read_range("siamrpn_r50", ["TRACK.LR", 0.4], words.split())


class Recorder:
    """A section of a configuration that notes which numbers are read."""

    def __init__(self, node, prefix, read):
        self._node, self._prefix, self._read = node, prefix, read

    def __getattr__(self, name):
        value, key = getattr(self._node, name), f"{self._prefix}{name}"
        if isinstance(value, CfgNode):
            return Recorder(value, f"{key}.", self._read)
        if isinstance(value, int | float) and not isinstance(value, bool):
            self._read.add(key)
        return value

    __getitem__ = __getattr__


@pytest.mark.parametrize(
    ("config", "more"),
    [
        ("siamrpn_r50", []),
        ("siamrpn_r50", ["TRACK.LIKENESS.WEIGHT", 0.5]),
        ("siamrpn_r50_l234_dwxcorr_lt", []),
        ("siammask_r50_l3", []),
        ("siamfc_alex", []),
        ("siamrpn_r50", ["TRACK.TYPE", "DaSiamRPNTracker"]),
        (
            "siamrpn_r50",
            [
                *("TRACK.TYPE", "DaSiamRPNTracker", "TRACK.ADAPTIVE.ENABLED", True),
                *("TRACK.DISTRACTOR.ENABLED", True, "TRACK.LOCAL_TO_GLOBAL.ENABLED", True),
            ],
        ),
    ],
    ids=str,
)
def test_searchable_is_what_the_builder_reads(config, more):
    """Of TRACK, but for what the network gives and the mark of a lost target."""
    build = pytest.importorskip("pysot.trackers.build")
    cfg = load_cfg(config, more)
    read: set[str] = set()
    executor = SimpleNamespace(network=SimpleNamespace(mask_size=None))
    build._ARGUMENTS[build.TRACKERS[cfg.TRACK.TYPE]](Recorder(cfg, "", read), executor)
    of_tracking = {key for key in read if key.startswith("TRACK.")}
    fixed = {"TRACK.BASE_SIZE", "TRACK.LOST_SCORE"}
    if cfg.TRACK.DISTRACTOR.ENABLED:  # goes with no other weight than 0
        fixed |= {"TRACK.LIKENESS.WEIGHT"}
    assert {*searchable_keys(cfg)} == of_tracking - fixed
    assert {*default_ranges(cfg)} <= {*searchable_keys(cfg)}


def test_a_tracker_of_the_users_may_read_anything():
    keys = searchable_keys(load_cfg("siamrpn_r50", ["TRACK.TYPE", "Mine", "TRACK.ADAPTIVE.ENABLED", False]))
    assert {"TRACK.LR", "TRACK.CONFIDENCE_LOW", "TRACK.SIAMFC.SCALE_NUM"} < {*keys}
    assert "TRACK.BASE_SIZE" not in keys


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
