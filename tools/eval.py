"""Score result files on benchmarks: tables in the terminal, and a report.

With no arguments: everything under results/. Needs annotations, no images, and neither PyTorch nor a GPU.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
if not __package__:  # run as a file: the packages lie beside tools/, installed or not
    sys.path.insert(0, str(ROOT))

from toolkit.benchmarks import Family
from toolkit.conventions import Conventions, conventions_from
from toolkit.datasets import Dataset, default_root, load_dataset
from toolkit.errors import ResultError, ToolkitError
from toolkit.evaluate import Evaluation, evaluate, scores_json, tracker_names, write_scores
from toolkit.run_folder import asked_videos
from toolkit.runner import narrowed
from toolkit.tables import (
    LABELS,
    PER_SEQUENCE,
    attribute_table,
    overall_table,
    ranking_lines,
    sequence_table,
    to_text,
)

EXAMPLES = """
examples:
  python tools/eval.py
      every tracker on every benchmark under results/
  python tools/eval.py --dataset VOT2018 --trackers siammask_r50_l3 siamrpn_r50 --report report/
      two trackers on one benchmark; report/index.html has the plots
  python tools/eval.py --dataset OTB100 --video Couple Jumping --per-sequence
      two sequences
  python tools/eval.py --dataset LaSOT --convention absent=counted
      another way to count, see docs/evaluation.md
  python tools/eval.py --dataset VOT2018 --json | jq .VOT2018
      numbers for a program, unrounded

