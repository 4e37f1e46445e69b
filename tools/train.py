"""Train a tracker's network from a configuration: on one CPU or GPU, or on many under torchrun.

A run that was stopped, however it was stopped, goes on where it was with --resume auto. Checkpoints go to
TRAIN.SNAPSHOT_DIR, curves and pictures to TRAIN.LOG_DIR; docs/training.md goes from nothing to a scored tracker.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import shlex
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
if not __package__:  # run as a file: the packages lie beside tools/, installed or not
    sys.path.insert(0, str(ROOT))

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

import pysot
from pysot.config import add_config_arguments, cfg_from_args
from pysot.datasets import PairDataset, PairKey
from pysot.datasets.build import build_device_augment, build_pair_loader, labelled_anchors
from pysot.datasets.contact_sheet import contact_sheet
from pysot.datasets.loading import PairLoader
from pysot.engine.build import build_network, build_trainer, estimate_phases, refuse_missing_files
from pysot.engine.distributed import Group, join_group
from pysot.engine.optim import describe_learning_rates
from pysot.engine.pictures import AnswerPictures
from pysot.engine.snapshots import Snapshots, read_training_state
from pysot.engine.train_loop import Trainer, evaluating
from pysot.engine.training_log import TrainingLog, plot_history, refuse_farther_history
from pysot.models import NetworkOutput, SiameseNet
from pysot.runtime import choose_device
from pysot.trackers.postprocess import target_probability
from pysot.trackers.siamrpn import SiamRPNTracker
from pysot.utils import InputError, commit_of
from toolkit.datasets import default_root, load_dataset
from toolkit.errors import ToolkitError
from toolkit.overlap import iou_xywh
from toolkit.sequence import Sequence as Video

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
    given = list(sys.argv[1:] if argv is None else argv)
    args = parse_args(given)
    try:
        cfg = cfg_from_args(args)
        device = choose_device("cpu" if args.device == "auto" and not cfg.CUDA else args.device)
        with join_group(device) as group:
            return train(cfg, args, given, group)
    except (pysot.PysotError, ToolkitError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted between the steps: checkpoints that were saved are complete", file=sys.stderr)
        return 130


def train(cfg: Any, args: argparse.Namespace, given: Sequence[str], group: Group) -> int:
    """Train as the configuration says."""
    say = print if group.is_main else lambda *text: None
    refuse_missing_files(cfg)
    network, loaded = build_network(cfg, group)
    snapshots = Snapshots(Path(cfg.TRAIN.SNAPSHOT_DIR), cfg.TRAIN.KEEP_EVERY)
    trainer = build_trainer(cfg, network, group, snapshots=snapshots)
    pairs = cfg.TRAIN.BATCH_SIZE * cfg.TRAIN.ACCUMULATE * group.size
    data = describe_data(trainer.loader, trainer.steps, pairs)
    for line in [data, *loaded, *trainer.plan.notes]:
        say(line)
    rates = (cfg.TRAIN.BASE_LR, cfg.TRAIN.GRAD_REDUCE, group.size, cfg.TRAIN.BATCH_SIZE * cfg.TRAIN.ACCUMULATE)
    say(describe_learning_rates(trainer.plan, trainer.schedule, *rates))
    for epoch, need in estimate_phases(cfg, trainer.plan).items():
        say(f"memory from epoch {epoch} on: {need}")
    resumed = resume(trainer, args.resume or cfg.TRAIN.RESUME, cfg.TRAIN.START_EPOCH, snapshots, say)
    refuse_farther_history(Path(cfg.TRAIN.LOG_DIR), trainer.epoch, resumed)
    log = None
    if group.is_main:
        log = TrainingLog(Path(cfg.TRAIN.LOG_DIR), trainer.steps, pairs, cfg.TRAIN.PRINT_FREQ, group.device)
        trainer.on_step = log.step
        trainer.on_epoch = judge = Judge(cfg, args.dataset_root, log, trainer)
        snapshots.save_config(cfg.dump())
        log.record(describe_run(cfg, given, group, trainer) | {"data": data} | judge.describe())
        judge.begin()
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
        say(f"trained: {snapshots.folder / 'best.pth'}, curves and pictures in {log.folder}")
        say(f"test it: {closing_command(cfg, args.config, snapshots.folder / 'best.pth')}")
    return 0


def resume(trainer: Trainer, asked: str, start_epoch: int, snapshots: Snapshots, say: Any) -> bool:
    """Go on from a checkpoint if that is asked for and there is one; refuse where another run got farther.

    Returns:
        Whether there was one.
    """
    resume_from = snapshots.latest() if asked == "auto" else Path(asked) if asked else None
    if resume_from is None:
        trainer.epoch = start_epoch
    else:
        trainer.resume(read_training_state(resume_from))
        say(f"resumed: {resume_from}, epoch {trainer.epoch}, step {trainer.step}")
    snapshots.refuse_farther(trainer.epoch, trainer.step)
    return resume_from is not None


def describe_data(loader: PairLoader, steps: int, pairs: int) -> str:
    """Return what the pairs are drawn from, and how many an epoch has."""
    return f"{loader.dataset.sampler.describe()}\nan epoch: {steps:,} steps of {pairs:,} pairs"


def describe_run(cfg: Any, given: Sequence[str], group: Group, trainer: Trainer) -> dict[str, str]:
    """Return what else than the configuration a run depends on."""
    on_gpu = group.device.type == "cuda"
    device = torch.cuda.get_device_name(group.device) if on_gpu else f"{torch.get_num_threads()} threads"
    versions = {"pysot": pysot.__version__, "python": platform.python_version(), "torch": torch.__version__}
    versions |= {"numpy": np.__version__, "opencv": cv2.__version__}
    return {
        "started": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
        "command": launch_command(given, group),
        "place": f"epoch {trainer.epoch}, step {trainer.step}",
        "seed": str(cfg.TRAIN.SEED),
        "processes": f"{group.size} on {group.device.type} ({device})",
        "versions": ", ".join(f"{name} {version}" for name, version in versions.items()),
        "commit": commit_of(ROOT) or "unknown",
    }


def launch_command(given: Sequence[str], group: Group) -> str:
    """Return the line that started all processes, as far as they are told."""
    installed = sys.argv[0] == "pysot train"
    if "TORCHELASTIC_RUN_ID" in os.environ:
        each = os.environ["LOCAL_WORLD_SIZE"]
        machines = ["--nnodes", os.environ["GROUP_WORLD_SIZE"]] if int(each) < group.size else []
        program = ["-m", "pysot", "train"] if installed else ["tools/train.py"]
        return shlex.join(["torchrun", *machines, "--nproc-per-node", each, *program, *given])
    line = shlex.join([*(["pysot", "train"] if installed else ["python", "tools/train.py"]), *given])
    return line if group.size == 1 else f"WORLD_SIZE={group.size} {line}"


def closing_command(cfg: Any, config: str | None, snapshot: Path) -> str:
    """Return the line that tests the result, with all settings that were given on the command line."""
    path = Path(config or cfg.META_ARC)
    name = path.resolve().parent.name if path.stem == "config" else path.stem
    words = ["--cfg", str(snapshot.with_name("config.yaml")), "--snapshot", str(snapshot), "--dataset", "Builtin"]
    return shlex.join(["python", "tools/test.py", *words, "--tracker-name", f"{name}_{snapshot.stem}"])


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


class Clip(NamedTuple):
    """What a tracker is judged by: some frames of a sequence that begin where the target is seen.

    Attributes:
        sequence: All of it.
        first: Its frame that the tracker is started on.
        truth: (N, 4) x, y, w, h from there on, NaN where the target is absent.
    """

    sequence: Video
    first: int
    truth: NDArray[np.float64]

    def overlap(self, tracker: pysot.trackers.Tracker[Any]) -> float:
        """Return the mean overlap in the frames behind the first that show the target."""
        tracker.init(self.sequence.frame(self.first), self.truth[0])
        frames = range(self.first + 1, self.first + len(self.truth))
        found = np.asarray([tracker.track(self.sequence.frame(frame)).bbox for frame in frames])
        seen = np.isfinite(self.truth[1:]).all(axis=1)
        return float(iou_xywh(found[seen], self.truth[1:][seen]).mean())


def find_clips(name: str, dataset_root: Path, sequences: int, frames: int) -> list[Clip]:
    """Return the clips of a benchmark's first sequences.

    Raises:
        InputError: None of them shows its target twice.
        ToolkitError: The benchmark is unknown or not there, or an image is missing.
    """
    clips = []
    for sequence in list(load_dataset(name, dataset_root).sequences)[:sequences]:
        truth = sequence.ground_truth.enclosing_xywh()
        seen = np.flatnonzero(np.isfinite(truth).all(axis=1))
        if len(seen) and (seen[1:] < seen[0] + frames).any():
            first = int(seen[0])
            clips.append(Clip(sequence, first, truth[first : first + frames]))
            for frame in (first, first + len(clips[-1].truth) - 1):  # missing images are found before the training
                sequence.frame(frame)
    if not clips:
        raise InputError(
            f"TRAIN.VALIDATE_ON {name}: in the first {frames} frames (TRAIN.VALIDATE_FRAMES) of none of the first "
            f"{sequences} sequences (TRAIN.VALIDATE_SEQUENCES) it is known where the target is, but for the first "
            f"frame; name another benchmark"
        )
    return clips


class Judge:
    """Scores a network after an epoch: the loss on held-out pairs, a short run as a tracker; and draws its answers."""

    def __init__(self, cfg: Any, dataset_root: Path | None, log: TrainingLog, trainer: Trainer) -> None:
        self.cfg = cfg
        self.log = log
        self.trainer = trainer
        self.clips: list[Clip] = []
        self.pairs: PairLoader | None = None
        train = cfg.TRAIN
        if train.VALIDATE_NAMES:
            names, count = train.VALIDATE_NAMES, train.VALIDATE_PAIRS
            self.pairs = build_pair_loader(cfg, train.SEED + 1, names=names, pairs_per_epoch=count, every_pair=True)
        if train.VALIDATE_ON:
            root = dataset_root or default_root()
            self.clips = find_clips(train.VALIDATE_ON, root, train.VALIDATE_SEQUENCES, train.VALIDATE_FRAMES)
        self.pictures: AnswerPictures | None = None

    def describe(self) -> dict[str, str]:
        """Return what the judgement is on."""
        found = {}
        if self.pairs is not None:
            found["held out"] = f"{self.pairs.dataset.sampler.describe()}\n{len(self.pairs.dataset):,} pairs"
        if self.clips:
            frames = sum(len(clip.truth) for clip in self.clips)
            found["tracked"] = f"{self.cfg.TRAIN.VALIDATE_ON}: {len(self.clips)} sequences, {frames} frames"
        return found

    def begin(self) -> None:
        """Draw the first training pairs, and what the network answers before it is trained on."""
        count, stride = self.cfg.TRAIN.LOG_IMAGES, self.cfg.ANCHOR.STRIDE
        if not count:
            return
        batch, order = self._first_pairs(self.trainer.loader.dataset, count), self.cfg.INPUT.COLOR
        sheet = contact_sheet(batch, stride, labelled_anchors(self.cfg), order=order)
        self.log.picture("pairs", sheet, self.trainer.epoch)
        if self.pairs is not None:
            batch = self._first_pairs(self.pairs.dataset, count)
        network, device = self.trainer.judged, self.trainer.group.device
        tracker = pysot.build_tracker(self.cfg, network, device)
        propose = None
        if isinstance(tracker, SiamRPNTracker):
            code = tracker.grid(self.cfg.TRAIN.SEARCH_SIZE).code

            def propose(output: NetworkOutput) -> tuple[torch.Tensor, torch.Tensor]:
                boxes = code.decode(output.loc)  # type: ignore[arg-type]  # every head of these trackers has one
                return boxes, target_probability(output.cls, *output.quality)

        mask = self.trainer.criterion.mask
        self.pictures = AnswerPictures(batch, device, stride, propose=propose, mask=mask, order=order)
        if self.trainer.step == 0:  # within an epoch, it is no longer the network of the epoch's start
            with evaluating(network):
                self.log.picture("answers", self.pictures(network), self.trainer.epoch)

    def _first_pairs(self, dataset: PairDataset, count: int) -> dict[str, Any]:
        """Return the first pairs of all; asking for them changes nothing for the training."""
        batch = dataset.__getitems__([PairKey(0, number) for number in range(count)])
        return build_device_augment(self.cfg)(batch) if self.cfg.DATASET.DEVICE_AUGMENT else batch

    def __call__(self, epoch: int, network: SiameseNet) -> float | None:
        """Write the epoch's row and return the score: the mean overlap of the tracker, or minus the loss."""
        validation: dict[str, float] = {}
        if self.pairs is not None:
            found = [
                (self.trainer.losses_of(network, batch)["total"], len(batch["template"]))
                for batch in self.pairs.epoch(0)
            ]
            losses, pairs = zip(*found, strict=True)
            validation["validation_loss"] = float(np.average(losses, weights=pairs))
        if self.clips:
            tracker = pysot.build_tracker(self.cfg, network, self.trainer.group.device)
            validation["validation_overlap"] = float(np.mean([clip.overlap(tracker) for clip in self.clips]))
        if self.pictures is not None:
            self.log.picture("answers", self.pictures(network), epoch + 1)
        self.log.epoch(epoch, self.trainer.last_lr, self.trainer.totals, validation)
        if "validation_overlap" in validation:
            return validation["validation_overlap"]
        return -validation["validation_loss"] if validation else None


if __name__ == "__main__":
    torch.multiprocessing.freeze_support()
    sys.exit(main())
