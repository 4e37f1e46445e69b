"""How much memory this process took at most: of the GPU, or of the machine."""

from __future__ import annotations

from pathlib import Path

import torch

_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_RESET_PEAK = "5"  # see proc_pid_clear_refs(5)


def peak_memory(device: torch.device) -> int | None:
    """Return the largest number of bytes so far: tensors on a GPU; on the CPU, all of this process.

    Worker processes are not counted. None where the system does not tell (on the CPU, all but Linux).
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    try:
        lines = _STATUS.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    found = [line.split() for line in lines if line.startswith("VmHWM:")]
    return 1024 * int(found[0][1]) if found else None


def reset_peak_memory(device: torch.device) -> None:
    """Count from what is taken now; without effect where the system has no such thing."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return
    try:
        _RESET.write_text(_RESET_PEAK, encoding="ascii")
    except OSError:
        return
