"""The annotations of a prepared set: boxes by video, track and frame, and the targets' categories beside them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pysot.utils import atomic_path


def write_json(file: Path, content: Any) -> None:
    """Write a JSON file, which appears when it is complete."""
    with atomic_path(file) as temporary:
        temporary.write_text(json.dumps(content), encoding="utf-8")


def write_annotations(file: Path, videos: Mapping[str, Mapping[str, Any]]) -> int:
    """Write boxes and, where they are known, categories.

    Args:
        file: ``train.json``; categories go to ``train.categories.json``.
        videos: By name ``tracks`` ({track: {frame: x1, y1, x2, y2}}) and ``categories`` ({track: name}).

    Returns:
        The number of boxes.
    """
    boxes = {name: video["tracks"] for name, video in videos.items() if video["tracks"]}
    categories = {name: video["categories"] for name, video in videos.items() if video["categories"]}
    write_json(file, boxes)
    if categories:
        write_json(categories_file(file), categories)
    return sum(len(frames) for tracks in boxes.values() for frames in tracks.values())


def categories_file(file: Path) -> Path:
    """Return where the categories of an annotation file are."""
    return file.with_name(f"{file.stem}.categories{file.suffix}")
