"""Train a tracker's network from a configuration: on one CPU or GPU, or on many under torchrun.

A run that was stopped, however it was stopped, goes on where it was with --resume auto. Checkpoints and curves go to
TRAIN.SNAPSHOT_DIR and TRAIN.LOG_DIR; docs/training.md goes from nothing to a scored tracker.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
if not __package__:  # run as a file: the packages lie beside tools/, installed or not
    sys.path.insert(0, str(ROOT))

import numpy as np
import torch
from torch import nn

import pysot
from pysot.config import add_config_arguments, cfg_from_args
from pysot.datasets.build import build_pair_loader
from pysot.datasets.loading import PairLoader
from pysot.engine.build import build_network, build_trainer, estimate_phases
from pysot.engine.distributed import Group, join_group
from pysot.engine.optim import describe_learning_rates
from pysot.engine.snapshots import Snapshots, read_training_state
from pysot.engine.train_loop import Trainer
from pysot.engine.training_log import TrainingLog, plot_history
from pysot.runtime import choose_device
from toolkit.datasets import load_dataset
from toolkit.errors import ToolkitError
from toolkit.overlap import iou_xywh

EXAMPLES = """
examples:
  python tools/train.py --cfg experiments/siamrpn_r50/config.yaml
      one process, on a GPU where there is one
  torchrun --nproc-per-node 8 tools/train.py --cfg siamrpn_r50
      one process per GPU of this machine
  torchrun --nnodes 2 --nproc-per-node 8 --rdzv-backend c10d --rdzv-endpoint HOST:29500 tools/train.py --cfg siamrpn_r50
      the same line on each of two machines
  python tools/train.py --cfg siamrpn_r50 --resume auto TRAIN.BATCH_SIZE 16 DATASET.NAMES "['COCO']"
      go on where the run stopped; other settings
"""
# A tracker is judged after an epoch by so many frames of so many sequences: enough to tell a good epoch from a bad one.
VALIDATION_SEQUENCES = 10
VALIDATION_FRAMES = 40


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--resume", metavar="FILE", help="checkpoint to go on from; 'auto': the latest in TRAIN.SNAPSHOT_DIR, if any"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda (default: auto)")
    parser.add_argument("--dataset-root", type=Path, help="folder of the benchmark TRAIN.VALIDATE_ON")
    parser.add_argument("--local_rank", "--local-rank", type=int, help=argparse.SUPPRESS)  # old launchers pass it
    add_config_arguments(parser)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Train; return 0, 2 after a mistake in what was given, 130 if the run was stopped and saved."""
    args = parse_args(argv)
    try:
        cfg = cfg_from_args(args)
        device = choose_device("cpu" if args.device == "auto" and not cfg.CUDA else args.device)
        with join_group(device) as group:
            return train(cfg, args, group)
    except (pysot.PysotError, ToolkitError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def train(cfg: Any, args: argparse.Namespace, group: Group) -> int:
    """Train as the configuration says."""
    say = print if group.is_main else lambda *text: None
    network, loaded = build_network(cfg, group)
    snapshots = Snapshots(Path(cfg.TRAIN.SNAPSHOT_DIR), cfg.TRAIN.KEEP_EVERY)
    trainer = build_trainer(cfg, network, group, snapshots=snapshots)
    for line in [*loaded, *trainer.plan.notes]:
        say(line)
    rates = (cfg.TRAIN.BASE_LR, cfg.TRAIN.GRAD_REDUCE, group.size, cfg.TRAIN.BATCH_SIZE * cfg.TRAIN.ACCUMULATE)
    say(describe_learning_rates(trainer.plan, trainer.schedule, *rates))
    for epoch, need in estimate_phases(cfg, trainer.plan).items():
        say(f"memory from epoch {epoch} on: {need}")
    asked = args.resume or cfg.TRAIN.RESUME
    resume_from = snapshots.latest() if asked == "auto" else Path(asked) if asked else None
    if resume_from is None:
        trainer.epoch = cfg.TRAIN.START_EPOCH
    else:
        trainer.resume(read_training_state(resume_from))
        say(f"resumed: {resume_from}, epoch {trainer.epoch}, step {trainer.step}")
    snapshots.refuse_farther(trainer.epoch, trainer.step)
    log = None
    if group.is_main:
        pairs = cfg.TRAIN.BATCH_SIZE * cfg.TRAIN.ACCUMULATE * group.size
        log = TrainingLog(Path(cfg.TRAIN.LOG_DIR), trainer.steps, pairs, cfg.TRAIN.PRINT_FREQ)
        trainer.on_step = log.step
        trainer.on_epoch = Judge(cfg, args.dataset_root, log, trainer)
    try:
        with StopSignals() as stop:
            complete = trainer.run(stop)
    finally:
        if log is not None:
            log.close()
    report = trainer.loader.fault_report()
    if report:
        print(report, file=sys.stderr)
    if not complete:
        say(f"stopped and saved: go on with --resume auto ({snapshots.latest()})")
        return 130
    if log is not None:
        plot_history(log.table, log.table.with_name("curves.png"))
        snapshot = snapshots.folder / "best.pth"
        say(f"trained: {snapshot}, curves in {log.table.parent}")
        say(f"test it: python tools/test.py --cfg {args.config} --snapshot {snapshot} --dataset Builtin")
    return 0


class StopSignals:
    """Notes SIGTERM and SIGINT, so that a run can stop after the step at hand; a second one stops at once."""

    def __init__(self) -> None:
        self._asked = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> StopSignals:
        self._before = {number: signal.signal(number, self._note) for number in (signal.SIGTERM, signal.SIGINT)}
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: object) -> None:
        self._asked = True
        signal.signal(number, signal.SIG_DFL)

    def __call__(self) -> bool:
        """Return whether a signal came."""
        return self._asked


