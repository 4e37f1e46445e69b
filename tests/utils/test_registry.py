"""Names of parts, suggestions for misspelt ones, and the errors a tool may print."""

from __future__ import annotations

import pytest

from pysot.utils import (
    CheckpointError,
    ConfigError,
    DownloadError,
    InputError,
    PysotError,
    Registry,
    nearest_name,
)


@pytest.fixture
def shapes():
    registry = Registry("shape")
    for name in ("square", "circle", "Triangle"):
        registry.register(name)(name.upper())
    return registry


def test_what_was_registered_is_found(shapes):
    assert dict(shapes) == {"square": "SQUARE", "circle": "CIRCLE", "Triangle": "TRIANGLE"}
    assert len(shapes) == 3
    assert "circle" in shapes
    assert "Circle" not in shapes
    assert None not in shapes


def test_registering_returns_the_part_itself():
    registry = Registry("thing")

    @registry.register("it")
    class Thing:
        pass

    assert registry["it"] is Thing
    assert Thing.__name__ == "Thing"


def test_a_name_is_taken_once(shapes):
    with pytest.raises(ConfigError, match=r"^shape 'circle' is registered twice$"):
        shapes.register("circle")("other")
    assert shapes["circle"] == "CIRCLE"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("sqare", "unknown shape 'sqare'. Did you mean 'square'? Available: ['Triangle', 'circle', 'square']"),
        ("CIRCLE", "unknown shape 'CIRCLE'. Did you mean 'circle'? Available: ['Triangle', 'circle', 'square']"),
        ("triangel", "unknown shape 'triangel'. Did you mean 'Triangle'? Available: ['Triangle', 'circle', 'square']"),
        ("zzz", "unknown shape 'zzz'. Available: ['Triangle', 'circle', 'square']"),
        (None, "unknown shape None. Available: ['Triangle', 'circle', 'square']"),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest(shapes, name, message):
    with pytest.raises(ConfigError) as caught:
        shapes[name]
    assert str(caught.value) == message


def test_two_registries_share_nothing(shapes):
    assert "square" not in Registry("shape")


@pytest.mark.parametrize(
    ("name", "known", "nearest"),
    [
        ("VOT18", ["VOT2018", "OTB100"], "VOT2018"),
        ("res50", ["resnet50", "resnet18", "alexnet"], "resnet50"),
        ("ResNet50", ["resnet50", "resnet18"], "resnet50"),
        ("", ["resnet50"], None),
        ("resnet50", [], None),
        ("zebra", ["resnet50", "alexnet"], None),
    ],
)
def test_nearest_name(name, known, nearest):
    assert nearest_name(name, known) == nearest


@pytest.mark.parametrize(
    ("error", "builtin"),
    [(ConfigError, ValueError), (CheckpointError, ValueError), (InputError, ValueError), (DownloadError, OSError)],
)
def test_errors_of_users_are_of_one_family_and_of_the_builtin_kind(error, builtin):
    assert issubclass(error, PysotError)
    assert issubclass(error, builtin)
    assert str(error("what is wrong: expected X, got Y")) == "what is wrong: expected X, got Y"
