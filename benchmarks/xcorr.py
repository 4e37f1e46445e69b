"""Time the cross-correlations of pysot.ops at the sizes trackers use, against the grouped convolution.

    python benchmarks/xcorr.py                    # every device here, all shapes
    python benchmarks/xcorr.py --device cpu --threads 1 --only siamfc
    python benchmarks/xcorr.py --device cuda --dtype bfloat16

Columns: "loop" is the specification in pysot/ops/reference.py (forward only: its gradients take minutes),
"grouped conv" the baseline, one convolution with a group per target (and channel), "triton" the Triton kernel
(CUDA, depth-wise), "chosen" what xcorr and xcorr_depthwise run. Times are milliseconds, the best of several rounds
in which the columns take turns, for the forward pass / forward and both gradients; in brackets how many times as
fast as the baseline.
"""

from __future__ import annotations

import argparse
import functools
import sys
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.benchmark import Timer

from pysot.ops import xcorr, xcorr_depthwise, xcorr_depthwise_reference, xcorr_reference

Correlation = Callable[[Tensor, Tensor], Tensor]
BASELINE = "grouped conv"
COLUMNS = ("loop", BASELINE, "triton", "chosen")
ROUNDS = 7


class Shape(NamedTuple):
    """One row: the correlation is depth-wise unless ``filters`` says how many filters a template has."""

    name: str
    search: tuple[int, int, int, int]
    kernel: tuple[int, int, int, int]
    filters: int | None = None


SHAPES = [
    Shape("siamrpn++ track", (1, 256, 29, 29), (1, 256, 5, 5)),
    Shape("siamrpn++ lost target", (1, 256, 95, 95), (1, 256, 5, 5)),
    Shape("siamrpn++ 16 targets", (16, 256, 29, 29), (16, 256, 5, 5)),
    Shape("siamrpn++ train", (28, 256, 29, 29), (28, 256, 5, 5)),
    Shape("siamrpn alex track", (1, 256, 24, 24), (1, 256, 4, 4)),
    Shape("siamfc track, 3 scales", (3, 256, 22, 22), (1, 256, 6, 6), 1),
    Shape("siamfc train", (8, 256, 20, 20), (8, 256, 6, 6), 1),
    Shape("siamrpn up-channel cls", (1, 256, 24, 24), (1, 10 * 256, 4, 4), 10),
    Shape("siamrpn up-channel loc", (1, 256, 24, 24), (1, 20 * 256, 4, 4), 20),
    Shape("siamrpn up-channel train", (8, 256, 24, 24), (8, 20 * 256, 4, 4), 20),
]


