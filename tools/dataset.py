"""Check, convert and list benchmarks and datasets of your own.

list shows what is installed. verify reads every annotation and decodes every image of a dataset, says what is missing,
broken or does not fit, and what to do about it. convert writes PySOT's JSON annotations, from a benchmark as it was
downloaded or from your own videos with boxes (CSV, COCO, MOTChallenge or YOLO; see docs/datasets.md).

    python tools/dataset.py list
    python tools/dataset.py verify OTB100
    python tools/dataset.py verify path/to/my_videos --report problems.json
    python tools/dataset.py convert LaSOT
    python tools/dataset.py convert mine --boxes annotations.json --videos path/to/videos
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

if not __package__:  # run as a file: the packages lie beside tools/, installed or not
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from toolkit.benchmarks import BENCHMARKS
from toolkit.datasets import find_dataset
from toolkit.datasets.box_formats import FORMATS, read_tracks
from toolkit.datasets.convert import convert_boxes, convert_download
from toolkit.datasets.survey import generated, survey
from toolkit.datasets.verify import Inspection, inspect
from toolkit.errors import DatasetError, ToolkitError
from toolkit.results import write_atomic

SHOWN = 20
"""Problems and notes that are printed; the report has all."""


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True, metavar="{list,verify,convert}")

    lister = commands.add_parser("list", help="show what is installed and what is missing")
    verifier = commands.add_parser("verify", help="find missing, broken and mismatched files; exit code 1 if there are")
    verifier.add_argument("name", help="a benchmark, or a folder of your own under --dataset-root or as a path")
    verifier.add_argument(
        "--quick", action="store_true", help="look whether images are there, but decode only the first"
    )
    verifier.add_argument("--report", type=Path, metavar="FILE", help="write everything that was found as JSON")
    verifier.add_argument("--threads", type=int, metavar="N", help="that decode images (default: one per processor)")

    converter = commands.add_parser("convert", help="write PySOT's JSON annotations")
    converter.add_argument(
        "name", help="a benchmark that lies there as downloaded; with --boxes, a name for your dataset"
    )
    converter.add_argument("--boxes", type=Path, metavar="SOURCE", help="your boxes: a file, or a folder")
    converter.add_argument("--format", choices=FORMATS, help="of the boxes (default: told from the files)")
    converter.add_argument(
        "--videos",
        type=Path,
        metavar="DIR",
        help="holds the videos or folders of images (default: where the boxes are)",
    )
    converter.add_argument(
        "--first-frame", type=int, default=0, metavar="N", help="number of the first frame in CSV (default: 0)"
    )
    converter.add_argument("--force", action="store_true", help="replace the JSON file if it exists")

    for command in (lister, verifier, converter):
        command.add_argument(
            "--dataset-root",
            type=Path,
            default=Path("testing_dataset"),
            metavar="DIR",
            help="holds a folder per dataset (default: testing_dataset)",
        )
    return parser.parse_args(argv)


def list_installed(args: argparse.Namespace) -> int:
    """Print what is installed and what is missing."""
    installed, missing = survey(args.dataset_root)
    print(f"in {args.dataset_root}:" if installed else f"nothing in {args.dataset_root}")
    width = max((len(found.name) for found in installed), default=0)
    for found in installed:
        if found.fault:
            print(f"  {found.name:{width}}  cannot be read: {found.fault}")
            continue
        sequences = counted(found.sequences, "sequence")
        if found.expected > found.sequences:
            sequences = f"{found.sequences:,} of {counted(found.expected, 'sequence')}"
        images = "images"
        if found.with_images != found.sequences:
            images += f" of {counted(found.with_images, 'sequence')}"
        about = f"{sequences}, {counted(found.frames, 'frame')}, {images}, annotations: {found.annotations}"
        print(f"  {found.name:{width}}  {about}")
    ready = [name for name in generated() if name in missing]
    if ready:
        print(f"rendered on first use: {', '.join(ready)}")
    absent = [name for name in missing if name not in ready]
    if absent:
        print(f"not installed: {', '.join(absent)} (testing_dataset/README.md shows where they go)")
    return 0


def verify(args: argparse.Namespace) -> int:
    """Print what is wrong with a dataset and return 1 if anything is."""
    found = find_dataset(args.name, args.dataset_root)
    inspection = inspect(found, decode=not args.quick, threads=args.threads)
    if args.report is not None:
        write_atomic(args.report, json.dumps(inspection.as_dict(), indent=1) + "\n")
    print(describe(inspection))
    return 1 if inspection.problems else 0


def describe(inspection: Inspection) -> str:
    """Return the text that verify prints."""
    lines = [
        f"{inspection.benchmark} ({inspection.source}): {counted(inspection.sequences, 'sequence')}, "
        f"{counted(inspection.frames, 'frame')}, {counted(inspection.images, 'image')} checked"
    ]
    for problem in inspection.problems[:SHOWN]:
        prefix = f"{problem.sequence}: " if problem.sequence else ""
        lines += [f"  {prefix}{problem.message}", f"    -> {problem.fix}"]
    if len(inspection.problems) > SHOWN:
        lines.append(f"  and {len(inspection.problems) - SHOWN} more problems (--report FILE has all)")
    lines += [f"  note: {note}" for note in inspection.notes[:SHOWN]]
    if len(inspection.notes) > SHOWN:
        lines.append(f"  and {len(inspection.notes) - SHOWN} more notes (--report FILE has all)")
    lines.append(counted(len(inspection.problems), "problem") if inspection.problems else "nothing is wrong")
    return "\n".join(lines)


def convert(args: argparse.Namespace) -> int:
    """Write JSON annotations and print where."""
    if args.boxes is None:
        found = find_dataset(args.name, args.dataset_root, native=True)
        output = found.folder / f"{found.benchmark.name}.json"
        _refuse_existing(output, args.force)
        sequences = convert_download(found, output)
    else:
        if args.name in BENCHMARKS or Path(args.name).name != args.name:
            raise DatasetError(f"{args.name!r}: expected a name for the dataset that is no benchmark's and no path")
        output = args.dataset_root / args.name / f"{args.name}.json"
        _refuse_existing(output, args.force)
        videos = args.videos or (args.boxes if args.boxes.is_dir() else args.boxes.parent)
        sequences = convert_boxes(read_tracks(args.boxes, args.format, args.first_frame), videos, output)
    frames = sum(map(len, sequences))
    print(f"written: {output}: {counted(len(sequences), 'sequence')}, {counted(frames, 'frame')}")
    return 0


def counted(number: int, thing: str) -> str:
    """Return the number and what it counts: ``1 frame``, ``2 frames``."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def _refuse_existing(output: Path, force: bool) -> None:
    if output.exists() and not force:
        raise DatasetError(f"{output} exists; give --force to replace it")


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return the exit code: 0, 1 if verify found something, or 2 after an error of the user's."""
    args = parse_args(argv)
    try:
        return {"list": list_installed, "verify": verify, "convert": convert}[args.command](args)
    except (ToolkitError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted: the same command begins anew", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
