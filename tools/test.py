"""Run a tracker on benchmarks and write its result files.

With no arguments: the default model on the small built-in benchmark. Sequences that have results are skipped, so a
run that was stopped, however it was stopped, goes on where it was. Score the results with tools/eval.py.
"""

from __future__ import annotations

import argparse
import functools
import importlib
import os
import shlex
import sys
from collections.abc import Callable
from collections.abc import Sequence as Series
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

ROOT = Path(__file__).resolve().parents[1]
if not __package__:  # run as a file: the packages lie beside tools/, installed or not
    sys.path.insert(0, str(ROOT))

import pysot
from pysot.config import add_config_arguments
from pysot.config.cli import at_least_one, split_overrides
from pysot.run_record import choose_device, find_model, reseed, sha256, versions
from pysot.utils import InputError, PysotError, commit_of
from toolkit import launch, protocols
from toolkit.datasets import Dataset, default_root, load_dataset
from toolkit.errors import ToolkitError
from toolkit.results import LAYOUTS, read_regions
from toolkit.run_folder import RunFolder, ask_record
from toolkit.runner import Outcome, Task, Watcher, narrowed, run
from toolkit.sequence import Sequence
from toolkit.submission import write_submission
from toolkit.video import write_video

DEFAULT_DATASET = "Builtin"
USER_ERRORS = (ToolkitError, PysotError, OSError)
EXAMPLES = """
examples:
  python tools/test.py
      the default model on the built-in benchmark
  python tools/test.py --dataset VOT2018 OTB100
      two benchmarks, from testing_dataset/
  python tools/test.py --dataset OTB100 --video Couple Jumping --vis
      two sequences, and a video of each
  python tools/test.py --dataset VOT2018 --cfg siamrpn_r50 --snapshot snapshot/checkpoint_e19.pth --workers 4
      a checkpoint of yours, four processes
  torchrun --nproc-per-node 8 tools/test.py --dataset LaSOT
      one process per GPU
  python tools/test.py --dataset VOT2018 --tracker-name low_lr TRACK.LR 0.2
      another setting, under a name of its own
  python tools/test.py --dataset VOT2018 --protocol realtime --tracker my_tracker:build
      the function build() in my_tracker.py of this folder returns an object with init(frame, box) and track(frame)
"""


