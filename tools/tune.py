"""Search a tracker's inference settings on a benchmark: penalty, learning rate, window, search size.

Part of the sequences tune, the rest is held back; at the end the best setting and the configuration's own are scored
on both. Trials lie in a database: a search that was stopped, however it was stopped, goes on where it was, and the
same command started several times shares the work. Needs Optuna: pip install "pysot[tune]".
"""

from __future__ import annotations

import argparse
import functools
import json
import shlex
import sys
import time
from collections.abc import Callable, Mapping
from collections.abc import Sequence as Series
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parents[1]
if not __package__:  # run as a file: the packages lie beside tools/, installed or not
    sys.path.insert(0, str(ROOT))

from tqdm import tqdm

import pysot
from pysot.config import add_config_arguments, load_cfg
from pysot.config.cli import at_least_one, split_overrides
from pysot.config.tuning import changed_yaml, choose_ranges, value_at
from pysot.run_record import choose_device, find_model, reseed, versions
from pysot.utils import ConfigError, InputError, PysotError, commit_of
from toolkit import launch
from toolkit.datasets import default_root, load_dataset
from toolkit.errors import ToolkitError
from toolkit.protocols import Tracker
from toolkit.results import write_atomic
from toolkit.run_folder import RunFolder
from toolkit.runner import Task, Watcher, narrowed, run
from toolkit.tables import LABELS, LOWER_IS_BETTER
from toolkit.tuning import report
from toolkit.tuning.progress import Bar
from toolkit.tuning.scoring import Scorer, find_metric
from toolkit.tuning.split import choose_split

if TYPE_CHECKING:
    from toolkit.tuning.study import Search

DEFAULT_DATASET = "Builtin"
DEFAULT_SETTING = "default"
USER_ERRORS = (ToolkitError, PysotError, OSError)
EXAMPLES = """
examples:
  python tools/tune.py --dataset OTB100 --trials 200 --workers 4
      the default model, four processes; results in tuning/OTB100_siamrpn_nano/
  python tools/tune.py --dataset VOT2018 --cfg siamrpn_r50 --snapshot snapshot/best.pth
      a checkpoint of yours, for EAO
  python tools/tune.py --dataset LaSOT --study postgresql+psycopg://tuner@db.lab/studies
      on as many machines as you start it on
  python tools/tune.py --dataset OTB100 --range TRACK.LR 0.2 0.6 --range TRACK.CONTEXT_AMOUNT 0.3 0.7 0.05
      another range, and another key in steps of 0.05
  python tools/tune.py --dataset UAV123 --split split.json --metric precision --fix TRACK.INSTANCE_SIZE
      a split of your own, for precision, with the search size as it is
"""


