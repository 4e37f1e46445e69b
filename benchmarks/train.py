"""Measure how fast configurations train: pairs per second, share of the time spent waiting for data, memory.

Each configuration trains on drawn crops with fresh weights, in float32 and bfloat16, with its data

    cpu       augmented in the loading processes
    device    augmented on the training's device (DATASET.DEVICE_AUGMENT)
    repeated  one batch over and over, so that data cost nothing: what the loading costs is the difference

"wait" is the share of the time in which the training waited for a batch; "loads" is what the loading processes give by
themselves: as long as it is above the speed of the repeated batch, the loading is not the bottleneck. The ratio is to
the configuration's first row. "GiB" is the largest amount of tensors on a GPU; on a CPU, of the whole process.

    python benchmarks/train.py                                     # siamrpn_r50 and siamfc_alex
    python benchmarks/train.py --config siammask_r50_base --precision bf16 --batch 64 TRAIN.CHANNELS_LAST True
    python benchmarks/train.py --device cpu --batch 2 --steps 3    # quick
"""

from __future__ import annotations

import argparse
import gc
import itertools
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
from tqdm import tqdm
from yacs.config import CfgNode

import pysot
from pysot.datasets.curation.annotations import write_annotations
from pysot.datasets.curation.jobs import run_jobs
from pysot.datasets.curation.synthetic.write import CropWriter, Film
from pysot.datasets.loading import PairLoader
from pysot.engine.build import build_network, build_trainer
from pysot.engine.distributed import Group
from pysot.engine.memory import peak_memory, reset_peak_memory
from pysot.engine.train_loop import Step, Trainer
from pysot.runtime import choose_device

# With the batches that PySOT and siamfc-pytorch train with.
CONFIGS = ("siamrpn_r50", "siamfc_alex")
AUGMENT = ("cpu", "device", "repeated")
FRAMES = 6  # of a drawn video
READY_PER_WORKER = 2  # batches that PyTorch's loader makes ahead


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", nargs="+", default=list(CONFIGS), help="experiments (default: %(default)s)")
    parser.add_argument("--precision", nargs="+", choices=("fp32", "bf16"), default=["fp32", "bf16"])
    parser.add_argument("--augment", nargs="+", choices=AUGMENT, default=list(AUGMENT))
    parser.add_argument("--batch", type=int, help="pairs of a step (default: the configuration's)")
    parser.add_argument("--steps", type=int, help="steps measured (default: 200 on a GPU, 10 on a CPU)")
    parser.add_argument(
        "--workers", type=int, default=os.cpu_count() or 1, help="loading (default: the number of cores)"
    )
    parser.add_argument("--epoch", type=int, help="measure this one, from 0 (default: the last, all is trained then)")
    parser.add_argument("--videos", type=int, default=40, help="drawn, of 6 frames each (default: %(default)s)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda (default: auto)")
    parser.add_argument("opts", nargs="*", metavar="KEY VALUE", help="configuration keys to change")
    return parser.parse_args(argv)


@dataclass(frozen=True)
class Row:
    """What was measured.

    Attributes:
        pairs_per_second: While training.
        waited: Share of the time spent waiting for a batch.
        memory: Bytes, or None where it is not known.
        loads: Pairs per second of the loading processes alone; None of a repeated batch.
    """

    pairs_per_second: float
    waited: float
    memory: int | None
    loads: float | None


class Repeated:
    """A loader whose batches are all one."""

    def __init__(self, loader: PairLoader) -> None:
        self.steps = loader.steps
        self.batch = next(loader.epoch(0))

    def epoch(self, epoch: int, first_step: int = 0) -> Iterator[dict[str, Any]]:
        """Yield the batch."""
        yield from itertools.repeat(self.batch, self.steps - first_step)


def draw_crops(folder: Path, videos: int, workers: int) -> list[Any]:
    """Draw a training set and return the settings that use it, masks included."""
    films = [Film(f"{number:06d}", 0, number, FRAMES) for number in range(videos)]
    done = run_jobs(films, CropWriter(folder / "crop511"), folder / ".journal", {"frames": FRAMES}, workers)
    write_annotations(folder / "train.json", done)
    entry = {
        "ROOT": str(folder / "crop511"),
        "ANNO": str(folder / "train.json"),
        "FRAME_RANGE": 100,
        "MASKS": "{video}/{frame:06d}.{track}.m.png",
    }
    return ["DATASET.DRAWN", entry, "DATASET.NAMES", ["DRAWN"], "BACKBONE.PRETRAINED", ""]