def grouped_convolution(search: Tensor, kernel: Tensor, groups_per_template: int) -> Tensor:
    """Correlate with one convolution that has the templates (or their channels) as groups."""
    templates, channels = kernel.shape[0], search.shape[1]
    filters = kernel.reshape(-1, channels // groups_per_template, *kernel.shape[2:])
    row = search.reshape(-1, templates * channels, *search.shape[2:])
    out = F.conv2d(row, filters, groups=templates * groups_per_template)
    return out.reshape(search.shape[0], -1, *out.shape[2:])


def candidates(shape: Shape, device: torch.device) -> dict[str, Correlation | None]:
    """Return what to time, by column; None where a column does not apply."""
    if shape.filters is not None:
        return {
            "loop": xcorr_reference,
            BASELINE: lambda x, z: grouped_convolution(x, z, 1),
            "triton": None,
            "chosen": xcorr,
        }
    triton: Correlation | None = None
    if device.type == "cuda" and find_spec("triton"):
        from pysot.ops.xcorr_triton import depthwise_triton as triton
    return {
        "loop": xcorr_depthwise_reference,
        BASELINE: lambda x, z: grouped_convolution(x, z, x.shape[1]),
        "triton": triton,
        "chosen": xcorr_depthwise,
    }


def take_turns(runs: Mapping[str, Callable[[], object]], threads: int, seconds: float) -> dict[str, float]:
    """Return the best mean time of a call over some rounds, in milliseconds; the timer waits for the GPU.

    The columns take turns, so that whatever else the machine does disturbs them alike.
    """
    timers = {name: Timer("run()", globals={"run": run}, num_threads=threads) for name, run in runs.items()}
    calls = {}
    for name, timer in timers.items():
        calls[name] = max(1, int(seconds / ROUNDS / timer.timeit(1).mean))
    rounds = [{name: timer.timeit(calls[name]).mean for name, timer in timers.items()} for _ in range(ROUNDS)]
    return {name: min(times[name] for times in rounds) * 1e3 for name in timers}


def training_step(run: Correlation, search: Tensor, kernel: Tensor) -> Callable[[], object]:
    """Return the forward pass with both gradients as a call without arguments."""
    inputs = [search.clone().requires_grad_(), kernel.clone().requires_grad_()]
    weights = torch.randn_like(run(*inputs))
    return lambda: torch.autograd.grad(run(*inputs), inputs, weights)


def table_row(shape: Shape, device: torch.device, args: argparse.Namespace) -> list[str]:
    """Time one shape on one device."""
    rng = torch.Generator().manual_seed(0)
    dtype = getattr(torch, args.dtype)
    search, kernel = (torch.randn(size, generator=rng).to(device, dtype) for size in (shape.search, shape.kernel))
    runs = {name: run for name, run in candidates(shape, device).items() if run is not None}
    if args.no_loop:
        del runs["loop"]
    with torch.inference_mode():
        calls = {name: functools.partial(run, search, kernel) for name, run in runs.items()}
        forward = take_turns(calls, args.threads, args.seconds)
    steps = {name: training_step(run, search, kernel) for name, run in runs.items() if name != "loop"}
    training = take_turns(steps, args.threads, args.seconds)
    return [shape.name, *(cell(name, forward, training) for name in COLUMNS)]


def cell(name: str, forward: dict[str, float], training: dict[str, float]) -> str:
    """Write forward / training milliseconds, with the speed relative to the baseline.

    Example:
        >>> cell("chosen", {"grouped conv": 2.0, "chosen": 1.0}, {"grouped conv": 6.0, "chosen": 2.0})
        '1.00 (2x) / 2.00 (3x)'
        >>> cell("triton", {"grouped conv": 2.0}, {"grouped conv": 6.0})
        '-'
    """
    if name not in forward:
        return "-"
    parts = []
    for times in (forward, training):
        if name in times:
            ratio = "" if name == BASELINE else f" ({times[BASELINE] / times[name]:.2g}x)"
            parts.append(f"{times[name]:.2f}{ratio}")
    return " / ".join(parts)


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", help="cpu or cuda (default: the CPU, and the GPU if there is one)")
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16", "float16"])
    parser.add_argument(
        "--threads", type=int, default=torch.get_num_threads(), help="CPU threads (default: %(default)s)"
    )
    parser.add_argument("--only", default="", help="only the rows whose name contains this")
    parser.add_argument("--seconds", type=float, default=0.5, help="time spent on each number (default: %(default)s)")
    parser.add_argument("--no-loop", action="store_true", help="leave out the reference loop, the slowest by far")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Print one Markdown table per device."""
    args = parse_args(argv)
    devices = [args.device] if args.device else ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    if "cuda" in devices and not torch.cuda.is_available():
        print("--device cuda: expected a CUDA device, found none", file=sys.stderr)
        return 2
    shapes = [shape for shape in SHAPES if args.only in shape.name]
    if not shapes:
        print(f"--only {args.only!r}: no such row; the rows are {[s.name for s in SHAPES]}", file=sys.stderr)
        return 2
    for device in map(torch.device, devices):
        name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"CPU, {args.threads} threads"
        print(f"\n{name}, {args.dtype}, torch {torch.__version__}; ms forward / forward + gradients\n")
        print("| " + " | ".join(("shape", *COLUMNS)) + " |\n" + "| --- " * (1 + len(COLUMNS)) + "|")
        for shape in shapes:
            print("| " + " | ".join(table_row(shape, device, args)) + " |", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