def parse_args(argv: Series[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--dataset",
        default=DEFAULT_DATASET,
        metavar="NAME",
        help=f"benchmark, or a folder (default: {DEFAULT_DATASET})",
    )
    parser.add_argument(
        "--dataset-root", type=Path, metavar="DIR", help="folder with the benchmarks (default: testing_dataset)"
    )
    parser.add_argument(
        "--split",
        default="0.5",
        metavar="SHARE_OR_FILE",
        help="share of the sequences that tune, or a JSON file with the lists 'tuning' and 'testing' (default: 0.5)",
    )
    parser.add_argument("--split-seed", type=int, default=0, metavar="N", help="another split (default: 0)")
    parser.add_argument(
        "--metric", metavar="NAME", help="what to tune for (default: the benchmark's: AUC, EAO, F or AO)"
    )
    parser.add_argument("--trials", type=at_least_one, default=100, metavar="N", help="in all (default: 100)")
    parser.add_argument("--timeout", type=float, metavar="S", help="seconds after which no trial is begun")
    parser.add_argument(
        "--range",
        nargs="+",
        action="append",
        default=[],
        metavar=("KEY", "LOW HIGH [STEP]"),
        help="search a key over these values; may be repeated (default: see docs/tuning.md)",
    )
    parser.add_argument("--fix", action="append", default=[], metavar="KEY", help="do not search this key")
    parser.add_argument("--study", metavar="FILE_OR_URL", help="database of the trials (default: study.db in --output)")
    parser.add_argument("--study-name", metavar="NAME", help="of the study (default: benchmark and model)")
    parser.add_argument("--output", type=Path, metavar="DIR", help="where to (default: tuning/<study name>)")
    parser.add_argument("--snapshot", metavar="FILE", help="checkpoint (default: the public one of the configuration)")
    parser.add_argument("--workers", type=at_least_one, default=1, metavar="N", help="processes (default: 1)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, ... (default: auto)")
    parser.add_argument(
        "--runtime", choices=["eager", "fused", "bf16"], help="exact, faster, or fastest (default: TRACK.RUNTIME)"
    )
    parser.add_argument("--seed", type=seed, default=0, help="of the search and of each sequence (default: 0)")
    add_config_arguments(parser)
    args = parser.parse_args(argv)
    for number, words in enumerate(args.range):
        values, overrides = split_overrides(words[1:])
        args.range[number] = [words[0], *values]
        args.opts += overrides
    args.opts += ["TRACK.RUNTIME", args.runtime] if args.runtime else []
    if args.workers > 1 and launch.world_size() > 1 and not launch.is_worker():
        parser.error("--workers starts processes, and so does torchrun: use one of them")
    return args


def seed(text: str) -> int:
    """Read a seed that every source of random numbers takes."""
    number = int(text)
    if not 0 <= number < 2**32:
        raise argparse.ArgumentTypeError(f"expected 0 to {2**32 - 1}, got {number}")
    return number


def main(argv: Series[str] | None = None) -> int:
    """Search; return 0, or 2 after a mistake in what was given."""
    given = list(sys.argv[1:] if argv is None else argv)
    args = parse_args(given)
    try:
        return tune(args, given)
    except USER_ERRORS as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        if not launch.is_worker():
            print("interrupted: the same command goes on from here", file=sys.stderr)
        return 130


def tune(args: argparse.Namespace, argv: list[str]) -> int:
    """Search, score what was found, write it down; return the exit code."""
    if launch.is_worker():
        launch.end_with_parent()
    began = time.monotonic()
    job = Job(args)
    speaks = launch.rank() == 0 and not launch.is_worker()
    if speaks:
        job.announce()
    if args.workers > 1 and not launch.is_worker():
        program = ["-m", "pysot", "tune"] if __package__ == "pysot.tools" else [str(Path(__file__).resolve())]
        codes = launch.launch_workers([sys.executable, *program, *argv], args.workers)
        for number, code in enumerate(codes):
            if code != 0:
                print(f"worker {number} ended with {code}", file=sys.stderr)
        if 2 in codes or 130 in codes:
            return max(codes)
    left = None if args.timeout is None else args.timeout - (time.monotonic() - began)
    hidden = launch.rank() != 0 or (speaks and args.workers > 1)
    with Bar(job.search, args.trials, hidden=hidden) as tick:
        job.search.work(job.objective, args.trials, timeout=left, tick=tick)
    job.score_found(hidden=hidden)
    if speaks:
        job.conclude(argv)
    return 0


class Job:
    """One search: what the arguments mean.

    Args:
        args: of :func:`parse_args`.

    Raises:
        InputError: Optuna is missing, or arguments that cannot be used.
        ConfigError: A faulty configuration or range.
        ToolkitError: An unknown benchmark or metric, a faulty split, or a study of something else.
    """

    def __init__(self, args: argparse.Namespace) -> None:
        try:
            from toolkit.tuning import study
        except ModuleNotFoundError as error:
            raise InputError(f'tuning needs {error.name}: pip install "pysot[tune]", or pip install optuna') from None
        self.args = args
        self.unusable = study.UnusableSettings
        self.dataset = load_dataset(args.dataset, args.dataset_root or default_root())
        self.metric = find_metric(self.dataset.benchmark, args.metric)
        self.split = choose_split(args.split, self.dataset.sequences, args.split_seed)
        self.model = find_model(args.config, args.snapshot, args.opts)
        self.ranges = choose_ranges(self.model.config, args.opts, args.range, args.fix)
        name = "cpu" if args.device == "auto" and not self.model.cfg.CUDA else args.device
        self.device, self.device_note = choose_device(name, launch.local_rank())
        self.name = args.study_name or f"{self.dataset.benchmark.name}_{self.model.name}"
        if not args.output and (Path(self.name).name != self.name or self.name.startswith(".")):
            raise InputError(f"--study-name {self.name}: expected a name for a folder, or --output DIR beside it")
        self.folder = args.output or Path("tuning") / self.name
        self.url = study.database_url(args.study or self.folder / "study.db")
        self.shown_url = study.without_password
        self.defaults = {key: value_at(self.model.cfg, key) for key in self.ranges}
        self.identity = self._identity()
        self._network = self._read_network()  # a checkpoint that cannot be used leaves no study behind
        self.search: Search = study.Search(
            self.url,
            self.name,
            self.folder,
            [study.Range(key, *found) for key, found in self.ranges.items()],
            self.defaults,
            self.identity,
            maximize=self.metric not in LOWER_IS_BETTER,
            sequences=len(self.split.tuning),
            seed=args.seed,
        )
        # Results of another checkpoint, from an earlier study: said before hours of trials, not after.
        self._task(DEFAULT_SETTING, self.defaults).folder.replaces()
        write_atomic(self.folder / "split.json", self.split.to_json())

    def announce(self) -> None:
        """Say what is searched on what."""
        if self.dataset.shortfall:
            print(f"note: {self.dataset.shortfall}", file=sys.stderr)
        others = len(self.dataset.sequences) - len(self.split.sides())
        print(f"{self.folder}: {LABELS[self.metric]} of {self.model.name} on {self.dataset.benchmark.name}")
        print("\n".join(report.split_lines(self.split, others)))
        for key, (low, high, step) in self.ranges.items():
            print(f"{key} {self.defaults[key]}: {low} to {high}{'' if step is None else f' in steps of {step}'}")
        print(f"trials: {len(self.search.finished())} of {self.args.trials} done", flush=True)

    def objective(self, values: Mapping[str, int | float], tell: Callable[[float], None]) -> float:
        """Score settings on the tuning sequences."""
        try:
            tracker = self.tracker(values)
        except ConfigError as error:
            raise self.unusable(str(error)) from error
        return self._scorer(tracker, tell)

    def tracker(self, values: Mapping[str, int | float]) -> Tracker:
        """Return the tracker with these settings; the network is read once, and copied."""
        return pysot.build_tracker(self._cfg(values), self._network, self.device)

    def score_found(self, *, hidden: bool) -> None:
        """Run the best setting and the configuration's own on all sequences; other processes share the work.

        Args:
            hidden: draw no bar: another process speaks for this one.
        """
        for name, values in self._settings().items():
            task = self._task(name, values)
            task.folder.open(task.protocol, self.split.sides())
            left = len(task.unfinished())

            def advance(task: Task = task, left: int = left) -> None:
                bar.update(left - len(task.unfinished()) - bar.n)  # whoever did it

            with tqdm(total=left, desc=name, unit="sequence", disable=hidden or not left, dynamic_ncols=True) as bar:
                outcome = run(
                    task,
                    functools.cache(partial(self.tracker, values)),
                    partial(reseed, self.args.seed),
                    USER_ERRORS,
                    Watcher(finished=lambda sequence, runs: advance()),
                )
                advance()
            for sequence, reason in outcome.failures.items():
                raise InputError(f"{self.dataset.benchmark.name} {sequence}: {reason}")
            task.folder.tidy(task.protocol, self.split.sides(), task.repetitions)

    def conclude(self, argv: list[str]) -> None:
        """Compare, write everything, and say where it is."""
        from toolkit.tuning.picture import write_picture

        parts = {
            "tuning": narrowed(self.dataset, self.split.tuning),
            "testing": narrowed(self.dataset, self.split.testing),
        }
        best, tuned = self._best(), list(self._settings())[-1]
        comparison = report.compare(parts, self.folder / "results", DEFAULT_SETTING, tuned, self.metric)
        rows = self.search.rows()
        importances = self.search.importances()
        write_atomic(self.folder / "trials.csv", report.trials_csv(rows))
        write_atomic(self.folder / "best.yaml", self._best_yaml(best, comparison))
        write_atomic(self.folder / "result.json", self._record(argv, best, tuned, comparison, importances))
        write_picture(
            self.folder / "tuning.png",
            rows,
            list(self.ranges),
            importances,
            title=f"{self.model.name} on {self.dataset.benchmark.name}, {len(self.split.tuning)} tuning sequences",
            label=LABELS[self.metric],
            maximize=self.metric not in LOWER_IS_BETTER,
        )
        counts = ", ".join(f"{count} {state}" for state, count in self.search.counts().items())
        print(f"trials: {counts}; the best is {tuned.replace('_', ' ')}")
        for key, value in best.items():
            print(f"  {key} {value:.6g} (was {self.defaults[key]:.6g})")
        print("\n".join(report.lines(comparison, self.metric)))
        print(report.verdict(comparison))
        print(f"in {self.folder}: best.yaml, result.json, trials.csv, tuning.png, split.json")
        print(f"to test it: {self._test_command()}")

    def _read_network(self) -> Any:
        reseed(self.args.seed, 0)
        loaded = pysot.load_tracker(cfg=self.model.cfg, snapshot=self.model.snapshot, device="cpu", runtime="eager")
        return loaded.executor.network

    @functools.cached_property
    def _scorer(self) -> Scorer:
        by_name = {sequence.name: sequence for sequence in self.dataset.sequences}
        ordered = replace(self.dataset, sequences=[by_name[name] for name in self.split.tuning])
        return Scorer(ordered, self.metric, partial(reseed, self.args.seed))

    def _cfg(self, values: Mapping[str, int | float]) -> Any:
        words = [word for item in values.items() for word in item]
        return load_cfg(self.model.config, [*self.args.opts, *words])

    def _identity(self) -> dict[str, Any]:
        """Return what scores depend on: studies of anything else do not go together."""
        return {
            "dataset": self.dataset.benchmark.name,
            **self.split.identity(self.dataset.sequences),
            "metric": self.metric,
            "ranges": {key: list(found) for key, found in self.ranges.items()},
            "seed": self.args.seed,
            **self.model.settings(),
        }

    def _best(self) -> dict[str, int | float]:
        best = self.search.best()
        if best is None:
            raise InputError(f"no trial of {self.name} is complete; give it more --trials or a longer --timeout")
        return {key: best.params[key] for key in self.ranges}

    def _settings(self) -> dict[str, dict[str, int | float]]:
        """Return the settings to compare by the names of their results: the configuration's own, then the best."""
        values = self._best()
        best = self.search.best()
        name = DEFAULT_SETTING if best is None or values == self.defaults else f"trial_{best.number}"
        return {DEFAULT_SETTING: self.defaults, name: values}

    def _task(self, name: str, values: Mapping[str, int | float]) -> Task:
        benchmark = self.dataset.benchmark
        used = [*self.split.tuning, *self.split.testing]
        settings = replace(self.model, cfg=self._cfg(values)).settings() | {"seed": self.args.seed}
        about = {"dataset": benchmark.name, "tracker": name, "versions": versions(), "commit": commit_of(ROOT)}
        results = self.folder / "results" / benchmark.name / name
        about |= {"checkpoint": self.model.snapshot.name} | self.device_note
        folder = RunFolder(results, settings, about, advice="give another --output, or remove them")
        return Task(narrowed(self.dataset, used), benchmark.protocol, folder, 1, launch.launch_name())

    def _best_yaml(self, best: Mapping[str, int | float], comparison: report.Comparison) -> str:
        scores = [f"{part['score']['tuned']:.4f} on {name}" for name, part in comparison.items()]
        head = [
            f"# {self.model.name}, tuned on {len(self.split.tuning)} sequences of {self.dataset.benchmark.name}.",
            f"# {LABELS[self.metric]}: {', '.join(scores)} sequences; see result.json beside it.",
            f"#   {self._test_command()}",
        ]
        return "\n".join(head) + "\n\n" + changed_yaml(self.model.config, self.args.opts, best)

    def _record(
        self,
        argv: list[str],
        best: Mapping[str, int | float],
        tuned: str,
        comparison: report.Comparison,
        importances: Mapping[str, float],
    ) -> str:
        """Return all there is to know of the search, as JSON."""
        given = self.args.study or ""
        words = [word.replace(given, self.shown_url(given)) if "://" in given else word for word in argv]
        record = {
            "benchmark": self.dataset.benchmark.name,
            "model": self.model.name,
            "checkpoint": self.model.snapshot.name,
            "metric": self.metric,
            "default": self.defaults,
            "tuned": best,
            "tuned_results": tuned,
            "scores": comparison,
            "verdict": report.verdict(comparison),
            "importances": dict(importances),
            "trials": self.search.counts(),
            "study": {"url": self.shown_url(self.url), "name": self.name},
            "split": {"tuning": self.split.tuning, "testing": self.split.testing},
            "identity": {key: value for key, value in self.identity.items() if key != "split"},
            "command": shlex.join(["tools/tune.py", *words]),
            "versions": versions() | {"optuna": self.search.version},
            "commit": commit_of(ROOT),
            **self.device_note,
        }
        return json.dumps(record, indent=1) + "\n"

    def _test_command(self) -> str:
        """Return the command that tests the result as any other configuration."""
        words = ["--dataset", self.args.dataset]
        words += ["--dataset-root", str(self.args.dataset_root)] if self.args.dataset_root else []
        words += ["--cfg", str(self.folder / "best.yaml"), "--snapshot", str(self.model.snapshot)]
        words += ["--tracker-name", f"{self.model.name}_tuned"]
        words += ["--seed", str(self.args.seed)] if self.args.seed else []
        return f"python tools/test.py {shlex.join(words)}"


if __name__ == "__main__":
    sys.exit(main())
