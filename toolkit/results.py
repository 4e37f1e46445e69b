"""Result files: where each protocol puts them, how they are read, and how they are written byte for byte.

The formats are those that published raw results come in, so results move freely between toolkits.
"""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from toolkit.errors import RegionError, ResultError
from toolkit.masks import Mask, decode_mask
from toolkit.regions import FloatArray, Regions

_SEPARATORS = str.maketrans(",;\t", "   ")


@dataclass(frozen=True)
class Layout:
    """Where a protocol keeps the results of one sequence, under the tracker's folder.

    The patterns take ``sequence`` and ``repetition`` (from 1). ``suffix`` of the confidences replaces ``.txt``.
    Masks are of the first repetition.
    """

    regions: str
    times: str | None = None
    has_confidence: bool = False
    repetitions: int = 1
    masks: str | None = None

    def regions_path(self, tracker: Path, sequence: str, repetition: int = 1) -> Path:
        """Return the file with the regions of one repetition."""
        return tracker / self.regions.format(sequence=sequence, repetition=repetition)

    def confidence_path(self, tracker: Path, sequence: str) -> Path:
        """Return the file with the confidences."""
        regions = self.regions_path(tracker, sequence)
        return regions.with_name(f"{regions.stem}_confidence.value")

    def times_path(self, tracker: Path, sequence: str) -> Path | None:
        """Return the file with the seconds per frame, None where the protocol has none."""
        return tracker / self.times.format(sequence=sequence) if self.times else None

    def masks_path(self, tracker: Path, sequence: str) -> Path | None:
        """Return the file with the masks, None where the protocol has none."""
        return tracker / self.masks.format(sequence=sequence) if self.masks else None


LAYOUTS = {
    "one_pass": Layout("{sequence}.txt", masks="masks/{sequence}.txt"),
    "supervised": Layout("baseline/{sequence}/{sequence}_{repetition:03d}.txt", repetitions=15),
    "realtime": Layout("realtime/{sequence}/{sequence}_{repetition:03d}.txt", repetitions=15),
    "unsupervised": Layout("unsupervised/{sequence}/{sequence}_{repetition:03d}.txt"),
    "long_term": Layout(
        "longterm/{sequence}/{sequence}_{repetition:03d}.txt",
        times="longterm/{sequence}/{sequence}_time.txt",
        has_confidence=True,
    ),
    "got10k": Layout(
        "{sequence}/{sequence}_{repetition:03d}.txt", times="{sequence}/{sequence}_time.txt", repetitions=3
    ),
}


def read_rows(path: Path, *, allow_nan: bool = False, error: type[Exception] = ResultError) -> list[list[float]]:
    """Read a file of numbers, one row per line, separated by commas, semicolons, tabs or spaces.

    Raises:
        ResultError (or ``error``): the file is missing, or a line holds something that is not a finite number.
    """
    lines = _read_lines(path, error)
    try:
        rows = [list(map(float, line.split())) for line in lines]
    except ValueError:
        rows = None
    if rows is None or not all(rows) or not (allow_nan or np.isfinite([n for row in rows for n in row]).all()):
        raise error(_first_bad_line(path, lines, allow_nan))
    return rows


def read_regions(path: Path, frames: int | None = None) -> Regions:
    """Read one region per line: a status code, a box or a polygon.

    Args:
        path: the file.
        frames: how many the sequence has; None to take what comes.

    Raises:
        ResultError: missing, of another length, or a line that is no region.
    """
    rows = read_rows(path)
    try:
        _check_length(path, len(rows), frames, "regions")
    except ResultError as failure:
        raise ResultError(f"{failure}; if tools/test.py made it, remove it, and the same run makes it anew") from None
    try:
        return Regions.from_rows(rows)
    except RegionError:
        line, row = next((i, row) for i, row in enumerate(rows, 1) if len(row) not in (1, 4, 8))
        raise ResultError(f"{path} line {line}: expected 1, 4 or 8 numbers, got {len(row)}") from None