def parse_args(argv: Series[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--dataset",
        nargs="+",
        action="extend",
        metavar="NAME",
        help=f"benchmarks, or folders of your own sequences in the OTB layout (default: {DEFAULT_DATASET})",
    )
    parser.add_argument(
        "--dataset-root", type=Path, metavar="DIR", help="folder with the benchmarks (default: testing_dataset)"
    )
    parser.add_argument(
        "--results", type=Path, default=Path("results"), metavar="DIR", help="where results go (default: results)"
    )
    parser.add_argument("--video", nargs="+", action="extend", metavar="NAME", help="only these sequences")
    parser.add_argument(
        "--protocol",
        choices=list(protocols.PROTOCOLS),
        help="how the tracker is run (default: the benchmark's own; realtime and unsupervised are VOT's others)",
    )
    parser.add_argument(
        "--repetitions", type=at_least_one, metavar="N", help="runs per sequence (default: 3 for GOT-10k, else 1)"
    )
    parser.add_argument("--snapshot", metavar="FILE", help="checkpoint (default: the public one of the configuration)")
    parser.add_argument("--tracker", metavar="MODULE:FACTORY", help="a tracker of your own; the module is executed")
    parser.add_argument("--tracker-name", metavar="NAME", help="name of the results (default: that of the model)")
    parser.add_argument("--overwrite", action="store_true", help="replace results of another configuration")
    parser.add_argument("--vis", action="store_true", help="also write a video per sequence")
    parser.add_argument("--workers", type=at_least_one, default=1, metavar="N", help="processes (default: 1)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, ... (default: auto)")
    parser.add_argument(
        "--runtime", choices=["eager", "fused", "bf16"], help="exact, faster, or fastest (default: TRACK.RUNTIME)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of all random numbers, for each sequence (default: 0)")
    add_config_arguments(parser)
    args = parser.parse_args(argv)
    for name in ("dataset", "video"):
        values, overrides = split_overrides(getattr(args, name) or [])
        setattr(args, name, values)
        args.opts += overrides
    args.opts += ["TRACK.RUNTIME", args.runtime] if args.runtime else []
    args.dataset = args.dataset or [DEFAULT_DATASET]
    if args.tracker and (args.config or args.snapshot or args.opts):
        parser.error("--tracker is a tracker of your own: --cfg, --snapshot, --runtime and KEY VALUE say nothing to it")
    if args.workers > 1 and launch.world_size() > 1 and not launch.is_worker():
        parser.error("--workers starts processes, and so does torchrun: use one of them")
    return args


def main(argv: Series[str] | None = None) -> int:
    """Run; return 0, 1 if a sequence has no result, 2 after a mistake in what was given."""
    given = list(sys.argv[1:] if argv is None else argv)
    args = parse_args(given)
    try:
        return test(args, given)
    except USER_ERRORS as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        if not launch.is_worker():
            print("interrupted: the same command goes on from here", file=sys.stderr)
        return 130


def test(args: argparse.Namespace, argv: list[str]) -> int:
    """Run on all benchmarks; return the exit code."""
    is_worker = launch.is_worker()
    if is_worker:
        launch.end_with_parent()
    datasets = [load(name, args) for name in args.dataset]
    choice = choose_tracker(args)
    tasks = [prepare(dataset, choice, args) for dataset in datasets]
    speaks = launch.rank() == 0 and not is_worker
    starts_workers = args.workers > 1 and not is_worker
    seed = partial(reseed, args.seed)

    @functools.cache
    def tracker() -> protocols.Tracker:
        seed(0)
        return choice.load()

    # What is refused leaves no trace and removes nothing: neither on another benchmark, nor by a tracker that cannot
    # be made.
    replaced = [task.folder.replaces(overwrite=args.overwrite) for task in tasks]
    if not is_worker and (any(replaced) or any(task.unfinished() for task in tasks)):
        (choice.try_out if starts_workers else tracker)()
    for task in tasks:
        if task.folder.open(task.protocol, args.video or None, overwrite=args.overwrite):
            print(f"note: {task.folder.folder}: results of another configuration were removed", file=sys.stderr)
    if starts_workers:
        announce(tasks, args)
        program = ["-m", "pysot", "test"] if __package__ == "pysot.tools" else [str(Path(__file__).resolve())]
        codes = launch.launch_workers([sys.executable, *program, *argv], args.workers)
        for number, code in enumerate(codes):
            if code not in (0, 1):
                print(f"worker {number} ended with {code}", file=sys.stderr)
        outcomes = [left_behind(task) for task in tasks]
    else:
        if speaks:
            announce(tasks, args)
        outcomes = [run(task, tracker, seed, USER_ERRORS, watch(task, args)) for task in tasks]
    if speaks:
        for name, task, outcome in zip(args.dataset, tasks, outcomes, strict=True):
            conclude(name, task, outcome, args)
    return int(any(outcome.failures for outcome in outcomes))


def load(name: str, args: argparse.Namespace) -> Dataset:
    """Return a benchmark with the sequences that were asked for."""
    dataset = load_dataset(name, args.dataset_root or default_root())
    return narrowed(dataset, args.video) if args.video else dataset


# The tracker.


@dataclass(frozen=True)
class Choice:
    """A tracker before it is loaded.

    Attributes:
        name: of its results.
        settings: what results depend on, beside the seed.
        about: what else to note.
        load: makes it.
        try_out: sees whether it can be made, before others do it; the user's own may do anything, and is not made.
    """

    name: str
    settings: dict[str, Any]
    about: dict[str, Any]
    load: Callable[[], protocols.Tracker]
    try_out: Callable[[], object]


def choose_tracker(args: argparse.Namespace) -> Choice:
    """Return the tracker that the arguments describe: a model, or the user's own."""
    if args.tracker:
        return own_tracker(args.tracker)
    model = find_model(args.config, args.snapshot, args.opts)
    name = "cpu" if args.device == "auto" and not model.cfg.CUDA else args.device
    device, about = choose_device(name, launch.local_rank())
    make = partial(pysot.load_tracker, cfg=model.cfg, snapshot=model.snapshot)
    about = {"checkpoint": model.snapshot.name} | about
    return Choice(model.name, model.settings(), about, partial(make, device=device), partial(make, device="cpu"))


def own_tracker(name: str) -> Choice:
    """Return the tracker that a function of the user's makes."""
    module_name, _, factory_name = name.partition(":")
    sys.path.insert(0, os.getcwd())
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not module_name.startswith(error.name):
            raise
        raise InputError(f"--tracker {name}: no module {module_name!r} in this folder or installed") from None
    factory = getattr(module, factory_name, None)
    if not callable(factory):
        raise InputError(f"--tracker {name}: expected MODULE:FACTORY, {module_name} has no function {factory_name!r}")

    def make() -> protocols.Tracker:
        made = factory()
        if not (callable(getattr(made, "init", None)) and callable(getattr(made, "track", None))):
            raise InputError(f"--tracker {name}: expected an object with init and track, got {type(made).__name__}")
        return cast(protocols.Tracker, made)

    settings = {"configuration": {"tracker": name}, "source_sha256": sha256(Path(str(module.__file__)))}
    return Choice(factory_name, settings, {}, make, lambda: None)


# One benchmark.


def prepare(dataset: Dataset, choice: Choice, args: argparse.Namespace) -> Task:
    """Return what is to be run, and where its results go; nothing is written."""
    benchmark = dataset.benchmark
    name = args.tracker_name or choice.name
    if not name or Path(name).name != name or name.startswith("."):
        raise InputError(f"--tracker-name {name}: expected a name for a folder")
    protocol = args.protocol or benchmark.protocol
    about = {"dataset": benchmark.name, "tracker": name, "versions": versions(), "commit": commit_of(ROOT)}
    folder = RunFolder(
        args.results / benchmark.name / name,
        choice.settings | {"seed": args.seed},
        about | choice.about,
        advice="give --tracker-name for a new name, or --overwrite to replace them",
    )
    repetitions = args.repetitions or protocols.PROTOCOLS[protocol].repetitions
    return Task(dataset, protocol, folder, repetitions, launch.launch_name())


def watch(task: Task, args: argparse.Namespace) -> Watcher:
    """Return what prints the progress and writes the videos."""
    total = len(task.dataset.sequences)
    name = task.dataset.benchmark.name

    def finished(sequence: Sequence, runs: list[protocols.Trajectory]) -> None:
        seconds = sum(float(each.seconds[each.tracked].sum()) for each in runs)
        rate = sum(int(each.tracked.sum()) for each in runs) / seconds if seconds > 0 else 0.0
        lost = sum(len(each.failures) for each in runs)
        note = f"  lost {lost}" if lost else ""
        count = f"[{total - len(task.unfinished())}/{total}]"
        speed = f", {rate:.1f} fps" if seconds > 0 else ""
        print(f"{name} {count} {sequence.name}: {len(sequence)} frames{speed}{note}", flush=True)
        if args.vis:
            visualize(task, sequence)

    def took_over(sequence: Sequence, holder: str) -> None:
        print(f"{name} {sequence.name}: begun by {holder}, which died; taken over", file=sys.stderr, flush=True)

    def failed(sequence: Sequence, reason: str) -> None:
        print(f"error: {name} {sequence.name}: {reason}", file=sys.stderr, flush=True)

    return Watcher(finished, took_over, failed)


def visualize(task: Task, sequence: Sequence) -> None:
    """Write the video of a finished sequence if there is none yet."""
    path = task.folder.folder / "videos" / f"{sequence.name}.mp4"
    if not path.exists():
        file = LAYOUTS[task.protocol].regions_path(task.folder.folder, sequence.name)
        write_video(path, sequence, read_regions(file))


def announce(tasks: list[Task], args: argparse.Namespace) -> None:
    """Say what is going to be done."""
    for task in tasks:
        if task.dataset.shortfall and not args.video:
            print(f"note: {task.dataset.shortfall}", file=sys.stderr)
        todo, total = len(task.unfinished()), len(task.dataset.sequences)
        again = f", {total - todo} are done already" if todo < total else ""
        print(f"{task.folder.folder}: {task.protocol}, {total} sequence{'s' if total > 1 else ''}{again}", flush=True)


def conclude(name: str, task: Task, outcome: Outcome, args: argparse.Namespace) -> None:
    """Make what needs all sequences, and say where everything is."""
    names = [sequence.name for sequence in task.dataset.sequences]
    task.folder.tidy(task.protocol, names, task.repetitions)
    folder = task.folder.folder
    for sequence_name, reason in outcome.failures.items():
        print(f"no result: {task.dataset.benchmark.name} {sequence_name}: {reason}", file=sys.stderr)
    if args.vis:
        for sequence in task.dataset.sequences:
            if sequence.name not in outcome.failures:
                visualize(task, sequence)
    fps = ask_record(folder, lambda record: float(record["protocols"][task.protocol]["fps"]))
    speed = f", {fps:.1f} fps" if fps else ""
    done = f"{len(names) - len(outcome.failures)} of {len(names)} sequence{'s' if len(names) > 1 else ''}"
    print(f"{folder}: {done}{speed}")
    if not task.dataset.benchmark.withheld:
        words = ["python", "tools/eval.py", "--dataset", name, "--results", str(args.results)]
        words += ["--dataset-root", str(args.dataset_root)] if args.dataset_root else []
        words += ["--trackers", folder.name] if args.video else []  # it may not be compared with those run on all
        print(f"to score it: {shlex.join(words)}")
    elif not outcome.failures and not args.video:
        print(f"to submit: {write_submission(task.dataset, folder, task.repetitions)}")


def left_behind(task: Task) -> Outcome:
    """Return what the workers could not do, and why."""
    outcome = Outcome()
    for sequence in task.unfinished():
        claim = task.folder.claim(task.protocol, sequence.name, task.launch)
        if claim is None:
            outcome.failures[sequence.name] = "another process is working on it"
        elif isinstance(claim, str):
            outcome.failures[sequence.name] = claim
        else:
            claim.done()
            outcome.failures[sequence.name] = f"{claim.died or 'no process'} got to its end; run again"
    return outcome


if __name__ == "__main__":
    sys.exit(main())
