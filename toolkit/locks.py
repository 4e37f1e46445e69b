"""Sharing work between processes, on one machine or several that share a file system.

A claim on a piece of work is a file, locked by the process that does the work. The operating system lets go of the
lock when the process ends, however it ends, so there is no guessing whether a holder is still alive. What is written
in the file tells the next one who held it: nothing, if the work was given back in order.
"""

from __future__ import annotations

import errno
import json
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_NO_LOCKS_HERE = {errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK}
"""File systems without locks: processes then may do the same work twice, with the same outcome."""

if sys.platform == "win32":
    import msvcrt

    def _lock(handle: int) -> None:
        os.lseek(handle, 1 << 30, os.SEEK_SET)  # beyond the content, which others may read
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _try_lock(path: Path) -> int | None:
    """Return the handle of the file, locked; None if another process has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        _lock(handle)
    except OSError as failure:
        if failure.errno not in _NO_LOCKS_HERE:
            os.close(handle)
            if failure.errno in (errno.EACCES, errno.EAGAIN, errno.EDEADLK):
                return None
            raise
    return handle


@contextmanager
def locked(path: Path, poll_s: float = 0.02) -> Iterator[None]:
    """Hold a file's lock, once all others have let go of it."""
    while (handle := _try_lock(path)) is None:
        time.sleep(poll_s)
    try:
        yield
    finally:
        os.close(handle)


def this_process() -> str:
    """Name this process among those of all machines.

    Example:
        >>> this_process().endswith(f":{os.getpid()}")
        True
    """
    return f"{socket.gethostname()}:{os.getpid()}"


@dataclass(frozen=True)
class Claim:
    """A piece of work that is this process's own.

    Attributes:
        handle: of the locked file.
        launch: the group of processes that were started together.
        died: the process that held it before and never gave it back, empty if there is none.
        deaths: how many of this launch died holding it.
    """

    handle: int
    launch: str
    died: str = ""
    deaths: int = 0

    def done(self) -> None:
        """Give it back."""
        self._leave("")

    def failed(self, reason: str) -> None:
        """Give it back so that nobody else of this launch tries again."""
        self._leave(json.dumps({"launch": self.launch, "failure": reason}))

    def hold(self) -> None:
        """Write down who holds it."""
        self._write(json.dumps({"launch": self.launch, "holder": this_process(), "deaths": self.deaths}))

    def _leave(self, text: str) -> None:
        self._write(text)
        os.close(self.handle)

    def _write(self, text: str) -> None:
        os.ftruncate(self.handle, 0)
        os.lseek(self.handle, 0, os.SEEK_SET)
        os.write(self.handle, text.encode())


MOST_DEATHS = 2
"""After so many processes of one launch died on it, a piece of work is not tried again."""


def take(path: Path, launch: str) -> Claim | str | None:
    """Claim a piece of work.

    Args:
        path: the file that stands for it.
        launch: names the processes that were started together; what failed in another launch may be tried again.

    Returns:
        The claim; or why it failed in this launch; or None while another process has it.
    """
    handle = _try_lock(path)
    if handle is None:
        return None
    note = _read_note(handle)
    if note.get("launch") != launch:
        claim = Claim(handle, launch, str(note.get("holder", "")))
    elif "failure" in note:
        os.close(handle)
        return str(note["failure"])
    else:
        deaths = note.get("deaths")
        claim = Claim(handle, launch, str(note.get("holder", "")), deaths + 1 if isinstance(deaths, int) else 1)
        if claim.deaths >= MOST_DEATHS:
            reason = f"{claim.deaths} processes died on it, the last was {claim.died}"
            claim.failed(reason)
            return reason
    claim.hold()
    return claim


def _read_note(handle: int) -> dict[str, object]:
    """Return what the last holder wrote; nothing if that is nothing, or was cut short."""
    os.lseek(handle, 0, os.SEEK_SET)
    try:
        note = json.loads(os.read(handle, 1 << 16) or b"{}")
    except ValueError:
        return {}
    return note if isinstance(note, dict) else {}
