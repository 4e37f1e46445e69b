"""Time the gradients of MobileNetV2's dilated depth-wise convolutions on the CPU, and compare them with exact ones.

    python benchmarks/dilated.py
    python benchmarks/dilated.py --threads 1 --batch 28

Baseline: the gradients of PyTorch's grouped convolution. Milliseconds are the best of five calls for both gradients;
errors are the largest of the weight gradient, as a share of its largest value, against double precision.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.benchmark import Timer

from pysot.ops import dilated_depthwise_conv

# Channels, side, dilation: the blocks of stages 4 to 6 on a search crop of 255 pixels.
SHAPES = [(384, 31, 2), (576, 31, 2), (960, 31, 4)]
Convolution = Callable[[Tensor, Tensor, int], Tensor]


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="CPU threads")
    parser.add_argument("--batch", type=int, default=16)
    return parser.parse_args(argv)


def grouped(image: Tensor, weight: Tensor, dilation: int) -> Tensor:
    """Convolve as PyTorch does."""
    return F.conv2d(image, weight, None, 1, dilation, dilation, image.shape[1])


def chosen(image: Tensor, weight: Tensor, dilation: int) -> Tensor:
    """Convolve as the backbone does."""
    return dilated_depthwise_conv(image, weight, dilation, dilation)


def gradients(convolve: Convolution, image: Tensor, weight: Tensor, dilation: int) -> tuple[float, Tensor]:
    """Return the milliseconds of both gradients, and that of the weight."""
    out = convolve(image, weight, dilation)
    wanted = torch.randn(out.shape, generator=torch.Generator().manual_seed(1)).to(out)
    run = lambda: torch.autograd.grad(out, (image, weight), wanted, retain_graph=True)  # noqa: E731
    timer = Timer("run()", globals={"run": run}, num_threads=torch.get_num_threads())
    timer.timeit(1)
    return min(timer.timeit(1).mean for _ in range(5)) * 1e3, run()[1]


def main() -> None:
    """Print the table."""
    args = parse_args()
    torch.set_num_threads(args.threads)
    print(f"cpu, {args.threads} threads, torch {torch.__version__}, batch {args.batch}")
    print(f"{'channels, side, dilation, dtype, layout':48} {'grouped':>9} {'chosen':>9} {'ratio':>6}   errors")
    layouts = {"channels last": torch.channels_last, "contiguous": torch.contiguous_format}
    for shape, dtype, layout in itertools.product(SHAPES, (torch.bfloat16, torch.float32), layouts):
        channels, side, dilation = shape
        rng = torch.Generator().manual_seed(0)
        image = torch.randn(args.batch, channels, side, side, generator=rng).to(dtype)
        image = image.to(memory_format=layouts[layout]).requires_grad_()
        weight = torch.randn(channels, 1, 3, 3, generator=rng).to(dtype).requires_grad_()
        exact = gradients(grouped, *(t.detach().double().requires_grad_() for t in (image, weight)), dilation)[1]
        (before, *found), (after, *mine) = (gradients(run, image, weight, dilation) for run in (grouped, chosen))
        errors = [float((g.double() - exact).abs().max() / exact.abs().max()) for g in (*found, *mine)]
        name = f"{shape}, {str(dtype).removeprefix('torch.')}, {layout}"
        print(f"{name:48} {before:9.1f} {after:9.1f} {before / after:5.1f}x   {errors[0]:.1g} {errors[1]:.1g}")


if __name__ == "__main__":
    main()
