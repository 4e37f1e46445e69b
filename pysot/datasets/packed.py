"""All images of a training set in one file, for file systems that are slow with millions of small ones.

The file is an SQLite archive (``.sqlar``, https://sqlite.org/sqlar.html): nothing has to be installed to read it here,
and ``sqlite3 crop511.sqlar -Ax`` unpacks it anywhere. It is opened by name, not read from front to back as shards of an
archive are: a pair may come from any two places. Files lie in it unchanged, under their paths below the packed folder.
"""

from __future__ import annotations

import os
import sqlite3
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pysot.utils import InputError, atomic_path

SUFFIX = ".sqlar"
# An image takes a few pages of this many bytes; with SQLite's 4096 it would take a chain of many.
_PAGE = 32768


class PackedFolder:
    """A packed folder, open for reading.

    Every process opens the file for itself, on its first read: a connection does not survive a fork.

    Args:
        path: The archive.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._connection: sqlite3.Connection | None = None
        self._process = -1

    def read(self, name: str) -> bytes:
        """Return a file's bytes.

        Raises:
            OSError: There is no such file, or the archive cannot be read.
        """
        if self._connection is None or self._process != os.getpid():
            # Immutable: no locks, which network file systems are bad at.
            uri = f"{Path(self.path).resolve().as_uri()}?mode=ro&immutable=1"
            self._connection = sqlite3.connect(uri, uri=True, check_same_thread=False)
            self._process = os.getpid()
        try:
            found = self._connection.execute("SELECT sz, data FROM sqlar WHERE name = ?", (name,)).fetchone()
            if found is None:
                raise FileNotFoundError(f"no {name} in {self.path}")
            size, data = found
            return bytes(data) if len(data) == size else zlib.decompress(data)
        except (sqlite3.Error, zlib.error) as error:
            raise OSError(f"{self.path}: {name}: {error}") from error

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "_connection": None, "_process": -1}


def is_packed(path: Path) -> bool:
    """Return whether ``path`` is an archive rather than a folder."""
    return path.suffix == SUFFIX and path.is_file()


def pack_folder(folder: Path, archive: Path, progress: Callable[[int], None] | None = None) -> int:
    """Write all files below a folder into an archive, which appears when it is complete.

    Args:
        folder: What to pack; left as it is.
        archive: The file to write, ``*.sqlar``.
        progress: Called with 1 for every file.

    Returns:
        How many files were packed.

    Raises:
        InputError: There is no such folder, nothing in it, or ``archive`` has another suffix or lies inside it.
    """
    if archive.suffix != SUFFIX or archive.resolve().is_relative_to(folder.resolve()):
        raise InputError(f"{archive}: expected a file named *{SUFFIX} outside of {folder}")
    if not folder.is_dir():
        raise InputError(f"{folder}: expected a folder to pack")
    count = 0
    with atomic_path(archive) as temporary:
        connection = sqlite3.connect(temporary, isolation_level=None)
        try:
            connection.execute(f"PRAGMA page_size = {_PAGE}")
            connection.execute("PRAGMA journal_mode = OFF")  # the file is new: an interrupted one is thrown away
            connection.execute("CREATE TABLE sqlar(name TEXT PRIMARY KEY, mode INT, mtime INT, sz INT, data BLOB)")
            connection.execute("BEGIN")
            for file in _files(folder):
                data, status = file.read_bytes(), file.stat()
                record = (file.relative_to(folder).as_posix(), status.st_mode, int(status.st_mtime), len(data), data)
                connection.execute("INSERT INTO sqlar VALUES (?, ?, ?, ?, ?)", record)
                count += 1
                if progress is not None:
                    progress(1)
            connection.execute("COMMIT")
        finally:
            connection.close()
        if not count:
            raise InputError(f"{folder}: no files to pack")
    return count


def _files(folder: Path) -> Iterator[Path]:
    """Yield the files below a folder in the order of their names, folder by folder."""
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            yield from _files(path)
        elif path.is_file():
            yield path
