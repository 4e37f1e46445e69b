"""The configuration arguments of the tools."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from pysot.config import add_config_arguments, cfg_from_args, get_cfg, load_cfg
from pysot.config.cli import split_overrides
from pysot.utils import ConfigError


def parse(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_config_arguments(parser)
    parser.add_argument("--snapshot")
    parser.add_argument("--quiet", action="store_true")
    return parser.parse_args(words)


@pytest.mark.parametrize("option", ["--cfg", "--config"])
@pytest.mark.parametrize("first", [True, False])
def test_overrides_stand_before_or_after_the_options(option: str, first: bool):
    options = [option, "siamrpn_r50", "--quiet", "--snapshot", "model.pth"]
    overrides = ["TRACK.LR", "0.3", "DATASET.VID.NUM_USE", "-1"]
    args = parse(*(overrides + options if first else options + overrides))
    assert (args.config, args.snapshot, args.opts) == ("siamrpn_r50", "model.pth", overrides)
    cfg = cfg_from_args(args)
    assert (cfg.META_ARC, cfg.TRACK.LR, cfg.DATASET.VID.NUM_USE) == ("siamrpn_r50", 0.3, -1)


def test_overrides_may_stand_between_options():
    args = parse("--quiet", "TRACK.LR", "0.3", "--snapshot", "m.pth")
    assert (args.opts, args.snapshot) == (["TRACK.LR", "0.3"], "m.pth")


def test_without_an_option_the_default_is_loaded(tmp_path: Path):
    assert cfg_from_args(parse()) == get_cfg()
    assert cfg_from_args(parse(), default="siamfc_alex") == load_cfg("siamfc_alex")
    file = tmp_path / "own.yaml"
    file.write_text("META_ARC: own\n")
    assert cfg_from_args(parse("--config", str(file)), default="siamfc_alex").META_ARC == "own"


def test_an_odd_number_of_words_is_a_clear_error():
    expected = "overrides: expected pairs KEY VALUE, got 3 words: TRACK.LR 0.3 TRACK.PENALTY_K"
    with pytest.raises(ConfigError, match=f"^{expected}$"):
        cfg_from_args(parse("TRACK.LR", "0.3", "TRACK.PENALTY_K"))


def test_help_teaches_both(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        parse("--help")
    text = " ".join(capsys.readouterr().out.split())
    assert "--config NAME_OR_YAML" in text
    assert "TRACK.LR 0.3 TRACK.PENALTY_K 0.1" in text


@pytest.mark.parametrize(
    ("values", "names"),
    [
        (["OTB100", "VOT2018", "TRACK.LR", "0.3"], 2),
        (["OTB100", "BACKBONE.KWARGS.width_mult", "0.5"], 1),
        (["BACKBONE.KWARGS.used_layers", "[3]"], 0),
        (["Jogging.1", "CLIP.avi", "MINE.V2"], 3),
        ([], 0),
    ],
)
def test_names_are_told_from_keys(values, names):
    assert split_overrides(values) == (values[:names], values[names:])