Exit status: 0 all is scored, 1 some of it could not be, 2 none of it, or the command is wrong.
"""


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    many: dict[str, Any] = {"nargs": "+", "action": "extend", "default": [], "metavar": "NAME"}
    parser.add_argument("--dataset", **many, help="benchmarks (default: all that there are results on)")
    parser.add_argument("--trackers", **many, help="trackers (default: all that there are results of)")
    parser.add_argument("--video", **many, help="only these sequences")
    parser.add_argument(
        "--results",
        type=Path,
        default=Path("results"),
        metavar="DIR",
        help="folder with <benchmark>/<tracker>/ (default: results)",
    )
    parser.add_argument(
        "--dataset-root", type=Path, metavar="DIR", help="folder with the benchmarks (default: testing_dataset)"
    )
    parser.add_argument(
        "--protocol",
        choices=["supervised", "realtime", "unsupervised"],
        help="which of a VOT benchmark's results (default: supervised)",
    )
    parser.add_argument(
        "--convention",
        nargs="+",
        action="extend",
        default=[],
        metavar="SWITCH=SETTING",
        help="where the published tables and the benchmarks' toolkits differ: invalid, absent, first_box, vot_bounds, "
        "empty_tag; see docs/evaluation.md (default: as published)",
    )
    parser.add_argument("--per-sequence", action="store_true", help="also show each sequence")
    parser.add_argument("--per-attribute", action="store_true", help="also show each attribute")
    parser.add_argument("--report", type=Path, metavar="DIR", help="write index.html, plots, tables and scores.json")
    parser.add_argument(
        "--json",
        nargs="?",
        const="-",
        metavar="FILE",
        help="write the numbers as JSON; without a file print them instead of the tables",
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Score; return 0, 1 if something could not be scored, 2 if nothing could."""
    args = parse_args(argv)
    try:
        return run(args)
    except (ToolkitError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted: the same command begins anew", file=sys.stderr)
        return 130


def run(args: argparse.Namespace) -> int:
    """Score all benchmarks; return the exit code."""
    conventions = conventions_from(args.convention)
    evaluations, complete = [], True
    for name in args.dataset or benchmarks_with_results(args.results):
        try:
            evaluation = evaluate_benchmark(name, args, conventions)
        except ToolkitError as error:
            print(f"error: {error}", file=sys.stderr)
            complete = False
            continue
        if evaluation is None:
            continue
        for failure in evaluation.failures.values():
            print(f"error: {failure}", file=sys.stderr)
            complete = False
        evaluations.append(evaluation)
        if args.json != "-":
            show(evaluation, args)
    if args.json == "-":
        print(scores_json(evaluations), end="")
    elif args.json:
        write_scores(Path(args.json), evaluations)
    if args.report:
        try:
            from toolkit.report import write_report
        except ModuleNotFoundError as error:
            raise ToolkitError(f"--report needs {error.name}: pip install {error.name}; tables do not") from error
        print(f"report: {write_report(args.report, evaluations, args.results)}", file=sys.stderr)
    if complete:
        return 0
    return 1 if any(evaluation.scores for evaluation in evaluations) else 2


def benchmarks_with_results(results: Path) -> list[str]:
    """Return the benchmarks that any tracker has results on.

    Raises:
        ResultError: there are none.
    """
    found = [name for name in tracker_names(results) if tracker_names(results / name)]
    if not found:
        raise ResultError(
            f"no results in {results}: expected {results}/<benchmark>/<tracker>/; run tools/test.py first"
        )
    return found


def evaluate_benchmark(name: str, args: argparse.Namespace, conventions: Conventions) -> Evaluation | None:
    """Score the trackers on one benchmark; None if that is left to its server and it was not asked for."""
    dataset = load_dataset(name, args.dataset_root or default_root())
    if dataset.benchmark.withheld and not args.dataset:
        print(f"note: {name}: its server scores it; tools/test.py has made the archive to submit", file=sys.stderr)
        return None
    if args.protocol and dataset.benchmark.family == "supervised":
        family: Family = "unsupervised" if args.protocol == "unsupervised" else "supervised"
        dataset = replace(dataset, benchmark=replace(dataset.benchmark, protocol=args.protocol, family=family))
    if dataset.shortfall:
        print(f"note: {dataset.shortfall}", file=sys.stderr)
    trackers = args.trackers or tracker_names(args.results / dataset.benchmark.name)
    dataset, left_out = common_ground(dataset, args.results, trackers, args.video)
    scored = [tracker for tracker in trackers if tracker not in left_out]
    evaluation = evaluate(dataset, args.results, scored, conventions)
    evaluation.failures.update(left_out)
    return evaluation


def common_ground(
    dataset: Dataset, results: Path, trackers: Sequence[str], videos: Sequence[str]
) -> tuple[Dataset, dict[str, ToolkitError]]:
    """Return the sequences to score on, and the trackers that were run on fewer.

    A run that was limited to some sequences says so in its run.json. It can be compared with others that were, or on
    sequences that are asked for, but not with runs on all.
    """
    if videos:
        return narrowed(dataset, videos), {}
    everything = frozenset(sequence.name for sequence in dataset.sequences)
    folder = results / dataset.benchmark.name
    ran = {name: asked_videos(folder / name, dataset.benchmark.protocol) or everything for name in trackers}
    scope = max(ran.values(), key=len, default=everything)
    if scope < everything:
        missing = sorted(everything - scope)
        print(
            f"note: {dataset.benchmark.name}: run on {len(scope)} of {len(everything)} sequences and scored on these; "
            f"{missing[0]}{f' and {len(missing) - 1} more are' if missing[1:] else ' is'} missing",
            file=sys.stderr,
        )
        dataset = narrowed(dataset, sorted(scope))
    left_out: dict[str, ToolkitError] = {
        name: ResultError(
            f"{folder / name}: run on {len(ran[name])} sequences only, others on {len(scope)}; "
            f"score it with --trackers {name}, or all with --video {' '.join(sorted(ran[name])[:3])} ..."
        )
        for name in trackers
        if not ran[name] >= scope
    }
    return dataset, left_out


def show(evaluation: Evaluation, args: argparse.Namespace) -> None:
    """Print the tables of one benchmark."""
    if not evaluation.scores:
        return
    benchmark = evaluation.dataset.benchmark
    tables = [overall_table(evaluation)]
    if args.per_attribute and evaluation.ranked()[0].attributes:
        tables.append(attribute_table(evaluation, benchmark.leading_metric))
    if args.per_sequence:
        tables.append(sequence_table(evaluation, PER_SEQUENCE[benchmark.family]))
    print("\n\n".join(map(to_text, tables)))
    print(f"\n{LABELS[benchmark.leading_metric]}, intervals by drawing sequences with replacement:")
    print("".join(f"  {line}\n" for line in ranking_lines(evaluation)))


if __name__ == "__main__":
    sys.exit(main())