def settings(name: str, data: list[Any], precision: str, augment: str, args: argparse.Namespace) -> tuple[CfgNode, int]:
    """Return the configuration of a row, and how many of its steps come before those that are measured."""
    # What lies ready when the measurement begins would hide a slow loading.
    ready = READY_PER_WORKER * args.workers + 3
    changes = [*data, "TRAIN.PRECISION", precision, "DATASET.DEVICE_AUGMENT", augment == "device"]
    changes += ["TRAIN.NUM_WORKERS", args.workers, "TRAIN.GRAD_REDUCE", "mean", *args.opts]
    changes += ["TRAIN.BATCH_SIZE", args.batch] if args.batch else []
    cfg = pysot.load_cfg(name, changes)
    pairs = cfg.TRAIN.BATCH_SIZE * cfg.TRAIN.ACCUMULATE * (ready + args.steps)
    return pysot.load_cfg(name, [*changes, "DATASET.VIDEOS_PER_EPOCH", pairs]), ready


def measure(cfg: CfgNode, ready: int, device: torch.device, *, repeated: bool, epoch: int | None) -> Row:
    """Train, and return how it went."""
    group = Group(0, 1, device)
    network, _ = build_network(cfg, group)
    steps: list[Step] = []
    trainer = build_trainer(cfg, network, group, on_step=steps.append)
    trainer.epoch = cfg.TRAIN.EPOCH - 1 if epoch is None else epoch
    loads = None if repeated else time_loading(trainer, ready)
    if repeated:
        trainer.loader = Repeated(trainer.loader)  # type: ignore[assignment]
    reset_peak_memory(device)
    # Every step ends by fetching its losses, so its time is that of the device as well.
    trainer.run(stop=lambda: len(steps) == trainer.steps)
    measured = steps[ready:]
    seconds = sum(step.seconds for step in measured)
    pairs = cfg.TRAIN.BATCH_SIZE * cfg.TRAIN.ACCUMULATE * len(measured)
    waited = sum(step.waited for step in measured) / seconds
    return Row(pairs / seconds, waited, peak_memory(device), loads)


def time_loading(trainer: Trainer, ready: int) -> float:
    """Return the pairs per second that the loading processes give where nothing else is done."""
    batches = trainer.loader.epoch(trainer.epoch)
    for _ in range(ready):
        next(batches)
    began = time.perf_counter()
    pairs = sum(len(batch["names"]) for batch in batches)
    return pairs / (time.perf_counter() - began)


def show(name: str, batch: int, precision: str, augment: str, row: Row, baseline: Row) -> str:
    """Return a line of the table."""
    ratio = row.pairs_per_second / baseline.pairs_per_second
    memory = "-" if row.memory is None else f"{row.memory / 2**30:.2f}"
    loads = "-" if row.loads is None else f"{row.loads:.1f}"
    return (
        f"{name:32} {batch:5} {precision:9} {augment:8} {row.pairs_per_second:9.1f} {ratio:5.2f}x {row.waited:6.1%} "
        f"{memory:>7} {loads:>9}"
    )


def describe(device: torch.device, workers: int) -> str:
    """Return what the numbers are of."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{torch.get_num_threads()} threads"
    return f"{device} ({name}), {workers} loading processes, {os.cpu_count()} cores, torch {torch.__version__}"


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print the table."""
    args = parse_args(argv)
    lines = []
    try:
        device = choose_device(args.device)
        args.steps = args.steps or (200 if device.type == "cuda" else 10)
        rows = list(itertools.product(args.config, args.precision, args.augment))
        with tempfile.TemporaryDirectory() as folder:
            data = draw_crops(Path(folder), args.videos, min(args.workers, args.videos))
            baselines: dict[str, Row] = {}
            for name, precision, augment in tqdm(rows, unit="row", file=sys.stderr):
                cfg, ready = settings(name, data, precision, augment, args)
                row = measure(cfg, ready, device, repeated=augment == "repeated", epoch=args.epoch)
                gc.collect()  # the network, and the loading processes
                batch = cfg.TRAIN.BATCH_SIZE * cfg.TRAIN.ACCUMULATE
                lines.append(show(name, batch, precision, augment, row, baselines.setdefault(name, row)))
    except (pysot.PysotError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(describe(device, args.workers))
    print(f"ratios are to {args.precision[0]}, {args.augment[0]}")
    print(f"{'configuration':32} batch precision augment    pairs/s  ratio   wait     GiB     loads")
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
