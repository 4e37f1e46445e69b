"""What a run tells: a bar for whoever watches, TensorBoard, a table and pictures for later, how it was started."""

from __future__ import annotations

import csv
import sys
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from pysot.datasets.contact_sheet import write_picture
from pysot.engine.memory import peak_memory
from pysot.utils import atomic_path

if TYPE_CHECKING:
    from pysot.engine.train_loop import Step

_LOG_FILE_SECONDS = 30


class TrainingLog:
    """Collects the steps of a run in the main process.

    Args:
        folder: Of TensorBoard's files and ``history.csv``; rows of epochs that were trained before are kept.
        steps: In an epoch.
        pairs_per_step: Of all processes.
        print_freq: Steps between two points of the curves.
        device: Whose memory is told.
    """

    def __init__(self, folder: Path, steps: int, pairs_per_step: int, print_freq: int, device: torch.device) -> None:
        # tensorboardX is an extra; a run without it has the table and the bar.
        try:
            from tensorboardX import SummaryWriter
        except ImportError:
            self._curves: Any = None
        else:
            self._curves = SummaryWriter(str(folder))
        self.folder = folder
        self.table = folder / "history.csv"
        self.device = device
        self.steps = steps
        self.pairs_per_step = pairs_per_step
        self.print_freq = print_freq
        self._rows = read_history(self.table)
        self._sums: dict[str, float] = defaultdict(float)
        self._bar: tqdm[Any] | None = None

    def record(self, config: str, facts: Mapping[str, str]) -> None:
        """Write down what is run: ``config.yaml``, which reproduces it, and a block of ``runs.txt`` for every start."""
        with atomic_path(self.folder / "config.yaml") as temporary:
            temporary.write_text(config, encoding="utf-8")
        lines = [f"{name}: {fact}".replace("\n", "\n  ") for name, fact in facts.items()]
        with open(self.folder / "runs.txt", "a", encoding="utf-8") as file:
            file.write("\n".join([*lines, "", ""]))

    def step(self, step: Step) -> None:
        """Take note of a step."""
        if self._bar is None:
            # Into a file, a line now and then.
            pause = 0.1 if sys.stderr.isatty() else _LOG_FILE_SECONDS
            self._bar = tqdm(
                total=self.steps,
                initial=step.step,
                desc=f"epoch {step.epoch}",
                dynamic_ncols=True,
                mininterval=pause,
            )
        values = {**step.losses, "waited": step.waited, "seconds": step.seconds, "skipped": float(bool(step.skipped))}
        for name, value in values.items():
            self._sums[name] += value
        self._sums["steps"] += 1
        if step.skipped:
            tqdm.write(f"step {step.step}: losses are not finite, skipped: {'; '.join(step.skipped)}")
        self._bar.set_postfix(self._shown(step), refresh=False)
        self._bar.update()
        if self._curves is not None and step.step % self.print_freq == 0:
            at = step.epoch * self.steps + step.step
            for name, value in {**step.losses, "grad_norm": step.grad_norm, "lr": step.lr}.items():
                self._curves.add_scalar(f"train/{name}", value, at)
            for name, value in step.grad_norms.items():
                self._curves.add_scalar(f"grad_norm/{name}", value, at)

    def epoch(self, epoch: int, lr: float, validation: dict[str, float]) -> None:
        """Close an epoch: a row in the table."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
        good = max(1.0, self._sums["steps"] - self._sums["skipped"])
        row: dict[str, Any] = {"epoch": epoch, "lr": lr}
        skip = ("steps", "waited", "seconds", "skipped")
        row |= {name: total / good for name, total in self._sums.items() if name not in skip}
        seconds = self._sums["seconds"]
        row["pairs_per_second"] = self._sums["steps"] * self.pairs_per_step / seconds if seconds else 0.0
        row["data_wait_share"] = self._sums["waited"] / seconds if seconds else 0.0
        memory = peak_memory(self.device)
        if memory is not None:
            row["memory_gib"] = memory / 2**30
        row["skipped_steps"] = int(self._sums["skipped"])
        row |= validation
        self._sums.clear()
        # An epoch that is trained again after a resume replaces what was written of it.
        self._rows = [old for old in self._rows if int(old["epoch"]) < epoch] + [row]
        self._write()
        if self._curves is not None:
            for name, value in validation.items():
                self._curves.add_scalar(f"validation/{name}", value, (epoch + 1) * self.steps)
            self._curves.flush()

    def picture(self, name: str, image: NDArray[np.uint8], epochs: int) -> None:
        """Write a picture (H, W, 3) BGR of a network that was trained for so many epochs."""
        write_picture(image, self.folder / f"{name}_e{epochs}.png")
        if self._curves is not None:
            rgb = np.ascontiguousarray(image[..., ::-1])
            self._curves.add_image(name, rgb, epochs * self.steps, dataformats="HWC")

    def close(self) -> None:
        """End the bar and the curves."""
        if self._bar is not None:
            self._bar.close()
        if self._curves is not None:
            self._curves.close()

    def _shown(self, step: Step) -> dict[str, str]:
        seconds = max(self._sums["seconds"], 1e-9)
        shown = {name: f"{value:.3f}" for name, value in step.losses.items()}
        shown |= {
            "lr": f"{step.lr:.2g}",
            "pairs/s": f"{self._sums['steps'] * self.pairs_per_step / seconds:.1f}",
            "data": f"{self._sums['waited'] / seconds:.0%}",
        }
        memory = peak_memory(self.device)
        if memory is not None:
            shown["GiB"] = f"{memory / 2**30:.1f}"
        return shown

    def _write(self) -> None:
        columns = list(dict.fromkeys(name for row in self._rows for name in row))
        with atomic_path(self.table) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(self._rows)


def read_history(table: Path) -> list[dict[str, Any]]:
    """Return the rows of a ``history.csv``; none where there is none."""
    if not table.is_file():
        return []
    with open(table, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def plot_history(table: Path, picture: Path) -> bool:
    """Draw the curves of a ``history.csv`` into a PNG; False where there is no matplotlib or nothing to draw."""
    rows = read_history(table)
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return False
    skip = ("epoch", "pairs_per_second", "data_wait_share", "memory_gib", "skipped_steps")
    names = [name for name in dict.fromkeys(n for row in rows for n in row) if name not in skip]
    if not rows or not names:
        return False
    figure = Figure(figsize=(4 * min(3, len(names)), 3 * -(-len(names) // 3)), layout="constrained")
    for place, name in enumerate(names, 1):
        axes = figure.add_subplot(-(-len(names) // 3), min(3, len(names)), place)
        points = [(int(row["epoch"]), float(row[name])) for row in rows if row.get(name)]
        axes.plot(*zip(*points, strict=True), marker="." if len(points) < 30 else None)
        axes.set(title=name, xlabel="epoch")
        axes.grid(alpha=0.3)
        if name == "lr":
            axes.set_yscale("log")
    with atomic_path(picture) as temporary:
        figure.savefig(temporary, dpi=100)
    return True