class Judge:
    """Scores a network after an epoch: the loss on held-out pairs, and a short run as a tracker."""

    def __init__(self, cfg: Any, dataset_root: Path | None, log: TrainingLog, trainer: Trainer) -> None:
        self.cfg = cfg
        self.log = log
        self.trainer = trainer
        self.sequences = []
        self.pairs: PairLoader | None = None
        if cfg.TRAIN.VALIDATE_NAMES:
            names, count = cfg.TRAIN.VALIDATE_NAMES, cfg.TRAIN.VALIDATE_PAIRS
            self.pairs = build_pair_loader(cfg, cfg.TRAIN.SEED + 1, names=names, pairs_per_epoch=count)
        if cfg.TRAIN.VALIDATE_ON:
            dataset = load_dataset(cfg.TRAIN.VALIDATE_ON, dataset_root or Path("testing_dataset"))
            self.sequences = list(dataset.sequences)[:VALIDATION_SEQUENCES]

    def __call__(self, epoch: int, network: nn.Module) -> float | None:
        """Write the epoch's row and return the score: the mean overlap of the tracker, or minus the loss."""
        validation: dict[str, float] = {}
        if self.pairs is not None:
            losses = [self.trainer.losses_of(network, batch)["total"] for batch in self.pairs.epoch(0)]
            validation["validation_loss"] = float(np.mean(losses))
        if self.sequences:
            validation["validation_overlap"] = self._overlap(network)
        lr = float(self.trainer.optimizer.param_groups[-1]["lr"])
        self.log.epoch(epoch, lr, validation)
        if "validation_overlap" in validation:
            return validation["validation_overlap"]
        return -validation["validation_loss"] if validation else None

    def _overlap(self, network: nn.Module) -> float:
        tracker = pysot.build_tracker(self.cfg, network, self.trainer.group.device)  # type: ignore[arg-type]
        overlaps = []
        for sequence in self.sequences:
            truth = sequence.ground_truth.enclosing_xywh()[:VALIDATION_FRAMES]
            tracker.init(sequence.frame(0), truth[0])
            found = [tracker.track(sequence.frame(index)).bbox for index in range(1, len(truth))]
            seen = np.isfinite(truth[1:]).all(axis=1)
            overlaps.append(iou_xywh(np.asarray(found)[seen], truth[1:][seen]).mean())
        return float(np.mean(overlaps))


if __name__ == "__main__":
    torch.multiprocessing.freeze_support()
    sys.exit(main())
