"""One command in several processes that share its work: started here, or by torchrun."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from collections.abc import Sequence

from toolkit.locks import this_process

_LAUNCH = "PYSOT_LAUNCH"
"""Set, to the name of the launch, in the processes that are started here."""


def is_worker() -> bool:
    """Return whether this process was started by :func:`launch_workers`."""
    return _LAUNCH in os.environ


def world_size() -> int:
    """Return how many processes share the work, by torchrun's variables."""
    return int(os.environ.get("WORLD_SIZE", 1))


def rank() -> int:
    """Return this process's number among all."""
    return int(os.environ.get("RANK", 0))


def local_rank() -> int:
    """Return this process's number among those of its machine."""
    return int(os.environ.get("LOCAL_RANK", 0))


def launch_name() -> str:
    """Name the processes that were started together, on this machine."""
    if _LAUNCH in os.environ:
        return os.environ[_LAUNCH]
    # torchrun's processes have its agent as their parent.
    return f"{socket.gethostname()}:{os.getppid()}" if world_size() > 1 else this_process()


def launch_workers(command: Sequence[str], count: int) -> list[int]:
    """Start a command in several processes, which divide the CPU's threads, and wait for them.

    Args:
        command: program and arguments; it calls :func:`end_with_parent`.
        count: how many.

    Returns:
        Their exit codes; a signal's number, negative, if one ended the process.
    """
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads = str(max(1, int(os.environ.get("OMP_NUM_THREADS", available)) // count))
    shared = {"WORLD_SIZE": str(count), _LAUNCH: launch_name()}
    shared |= {"OMP_NUM_THREADS": threads, "OPENCV_FOR_THREADS_NUM": threads}
    workers = [
        subprocess.Popen(
            command,
            env=os.environ | shared | {"RANK": str(number), "LOCAL_RANK": str(number)},
            stdin=subprocess.PIPE,
        )
        for number in range(count)
    ]
    return [worker.wait() for worker in workers]


def end_with_parent() -> None:
    """End this worker when the process that started it is gone: nobody would know that it still runs."""

    def watch() -> None:
        os.read(0, 1)  # returns when the other end is closed
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
