"""A window only where there can be one; q, Esc and its own button close it."""

from __future__ import annotations

import subprocess
import sys

import cv2
import numpy as np
import pytest
from demo_material import picture

from pysot.demo import Window, can_show, window


@pytest.fixture
def linux(monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")


def answer(monkeypatch, code):
    def run(*args, **kwargs):
        if code is None:
            raise subprocess.TimeoutExpired(args[0], 1)
        return subprocess.CompletedProcess(args[0], code)

    monkeypatch.setattr(window.subprocess, "run", run)


def test_no_display_means_no_window_without_trying(monkeypatch, linux):
    monkeypatch.setattr(window.subprocess, "run", None)  # a call would fail
    assert not can_show()


@pytest.mark.parametrize("variable", ["DISPLAY", "WAYLAND_DISPLAY"])
@pytest.mark.parametrize(("code", "expected"), [(0, True), (1, False), (-6, False), (None, False)])
def test_display_counts_if_a_child_process_can_open_a_window(monkeypatch, linux, variable, code, expected):
    monkeypatch.setenv(variable, ":0")
    answer(monkeypatch, code)
    assert can_show() is expected


def test_display_that_does_not_answer_is_survived(monkeypatch, linux):
    monkeypatch.setenv("DISPLAY", ":987")
    assert not can_show()


@pytest.fixture
def screen(monkeypatch):
    """OpenCV's windows as a dictionary of what they show; ``keys`` are pressed one per frame."""
    state = {"shown": [], "keys": [], "visible": 1.0, "destroyed": 0}
    monkeypatch.setattr(cv2, "namedWindow", lambda *args: None)
    monkeypatch.setattr(cv2, "resizeWindow", lambda *args: None)
    monkeypatch.setattr(cv2, "imshow", lambda title, image: state["shown"].append(image))
    monkeypatch.setattr(cv2, "waitKey", lambda delay: state["keys"].pop(0) if state["keys"] else -1)
    monkeypatch.setattr(cv2, "getWindowProperty", lambda *args: state["visible"])
    monkeypatch.setattr(cv2, "destroyAllWindows", lambda: state.update(destroyed=state["destroyed"] + 1))
    monkeypatch.setattr(cv2, "destroyWindow", lambda title: None)
    return state


@pytest.mark.parametrize(("key", "goes_on"), [(-1, True), (ord("x"), True), (ord("q"), False), (27, False)])
def test_keys(screen, key, goes_on):
    screen["keys"] = [key]
    assert Window("clip").show(picture(0)) is goes_on


def test_window_closed_with_its_button_ends_the_show(screen):
    shown = Window("clip")
    assert shown.show(picture(0))
    screen["visible"] = 0.0
    assert not shown.show(picture(1))
    assert len(screen["shown"]) == 1


def test_window_never_shown_need_not_be_closed(screen):
    shown = Window("clip")
    shown.close()
    assert screen["destroyed"] == 0
    shown.show(picture(0))
    shown.close()
    assert screen["destroyed"] == 1


@pytest.mark.parametrize(("drawn", "expected"), [((5, 6, 7, 8), [5, 6, 7, 8]), ((0, 0, 0, 0), None)])
def test_selecting_shows_a_picture_of_any_frame(screen, monkeypatch, drawn, expected):
    def select(title, image, **options):
        assert (image.shape, image.dtype) == ((72, 96, 3), np.uint8)
        return drawn

    monkeypatch.setattr(cv2, "selectROI", select)
    box = window.select_box(picture(0, np.uint16, 1), "clip")
    assert (box if box is None else box.tolist()) == expected
