"""What a run tells: a bar for whoever watches, TensorBoard, a table and pictures for later, how it was started."""

from __future__ import annotations

import csv
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from pysot.datasets.contact_sheet import write_picture
from pysot.engine.memory import peak_memory
from pysot.utils import ConfigError, atomic_path

if TYPE_CHECKING:
    from pysot.engine.train_loop import Step

_LOG_FILE_SECONDS = 30
# Of an epoch's totals, what is no loss.
_PACE = ("steps", "waited", "seconds", "skipped")


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
        self._pace: dict[str, float] = {}
        self._bar: tqdm[Any] | None = None

    def record(self, facts: Mapping[str, str]) -> None:
        """Write down what is run: a block of ``runs.txt`` for every start."""
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
        step.add_to(self._pace)
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

    def epoch(self, epoch: int, lr: float, totals: Mapping[str, float], validation: dict[str, float]) -> None:
        """Close an epoch: a row in the table.

        Args:
            epoch: From 0.
            lr: Of its last step.
            totals: What all its steps add up to, those of before a resume included.
            validation: Further columns.
        """
        if self._bar is not None:
            self._bar.close()
            self._bar = None
        totals = dict.fromkeys(_PACE, 0.0) | dict(totals)
        good = max(1.0, totals["steps"] - totals["skipped"])
        row: dict[str, Any] = {"epoch": epoch, "lr": lr}
        row |= {name: total / good for name, total in totals.items() if name not in _PACE}
        row |= self._speed(totals)
        memory = peak_memory(self.device)
        if memory is not None:
            row["memory_gib"] = memory / 2**30
        row["skipped_steps"] = round(totals["skipped"])
        row |= validation
        self._pace.clear()
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
        speed = self._speed(self._pace)
        shown = {name: f"{value:.3f}" for name, value in step.losses.items()}
        shown |= {
            "lr": f"{step.lr:.2g}",
            "pairs/s": f"{speed['pairs_per_second']:.1f}",
            "data": f"{speed['data_wait_share']:.0%}",
        }
        memory = peak_memory(self.device)
        if memory is not None:
            shown["GiB"] = f"{memory / 2**30:.1f}"
        return shown

    def _speed(self, totals: Mapping[str, float]) -> dict[str, float]:
        seconds = max(totals["seconds"], 1e-9)
        pairs = totals["steps"] * self.pairs_per_step
        return {"pairs_per_second": pairs / seconds, "data_wait_share": totals["waited"] / seconds}

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


def refuse_farther_history(folder: Path, epoch: int, resumed: bool) -> None:
    """Make sure that the rows of a run which starts at an epoch replace none of another run's.

    Raises:
        ConfigError: ``history.csv`` in the folder is of a run that got farther.
    """
    # A row is written before the checkpoint: the run itself, stopped between the two, left one more.
    rows = read_history(folder / "history.csv")
    if any(int(row["epoch"]) >= epoch + resumed for row in rows):
        raise ConfigError(
            f"TRAIN.LOG_DIR {folder} holds the record of a run that got farther (history.csv: {len(rows)} epochs): "
            f"choose another TRAIN.LOG_DIR, or move that one aside"
        )


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
