"""What a written value may be, given the key's default: numbers, switches, text, lists and sections."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

import yaml
from yacs.config import CfgNode

# YAML 1.1 reads `1e-4` as text because it wants a dot and a sign; the files of this field are full of it.
_NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?")


class WrongTypeError(ValueError):
    """A value that its key cannot take; the message says what was expected and what came."""


def kind_of(default: Any) -> str:
    """Return the kind of value a key takes: bool, int, float, str, numbers, strs or section.

    Example:
        >>> [kind_of(x) for x in (False, 8, 0.3, "log", [0.5, 1], ["VID"])]
        ['bool', 'int', 'float', 'str', 'numbers', 'strs']
    """
    if isinstance(default, CfgNode):
        return "section"
    if isinstance(default, list):
        return "strs" if all(isinstance(item, str) for item in default) else "numbers"
    return type(default).__name__


def coerce(value: Any, kind: str) -> Any:
    """Return ``value`` as ``kind``, where a user can have meant nothing else.

    An integer stands for a float and 28.0 for 28; a tuple stands for a list; text is read as a number,
    switch or list where the key wants one; nothing (null) stands for empty text.

    Raises:
        WrongTypeError: ``value`` is something else.

    Example:
        >>> coerce("1e-4", "float"), coerce(28.0, "int"), coerce((8,), "numbers"), coerce(None, "str")
        (0.0001, 28, [8], '')
    """
    return _COERCIONS[kind](value)


def parse_text(text: str) -> Any:
    """Return what a word of the command line stands for: a Python literal, else YAML, else the text.

    Example:
        >>> [parse_text(x) for x in ("0.3", "1e-4", "(1, 2)", "[VID, COCO]", "true", "layer2")]
        [0.3, 0.0001, (1, 2), ['VID', 'COCO'], True, 'layer2']
    """
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        pass
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        return text


def plain(value: Any) -> Any:
    """Return the value of a key without a declared type (inside KWARGS): numbers read, tuples as lists.

    Raises:
        WrongTypeError: a value that a configuration cannot hold, such as a date.
    """
    if isinstance(value, str):
        return float(value) if _NUMBER.fullmatch(value) and not value.isdecimal() else value
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, Mapping):
        return CfgNode({str(key): plain(item) for key, item in value.items()})
    raise WrongTypeError(f"expected a number, text, list or section, got {show(value)}")


def show(value: Any) -> str:
    """Describe a value in an error, short enough for one line."""
    if value is None:
        return "nothing (null)"
    text = repr(value)
    return f"{text if len(text) <= 60 else text[:57] + '...'} ({type(value).__name__})"


def _bool(value: Any) -> bool:
    read = parse_text(value) if isinstance(value, str) else value
    if isinstance(read, bool):
        return read
    raise WrongTypeError(f"expected true or false, got {show(value)}")


def _number(value: Any) -> int | float:
    read = parse_text(value) if isinstance(value, str) else value
    if isinstance(read, int | float) and not isinstance(read, bool) and _is_finite(read):
        return read
    raise WrongTypeError(f"expected a number, got {show(value)}")


def _is_finite(number: int | float) -> bool:
    try:
        return math.isfinite(number)
    except OverflowError:  # an integer beyond the range of floats
        return False


def _int(value: Any) -> int:
    try:
        number = _number(value)
    except WrongTypeError:
        number = 0.5
    if number != int(number):
        raise WrongTypeError(f"expected a whole number, got {show(value)}")
    return int(number)


def _str(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    raise WrongTypeError(f"expected text, got {show(value)} (put it in quotes)")


def _list_of(element: Callable[[Any], Any], noun: str) -> Callable[[Any], list[Any]]:
    """Return the coercion for a list whose elements go through ``element``."""

    def convert(value: Any) -> list[Any]:
        read = parse_text(value) if isinstance(value, str) else value
        if not isinstance(read, list | tuple):
            raise WrongTypeError(f"expected a list of {noun}, got {show(value)}")
        try:
            return [element(item) for item in read]
        except WrongTypeError as error:
            raise WrongTypeError(f"expected a list of {noun}, got {show(value)}") from error

    return convert


_COERCIONS: dict[str, Callable[[Any], Any]] = {
    "bool": _bool,
    "int": _int,
    "float": lambda value: float(_number(value)),
    "str": _str,
    "numbers": _list_of(_number, "numbers"),
    "ints": _list_of(_int, "whole numbers"),
    "strs": _list_of(_str, "names"),
}
