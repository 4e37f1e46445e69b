"""Each schedule against its closed form, PySOT's tables, and what a group really trains with."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest

from pysot.config import load_cfg
from pysot.engine.build import build_schedule
from pysot.engine.schedules import CURVES, Schedule, linear_curve, log_curve, make_schedule
from pysot.utils import ConfigError


def table(curve, epochs):
    return [curve(epoch) for epoch in range(epochs)]


# Curve, arguments, and the closed form at epoch e of n.
FORMS = [
    ("log", {"start_lr": 0.01, "end_lr": 0.0005}, lambda e, n: 10 ** (-2 + (math.log10(5e-4) + 2) * e / (n - 1))),
    ("linear", {"start_lr": 0.01, "end_lr": 0.001}, lambda e, n: 0.01 - 0.009 * e / (n - 1)),
    ("cos", {"start_lr": 0.01, "end_lr": 0.002}, lambda e, n: 0.002 + 0.008 * math.cos(math.pi * e / n / 2) ** 2),
    ("step", {"start_lr": 0.01, "step": 4, "mult": 0.2}, lambda e, n: 0.01 * 0.2 ** math.floor(e / 4)),
    (
        "step",
        {"start_lr": 0.001, "end_lr": 0.005, "step": 1},
        lambda e, n: math.exp(math.log(0.001) + math.log(5) * e / n),
    ),
    (
        "multi-step",
        {"start_lr": 0.01, "steps": [3, 7], "mult": 0.1},
        lambda e, n: 0.01 if e < 3 else 0.001 if e < 7 else 0.0001,
    ),
    (
        "multi-step",
        {"start_lr": 0.08, "end_lr": 0.02, "steps": [3, 7]},
        lambda e, n: 0.08 if e < 3 else 0.04 if e < 7 else 0.02,
    ),
    # PySOT's defaults
    ("log", {}, lambda e, n: 0.03 * (5e-4 / 0.03) ** (e / (n - 1))),
    ("linear", {}, lambda e, n: 0.01 - 0.005 * e / (n - 1)),
    ("cos", {}, lambda e, n: 0.005 + 0.0025 * (1 + math.cos(math.pi * e / n))),
    ("step", {}, lambda e, n: 0.01 if e < 10 else 0.001),
    ("multi-step", {}, lambda e, n: 0.01 if e < 10 else 0.005),
]


@pytest.mark.parametrize(("kind", "arguments", "form"), FORMS)
@pytest.mark.parametrize("epochs", [13, 20])
def test_a_curve_has_its_closed_form(kind, arguments, form, epochs):
    expected = [form(epoch, epochs) for epoch in range(epochs)]
    np.testing.assert_allclose(table(CURVES[kind](epochs, **arguments), epochs), expected, rtol=1e-12)


def test_every_curve_is_pinned():
    assert {kind for kind, _, _ in FORMS} == set(CURVES)


def test_log_and_linear_are_numpy_s_spaces():
    np.testing.assert_allclose(table(log_curve(20, 5e-3, 5e-4), 20), np.logspace(np.log10(5e-3), np.log10(5e-4), 20))
    np.testing.assert_allclose(table(linear_curve(20, 5e-3, 5e-4), 20), np.linspace(5e-3, 5e-4, 20))


@pytest.mark.parametrize("kind", CURVES)
def test_a_training_of_one_epoch_starts_where_it_should(kind):
    assert CURVES[kind](1, start_lr=0.02)(0) == pytest.approx(0.02)


@pytest.mark.parametrize("kind", CURVES)
def test_between_epochs_a_curve_stays_between_their_values(kind):
    curve = CURVES[kind](12, start_lr=0.02)
    for epoch in range(11):
        low, high = sorted([curve(epoch), curve(epoch + 1)])
        assert all(low <= curve(epoch + part) <= high for part in (0.25, 0.5, 0.99))
    assert curve(11.5) <= curve(11)


def test_warm_up_and_main_curve_follow_each_other():
    cfg = load_cfg("siamrpn_r50_l234_dwxcorr_8gpu")
    schedule = build_schedule(cfg)
    expected = [0.001 * 5 ** (epoch / 5) for epoch in range(5)]
    expected += [0.005 * 0.1 ** (epoch / 14) for epoch in range(15)]
    np.testing.assert_allclose(table(schedule, 20), expected, rtol=1e-12)
    np.testing.assert_allclose([schedule.factor(epoch) for epoch in range(20)], np.array(expected) / 0.005)


def test_the_alexnet_configuration_trains_with_half_of_what_its_schedule_names():
    schedule = build_schedule(load_cfg("siamrpn_alex_dwxcorr_16gpu"))
    assert schedule(5) == pytest.approx(0.01)
    assert 0.005 * schedule.factor(5) == pytest.approx(0.005)
    assert 0.005 * schedule.factor(0) == pytest.approx(0.0025)
    assert 0.005 * schedule.factor(49) == pytest.approx(0.00025)


def test_siamfc_s_exponential_is_a_step_of_one_epoch():
    # siamfc-pytorch multiplies by (1e-5 / 1e-2)^(1 / 50) after each of 50 epochs.
    schedule = make_schedule(50, "step", {"start_lr": 1e-2, "end_lr": 1e-5, "step": 1})
    expected = [1e-2 * 1e-3 ** (epoch / 50) for epoch in range(50)]
    np.testing.assert_allclose(table(schedule, 50), expected)
    np.testing.assert_allclose(table(build_schedule(load_cfg("siamfc_alex")), 50), expected)


def test_without_a_warm_up_the_main_curve_has_all_epochs():
    schedule = build_schedule(load_cfg("siamrpn_alex_upchannel_1gpu"))
    assert (schedule(0), schedule(49)) == (pytest.approx(1e-2), pytest.approx(1e-6))


@pytest.mark.parametrize("epoch", [-1, 20.5, 21])
def test_a_time_outside_the_training_is_an_error(epoch):
    with pytest.raises(ValueError, match=f"20 epochs: expected a time from 0 to there, got {epoch}"):
        Schedule(20, log_curve(20))(epoch)


@pytest.mark.parametrize(
    ("kind", "arguments", "message"),
    [
        ("logg", {}, "unknown schedule .* 'logg'. Did you mean 'log'"),
        ("log", {"start": 0.1}, "TRAIN.LR.KWARGS: unknown start: expected some of .*start_lr"),
        ("log", {"start_lr": 0}, "TRAIN.LR.KWARGS.start_lr: expected positive, got 0"),
        ("step", {"mult": -0.1}, "TRAIN.LR.KWARGS.mult: expected positive, got -0.1"),
        ("step", {"step": 0}, "TRAIN.LR: a step schedule .* expected a positive number, got 0"),
        ("step", {"end_lr": 0.1, "step": 30}, "no change that could lead to end_lr 0.1 .20 epochs, step 30.*remove"),
        ("multi-step", {"end_lr": 0.1, "steps": []}, "no change that could lead to end_lr 0.1 .steps"),
    ],
)
def test_faults_are_named(kind, arguments, message):
    with pytest.raises(ConfigError, match=message):
        make_schedule(20, kind, arguments)


def test_a_warm_up_must_leave_something():
    with pytest.raises(ConfigError, match="a warm-up of 5 epochs leaves nothing of a training of 5"):
        make_schedule(5, "log", {}, 5)


def test_arguments_of_another_curve_are_warned_of_and_ignored():
    with pytest.warns(UserWarning, match="TRAIN.LR.KWARGS.step has no effect: TRAIN.LR.TYPE is log"):
        schedule = make_schedule(20, "log", {"step": 5})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert table(schedule, 20) == table(make_schedule(20, "log", {}), 20)
