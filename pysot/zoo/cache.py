"""The folder fetched checkpoints are kept in, and the check every file in it has to pass."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import IO

from pysot.utils import DownloadError, InputError, hash_file
from pysot.zoo.table import ZooEntry

_CHUNK = 1 << 20
_STAGING_PREFIX = ".fetch-"
_STAGING_LIFETIME_S = 24 * 3600
# torch.save writes a zip archive, before version 1.6 a bare pickle (protocol 2 or later).
_CHECKPOINT_MAGIC = (b"PK\x03\x04", b"\x80")


class FileState(Enum):
    """What a check found."""

    ABSENT = "not cached"
    VERIFIED = "verified"
    UNVERIFIED = "unverified"
    WRONG = "wrong"


@dataclass(frozen=True)
class CacheReport:
    """The outcome of one check; ``detail`` says in words what is wrong or uncertain."""

    entry: ZooEntry
    path: Path
    state: FileState
    detail: str = ""


def cache_folder(cache_dir: str | os.PathLike[str] | None = None) -> Path:
    """Return the folder of fetched checkpoints, absolute, whether it exists or not.

    The first of: ``cache_dir``; ``$PYSOT_CACHE``; ``$XDG_CACHE_HOME/pysot/zoo``; the system's own place:
    ``~/.cache/pysot/zoo``, on macOS ``~/Library/Caches/pysot/zoo``, on Windows ``%LOCALAPPDATA%/pysot/zoo``.

    Raises:
        InputError: The user has no home folder, and none of the others is given.
    """
    chosen = cache_dir or os.environ.get("PYSOT_CACHE")
    base = os.environ.get("XDG_CACHE_HOME", "")
    try:
        if chosen:
            return Path(chosen).expanduser().absolute()
        if not os.path.isabs(base):  # the XDG specification has relative values ignored
            base = _system_cache()
    except RuntimeError as error:
        raise InputError(
            "this user has no home folder to keep checkpoints in: name a folder in the environment variable PYSOT_CACHE"
        ) from error
    return Path(base) / "pysot" / "zoo"


def _system_cache() -> str:
    if sys.platform == "win32":
        return os.environ.get("LOCALAPPDATA") or str(Path.home() / "AppData" / "Local")
    if sys.platform == "darwin":
        return str(Path.home() / "Library" / "Caches")
    return str(Path.home() / ".cache")


def cached_path(entry: ZooEntry, cache_dir: str | os.PathLike[str] | None = None) -> Path:
    """Return where the file of ``entry`` lies or would lie; a local file stays where it is."""
    if entry.local is not None:
        return Path(__file__).parent / entry.local.path
    return cache_folder(cache_dir) / f"{entry.name}.pth"


def copy_hashed(source: IO[bytes], target: Path, limit: int) -> str:
    """Write ``source`` to ``target`` and return the SHA-256 of what was written.

    Raises:
        DownloadError: ``source`` holds more than ``limit`` bytes; no more than those are ever written.
    """
    digest, written = hashlib.sha256(), 0
    with target.open("wb") as file:
        while chunk := source.read(_CHUNK):
            written += len(chunk)
            if written > limit:
                raise DownloadError(f"more than the {limit:,} bytes expected")
            digest.update(chunk)
            file.write(chunk)
    return digest.hexdigest()


def find_fault(entry: ZooEntry, path: Path, sha256: str, recorded: str | None = None) -> str:
    """Say what is wrong with a file that should be ``entry``, or return an empty string.

    Args:
        entry: what the file should be.
        path: the file.
        sha256: its hash, as measured.
        recorded: the hash it had when it arrived; counts only where the entry has none of its own.
    """
    size = path.stat().st_size
    if entry.size_bytes is not None and size != entry.size_bytes:
        cut = " (truncated?)" if size < entry.size_bytes else ""
        return f"{size:,} bytes, expected {entry.size_bytes:,}{cut}"
    if entry.sha256 is not None:
        return "" if sha256 == entry.sha256 else f"sha256 {sha256}, expected {entry.sha256}"
    if recorded is not None and sha256 != recorded:
        return f"changed since it arrived: sha256 {sha256}, was {recorded}"
    with path.open("rb") as file:
        head = file.read(16)
    # With no hash to hold against it, a download page saved under the file's name must not pass.
    return "" if head.startswith(_CHECKPOINT_MAGIC) else f"not a PyTorch file: it starts with {head!r}"


def check(entry: ZooEntry, cache_dir: str | os.PathLike[str] | None = None) -> CacheReport:
    """Hash the file of ``entry`` and compare it with the table, or with the hash recorded on arrival."""
    path = cached_path(entry, cache_dir)
    if not path.is_file():
        return CacheReport(entry, path, FileState.ABSENT)
    recorded = read_record(path)
    fault = find_fault(entry, path, hash_file(path), recorded)
    if fault:
        return CacheReport(entry, path, FileState.WRONG, fault)
    if entry.sha256 is not None:
        return CacheReport(entry, path, FileState.VERIFIED)
    kept = "no hash recorded yet" if recorded is None else "unchanged since it arrived"
    return CacheReport(entry, path, FileState.UNVERIFIED, f"no published hash; {kept}")


def record_path(path: Path) -> Path:
    """Return the file that remembers the hash of ``path``; ``sha256sum -c`` reads it too."""
    return path.with_name(path.name + ".sha256")


def read_record(path: Path) -> str | None:
    """Return the hash recorded when ``path`` arrived, or None if there is no record."""
    try:
        words = record_path(path).read_text(encoding="ascii").split()
    except (FileNotFoundError, UnicodeDecodeError):
        return None
    return words[0] if words else None


def write_record(path: Path, sha256: str, staging: Path) -> None:
    """Remember ``sha256`` as the hash of ``path``; ``staging`` is a folder on the same file system."""
    fresh = staging / "record"
    fresh.write_text(f"{sha256}  {path.name}\n", encoding="ascii")
    os.replace(fresh, record_path(path))


def store(entry: ZooEntry, arrived: Path, sha256: str, target: Path) -> Path:
    """Check a file that arrived and move it into its place in one step.

    Args:
        entry: what the file should be.
        arrived: the file, in a staging folder of the same cache.
        sha256: its hash.
        target: its place.

    Raises:
        DownloadError: the file is not what was asked for; the cache is left as it was.
    """
    fault = find_fault(entry, arrived, sha256)
    if fault:
        raise DownloadError(f"what arrived is not {entry.name}: {fault}")
    if entry.sha256 is None:
        # First the record: a stop between the two steps then leaves a mismatch, which is fetched again,
        # and never an unnoticed change.
        write_record(target, sha256, arrived.parent)
    try:
        os.replace(arrived, target)
    except PermissionError:
        # Windows refuses while another process has the file open: fine if that one fetched the same.
        if not target.is_file() or hash_file(target) != sha256:
            raise
    return target


@contextmanager
def staging_folder(cache: Path) -> Iterator[Path]:
    """Give a private folder inside ``cache`` and remove it afterwards, whatever happened in between.

    Raises:
        DownloadError: ``cache`` cannot be written into.
    """
    try:
        cache.mkdir(parents=True, exist_ok=True)
        folder = tempfile.TemporaryDirectory(prefix=_STAGING_PREFIX, dir=cache)
    except OSError as error:
        raise DownloadError(
            f"cannot write into {cache}: {error.strerror}; name another folder in the environment variable PYSOT_CACHE"
        ) from error
    for other in cache.glob(_STAGING_PREFIX + "*"):
        with suppress(FileNotFoundError):  # another process may be done with its own just now
            if time.time() - other.stat().st_mtime > _STAGING_LIFETIME_S:  # left behind by a killed process
                shutil.rmtree(other, ignore_errors=True)
    with folder as staging:
        yield Path(staging)
