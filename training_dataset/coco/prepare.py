"""Crop COCO 2017 for training, with masks.

    python training_dataset/coco/prepare.py path/to/download

What the folder has to look like, how large it is and how long it takes: README.md beside this script. An interrupted
run goes on where it was; what cannot be used is listed in <split>.problems.json.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from pysot.datasets.curation.stills import coco_clips
from training_dataset.command import add_source, new_parser, prepare, run

HERE = Path(__file__).resolve().parent


def main(argv: Sequence[str] | None = None) -> int:
    """Run the script."""
    parser = new_parser(__doc__, HERE)
    add_source(parser, HERE / "COCO")
    parser.add_argument("--splits", nargs="+", default=["train2017", "val2017"], choices=["train2017", "val2017"])
    args = parser.parse_args(argv)
    files = {split: args.source / "annotations" / f"instances_{split}.json" for split in args.splits}
    splits = {
        split: partial(coco_clips, file, args.source / split, f"{split}/")  # images may have one name in both
        for split, file in files.items()
    }
    return run(lambda: prepare(args, splits, files=files))


if __name__ == "__main__":
    sys.exit(main())
