"""Crop YouTube-BB for training.

    python training_dataset/yt_bb/prepare.py path/to/download

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

from pysot.datasets.curation.sequences import youtube_bb_clips
from training_dataset.command import add_source, new_parser, prepare, run

HERE = Path(__file__).resolve().parent
NAMES = {"train": "train", "val": "validation"}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the script."""
    parser = new_parser(__doc__, HERE)
    add_source(parser, HERE / "YouTube-BB")
    parser.add_argument("--splits", nargs="+", default=list(NAMES), choices=list(NAMES))
    args = parser.parse_args(argv)
    files = {split: args.source / f"yt_bb_detection_{NAMES[split]}.csv" for split in args.splits}
    splits = {split: partial(youtube_bb_clips, file, args.source / "frames") for split, file in files.items()}
    return run(lambda: prepare(args, splits, files=files))


if __name__ == "__main__":
    sys.exit(main())
