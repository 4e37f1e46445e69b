"""Shell lines as texts show them, taken apart."""

from __future__ import annotations

import importlib
import re
import shlex
from types import ModuleType


def commands(text: str) -> list[list[str]]:
    """Return the words of every line, with the variables that the lines before it set, loops written out."""
    found = []
    data = ""
    for line in text.replace("\\\n", " ").splitlines():
        loop = re.fullmatch(r"for (\w+) in (.*?); do (.*); done", line)
        values = loop[2].split() if loop else [""]
        for value in values:
            one = loop[3].replace(f"${loop[1]}", value) if loop else line
            words = shlex.split(one.replace("$DATA", data), comments=True)
            if len(words) == 1 and words[0].startswith("DATA="):
                data = words[0].removeprefix("DATA=")
            elif words:
                found.append(words)
    return found


def called(words: list[str]) -> tuple[ModuleType, list[str]] | None:
    """Return the script of a line and its arguments; None of a line without one."""
    for place, word in enumerate(words):
        if word.endswith(".py"):
            return importlib.import_module(word.removesuffix(".py").replace("/", ".")), words[place + 1 :]
    return None