def read_boxes(
    path: Path,
    frames: int | None = None,
    *,
    allow_nan: bool = False,
    error: type[Exception] = ResultError,
) -> FloatArray:
    """Read one box x, y, w, h per line into (N, 4).

    Args:
        path: the file.
        frames: how many the sequence has; None to take what comes.
        allow_nan: annotations may mark an absent target so.
        error: what to raise.

    Raises:
        ResultError (or ``error``): missing, of another length, or a line that is no box.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)  # an empty file
            boxes = np.loadtxt(path, delimiter=",", ndmin=2, encoding="utf-8", comments=None)
    except (ValueError, OSError, UserWarning):
        boxes = np.empty((0, 0))
    if boxes.shape[1] != 4 or not (allow_nan or np.isfinite(boxes).all()):
        rows = read_rows(path, allow_nan=allow_nan, error=error)
        wrong = next((i for i, row in enumerate(rows) if len(row) != 4), None)
        if wrong is not None:
            raise error(f"{path} line {wrong + 1}: expected 4 numbers x, y, w, h, got {len(rows[wrong])}")
        boxes = np.array(rows).reshape(-1, 4)
    _check_length(path, len(boxes), frames, "boxes", error)
    return boxes


def read_confidences(path: Path, frames: int | None = None) -> FloatArray:
    """Read one confidence per line into (N,); the first line, blank as a rule, is of the frame that was given: NaN.

    Raises:
        ResultError: missing, of another length, or a later line that is no finite number.
    """
    lines = _read_lines(path, ResultError, keep_first=True)
    values = np.full(len(lines), np.nan)
    for index, line in enumerate(lines[1:], 1):
        with suppress(ValueError):  # stays NaN
            values[index] = float(line)
        if not np.isfinite(values[index]):
            raise ResultError(f"{path} line {index + 1}: expected one finite number, got {_shown(line)}")
    _check_length(path, len(values), frames, "confidences")
    return values


def read_times(path: Path) -> FloatArray:
    """Read the seconds per frame, one line per frame, one column per repetition, into (N, R)."""
    rows = read_rows(path, allow_nan=True)
    if len({len(row) for row in rows}) != 1:
        raise ResultError(f"{path}: expected as many columns on every line, one per repetition")
    return np.array(rows)


@dataclass(frozen=True)
class MaskLines:
    """The masks of a run as text, decoded one at a time: those of a whole sequence would fill the memory.

    Attributes:
        path: the file.
        lines: one per frame, as :func:`toolkit.masks.encode_mask` makes them; a status code for the frame that was
            given.
    """

    path: Path
    lines: list[str]

    def mask(self, index: int, size_wh: tuple[int, int]) -> Mask:
        """Return the mask (H, W) in a frame, counted from 0, of this width and height.

        Raises:
            ResultError: the line is no mask.
        """
        try:
            return decode_mask(self.lines[index], size_wh)
        except RegionError as failure:
            raise ResultError(f"{self.path} line {index + 1}: {failure}") from None


def read_masks(path: Path, frames: int) -> MaskLines:
    """Read one mask per line, each still as text.

    Args:
        path: the file.
        frames: how many the sequence has.

    Raises:
        ResultError: missing, or of another length.
    """
    lines = _read_text(path, ResultError).splitlines()
    _check_length(path, len(lines), frames, "masks")
    return MaskLines(path, lines)


def format_region(region: ArrayLike) -> str:
    """Format a region as the VOT toolkit does: four decimals of the float32 values; a status code as an integer.

    Example:
        >>> format_region([1])
        '1'
        >>> format_region([0.1, 16777.2167, 30, 40])
        '0.1000,16777.2168,30.0000,40.0000'
    """
    numbers = np.asarray(region, dtype=np.float64).ravel()
    if numbers.size == 1:
        return str(int(numbers[0]))
    return ",".join(f"{number:.4f}" for number in numbers.astype(np.float32))


def write_regions(path: Path, regions: Iterable[ArrayLike]) -> None:
    """Write the regions of a VOT run, one per line, as :func:`format_region` has them."""
    write_atomic(path, "".join(f"{format_region(region)}\n" for region in regions))


def write_boxes(path: Path, boxes_xywh: ArrayLike) -> None:
    """Write the boxes (N, 4) of a one-pass run, one x,y,w,h per line, in full precision."""
    rows = np.asarray(boxes_xywh, dtype=np.float64).reshape(-1, 4).tolist()
    write_atomic(path, "".join(",".join(map(repr, row)) + "\n" for row in rows))


def write_masks(path: Path, lines: Iterable[str]) -> None:
    """Write the masks of a run, one line per frame as :func:`toolkit.masks.encode_mask` makes them."""
    write_atomic(path, "".join(f"{line}\n" for line in lines))


def write_confidences(path: Path, confidences: Iterable[float]) -> None:
    """Write one confidence per line with six decimals; the first frame's line is blank."""
    lines = [f"{value:.6f}" for value in confidences]
    write_atomic(path, "".join(f"{line}\n" for line in ["", *lines[1:]]))


def write_times(path: Path, seconds: ArrayLike) -> None:
    """Write the seconds per frame (N,) or (N, repetitions), one line per frame."""
    rows = np.asarray(seconds, dtype=np.float64)
    rows = rows.reshape(len(rows), -1)
    write_atomic(path, "".join(",".join(f"{value:.6f}" for value in row) + "\n" for row in rows))


def write_atomic(path: Path, content: str | bytes) -> None:
    """Write a file whole or not at all, making its folder if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = content.encode() if isinstance(content, str) else content
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:  # names the temporary file, which nobody asked for
        raise OSError(error.errno, error.strerror, str(path)) from error
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException as error:
        os.unlink(temporary)
        if isinstance(error, OSError) and error.errno and error.filename is None:  # such as a full disk
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise


def _read_lines(path: Path, error: type[Exception], *, keep_first: bool = False) -> list[str]:
    """Return the lines without separators; blank lines at the end do not count."""
    lines = _read_text(path, error).translate(_SEPARATORS).splitlines()
    while len(lines) > keep_first and not lines[-1].strip():
        lines.pop()
    return lines


def _read_text(path: Path, error: type[Exception]) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise error(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError) as failure:
        raise error(f"{path}: cannot be read as text ({failure})") from failure


def _first_bad_line(path: Path, lines: list[str], allow_nan: bool) -> str:
    """Return the message about the first line that is not made of numbers."""
    for number, line in enumerate(lines, 1):
        try:
            numbers = list(map(float, line.split()))
            bad = not numbers or not (allow_nan or np.isfinite(numbers).all())
        except ValueError:
            bad = True
        if bad:
            return f"{path} line {number}: expected {'numbers' if allow_nan else 'finite numbers'}, got {_shown(line)}"
    return f"{path}: expected numbers, got an empty file"


def _shown(line: str) -> str:
    """Return a line as messages quote it."""
    return repr(line.strip()[:60]) if line.strip() else "an empty line"


def _check_length(path: Path, found: int, frames: int | None, what: str, error: type[Exception] = ResultError) -> None:
    if frames is not None and found != frames:
        where = f" (the file ends after line {found})" if found < frames else f" (line {frames + 1} is too many)"
        raise error(f"{path}: {found} {what}, the sequence has {frames} frames{where}")
