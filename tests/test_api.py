"""From a name, or a configuration and a file, to a tracker that runs."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

import pysot
import pysot.api as api
from pysot.utils import CheckpointError, ConfigError, DownloadError
from pysot.zoo import get_entry

TINY = """\
BACKBONE: {TYPE: alexnetlegacy, KWARGS: {width_mult: 0.1}}
ADJUST: {ADJUST: false}
RPN: {TYPE: DepthwiseRPN, KWARGS: {anchor_num: 5, out_channels: 16}}
TRACK: {INSTANCE_SIZE: 287, BASE_SIZE: 0}
"""


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "tiny.yaml"
    path.write_text(TINY)
    return path


@pytest.fixture
def weights(tmp_path, config):
    torch.manual_seed(0)
    path = tmp_path / "model.pth"
    torch.save(pysot.build_model(pysot.load_cfg(config)).state_dict(), path)
    return path


@pytest.fixture
def fetched(monkeypatch, config, weights):
    """A zoo whose SiamRPN is the tiny network; the names that were fetched."""
    names = []
    monkeypatch.setattr(api, "get_entry", lambda name: dataclasses.replace(get_entry(name), config=str(config)))
    monkeypatch.setattr(api, "fetch", lambda entry: names.append(entry.name) or weights)
    return names


def frame(seed=0):
    return np.random.default_rng(seed).integers(0, 256, (120, 160, 3), dtype=np.uint8)


def follow(tracker):
    tracker.init(frame(), (60, 40, 30, 20))
    return tracker.track(frame(1))


@pytest.mark.parametrize("kind", [str, lambda path: path, pysot.load_cfg])
def test_configuration_and_snapshot_give_a_tracker(config, weights, kind):
    result = follow(pysot.load_tracker(cfg=kind(config), snapshot=weights, device="cpu"))
    assert np.isfinite(result.bbox).all()
    assert 0 <= result.score <= 1


def test_the_weights_are_those_of_the_file(config, weights):
    loaded = pysot.load_tracker(cfg=config, snapshot=weights, device="cpu")
    cfg = pysot.load_cfg(config)
    model = pysot.build_model(cfg)
    model.load_state_dict(torch.load(weights))
    by_hand = follow(pysot.build_tracker(cfg, model, "cpu"))
    result = follow(loaded)
    assert tuple(result.bbox) == tuple(by_hand.bbox)
    assert result.score == by_hand.score


def test_a_name_is_fetched(fetched):
    result = follow(pysot.load_tracker("siamrpn_alex_dwxcorr", device="cpu"))
    assert fetched == ["siamrpn_alex_dwxcorr"]
    assert np.isfinite(result.bbox).all()


def test_a_file_of_ones_own_takes_the_place_of_the_zoos(fetched, weights, tmp_path):
    pysot.load_tracker("siamrpn_alex_dwxcorr", snapshot=weights, device="cpu")
    assert fetched == []
    with pytest.raises(FileNotFoundError):
        pysot.load_tracker("siamrpn_alex_dwxcorr", snapshot=tmp_path / "nothing.pth", device="cpu")


def test_overrides_reach_the_tracker(fetched):
    still, free = (
        follow(pysot.load_tracker("siamrpn_alex_dwxcorr", overrides=["TRACK.WINDOW_INFLUENCE", value], device="cpu"))
        for value in (1.0, "0.0")
    )
    assert still.bbox[:2] != pytest.approx(free.bbox[:2])


@pytest.mark.parametrize("given", [{}, {"cfg": "siamrpn_r50"}, {"snapshot": "model.pth"}])
def test_too_little_is_an_error(given):
    with pytest.raises(ConfigError, match="the name of a zoo model, or both cfg= and snapshot="):
        pysot.load_tracker(**given)


def test_an_unknown_name_suggests_the_nearest():
    with pytest.raises(ConfigError, match="'siammask_r50_l3'"):
        pysot.load_tracker("siammask_r50_l4")


def test_a_configuration_without_weights_says_what_it_needs():
    with pytest.raises(ConfigError, match=r"use load_tracker\(cfg='siamrpn_r50', snapshot=\.\.\.\)"):
        pysot.load_tracker("siamrpn_r50")


def test_a_backbone_of_the_zoo_is_no_tracker():
    with pytest.raises(ConfigError, match="'mobilenet_v2' is a backbone, not a tracker"):
        pysot.load_tracker("mobilenet_v2")


def test_overrides_do_not_go_with_a_ready_configuration(config, weights):
    with pytest.raises(ConfigError, match="overrides= goes with a configuration given by name or file"):
        pysot.load_tracker(cfg=pysot.load_cfg(config), snapshot=weights, overrides=["TRACK.LR", 0.1])


def test_faults_of_the_parts_come_through(config, weights, monkeypatch, fetched):
    with pytest.raises(ConfigError, match="no configuration 'siamrpn_r5'"):
        pysot.load_tracker(cfg="siamrpn_r5", snapshot=weights)
    with pytest.raises(ConfigError, match=r"TRACK\.LRR"):
        pysot.load_tracker(cfg=config, snapshot=weights, overrides=["TRACK.LRR", 0.1])
    with pytest.raises(CheckpointError, match="is it the checkpoint of this configuration"):
        pysot.load_tracker(cfg=config, snapshot=weights, overrides=["BACKBONE.KWARGS.width_mult", 0.2])

    def refuse(entry):
        raise DownloadError("no network")

    monkeypatch.setattr(api, "fetch", refuse)
    with pytest.raises(DownloadError, match="no network"):
        pysot.load_tracker("siamrpn_alex_dwxcorr")


@pytest.mark.parametrize("prefix", ["", "backbone."])
def test_a_backbone_alone_makes_no_tracker(config, weights, tmp_path, prefix):
    """It loads into the network, to train from; as a tracker the rest would be random."""
    state = torch.load(weights)
    names = {name: prefix + name.removeprefix("backbone.") for name in state if name.startswith("backbone.")}
    path = tmp_path / "alexnet-bn.pth"
    torch.save({new: state[name] for name, new in names.items()}, path)
    assert pysot.load_checkpoint(pysot.build_model(pysot.load_cfg(config)), path).backbone_only
    with pytest.raises(
        CheckpointError, match=r"weights of a backbone alone .* the rest of the tracker would be untrained"
    ):
        pysot.load_tracker(cfg=config, snapshot=path)


def test_siamfc_is_a_backbone_and_nothing_else(tmp_path):
    model = pysot.build_model(pysot.load_cfg("siamfc_alex"))
    torch.save(model.state_dict(), tmp_path / "siamfc.pth")
    result = follow(pysot.load_tracker(cfg="siamfc_alex", snapshot=tmp_path / "siamfc.pth", device="cpu"))
    assert np.isfinite(result.bbox).all()


@pytest.mark.parametrize(("given", "used"), [(None, "fused"), ("eager", "eager")])
def test_the_configuration_says_how_it_is_run_unless_the_call_does(config, weights, monkeypatch, given, used):
    asked = []
    executor = pysot.trackers.build.Executor
    monkeypatch.setattr(
        pysot.trackers.build, "Executor", lambda *arguments: asked.append(arguments[-1]) or executor(*arguments)
    )
    overrides = ["TRACK.RUNTIME", "fused"]
    pysot.load_tracker(cfg=config, snapshot=weights, overrides=overrides, device="cpu", runtime=given)
    assert asked == [used]
