"""Look whether a prepared training set is complete and undamaged.

    python training_dataset/verify.py training_dataset/coco
    python training_dataset/verify.py training_dataset/vid --report problems.json

Decodes every crop and mask that the annotations (*.json beside crop511/) name. Exit code 0 if nothing is wrong, 1 if
something is, 2 if there is no such set.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from pysot.datasets.curation.verify import Inspection, count_entries, verify_crops
from pysot.utils import InputError
from training_dataset.command import bar, positive, run

SHOWN = 20
"""Findings that are printed; the report has all."""
_NO_BOXES = (".categories.json", ".problems.json", ".report.json")


def verify(args: argparse.Namespace) -> int:
    """Check every annotation file of the set."""
    crops = args.folder / "crop511"
    files = sorted(path for path in args.folder.glob("*.json") if not path.name.endswith(_NO_BOXES))
    if not files or not crops.is_dir():
        raise InputError(f"{args.folder}: expected crop511/ and train.json there; run the set's prepare.py first")
    found = []
    for file in files:
        with bar(count_entries(file), file.stem, "crop") as progress:
            found.append(verify_crops(file, crops, args.threads, progress))
    whole = Inspection(sum(item.crops for item in found), tuple(one for item in found for one in item.findings))
    report = args.report or args.folder / "verify.report.json"
    whole.write(report)
    for finding in whole.findings[:SHOWN]:
        print(f"{finding.kind}: {finding.where}: {finding.what}")
    if len(whole.findings) > SHOWN:
        print(f"... {len(whole.findings) - SHOWN} more in {report}")
    print(f"{whole.crops} crops checked: {whole.counts() or 'nothing is wrong'}")
    return 1 if whole.findings else 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the script."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="a folder with crop511/ and annotations")
    parser.add_argument("--report", type=Path, metavar="FILE", help="default: <folder>/verify.report.json")
    parser.add_argument("--threads", type=positive, metavar="N", help="that decode (default: one per core)")
    args = parser.parse_args(argv)
    return run(lambda: verify(args))


if __name__ == "__main__":
    sys.exit(main())
