"""Crop DAVIS 2017 for training, with masks.

    python training_dataset/davis/prepare.py path/to/download

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

from pysot.datasets.curation.masks import davis_clips
from training_dataset.command import add_source, new_parser, prepare, run

HERE = Path(__file__).resolve().parent


def main(argv: Sequence[str] | None = None) -> int:
    """Run the script."""
    parser = new_parser(__doc__, HERE)
    add_source(parser, HERE / "DAVIS")
    parser.add_argument("--splits", nargs="+", default=["train", "val"], choices=["train", "val"])
    args = parser.parse_args(argv)
    return run(
        lambda: prepare(args, {split: lambda split=split: davis_clips(args.source, split) for split in args.splits})
    )


if __name__ == "__main__":
    sys.exit(main())
