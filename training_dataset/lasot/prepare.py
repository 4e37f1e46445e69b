"""Crop LaSOT's training sequences.

    python training_dataset/lasot/prepare.py path/to/download
    python training_dataset/lasot/prepare.py path/to/download --names path/to/training_set.txt

What the folder has to look like, how large it is and how long it takes: README.md beside this script. An interrupted
run goes on where it was; what cannot be used is listed in <split>.problems.json.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from pysot.datasets.curation.clips import read_text
from pysot.datasets.curation.sequences import lasot_clips
from training_dataset.command import add_source, new_parser, prepare, run

HERE = Path(__file__).resolve().parent


def main(argv: Sequence[str] | None = None) -> int:
    """Run the script."""
    parser = new_parser(__doc__, HERE)
    add_source(parser, HERE / "LaSOT", step=10)
    parser.add_argument(
        "--names", type=Path, metavar="FILE", help="names of the sequences to take, such as LaSOT's training_set.txt"
    )
    args = parser.parse_args(argv)
    return run(
        lambda: prepare(
            args, {"train": lambda: lasot_clips(args.source, read_text(args.names).split() if args.names else None)}
        )
    )


if __name__ == "__main__":
    sys.exit(main())
