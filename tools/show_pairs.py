"""Look at the training data: write a picture of some training pairs, as the network will see them.

    python tools/show_pairs.py --cfg siamrpn_r50_l234_dwxcorr_8gpu
    python tools/show_pairs.py --cfg experiments/mine/config.yaml DATASET.SEARCH.BLUR 1.0

    python tools/show_pairs.py --cfg experiments/mine/config.yaml --each

Every pair is drawn three times: the template, the search crop, and the labels. The target's box is green, or red where
template and search crop show different targets; a mask is yellow. Green dots and thin boxes are anchors that should
say "target" (dots alone are cells of a head without anchors), red dots are cells where one should say "not the
target". With --each, a pair is drawn once for every
kind of augmentation, by itself and at full strength.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from yacs.config import CfgNode

if not __package__:  # run as a file: the packages lie beside tools/, installed or not
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pysot.config import add_config_arguments, cfg_from_args
from pysot.config.cli import at_least_one
from pysot.datasets import PairDataset, PairKey, build_device_augment, build_pair_dataset
from pysot.datasets.build import labelled_anchors
from pysot.datasets.contact_sheet import contact_sheet, write_picture
from pysot.datasets.samples import Batch
from pysot.utils import PysotError

OFF = [
    word
    for side in ("TEMPLATE", "SEARCH")
    for key in ("SHIFT", "SCALE", "ASPECT", "BLUR", "FLIP", "COLOR", "JPEG")
    for word in (f"DATASET.{side}.{key}", "0")
] + ["DATASET.SEARCH.CUTOUT", "0", "DATASET.GRAY", "0"]
EACH = {
    "unchanged": "",
    "SHIFT 64": "DATASET.SEARCH.SHIFT 64",
    "SCALE 0.4": "DATASET.SEARCH.SCALE 0.4 DATASET.TEMPLATE.SCALE 0.4",
    "ASPECT 1": "DATASET.SEARCH.ASPECT 1 DATASET.TEMPLATE.ASPECT 1",
    "FLIP 1": "DATASET.SEARCH.FLIP 1",
    "GRAY 1": "DATASET.GRAY 1",
    "COLOR 1": "DATASET.SEARCH.COLOR 1",
    "BLUR 1": "DATASET.SEARCH.BLUR 1",
    "CUTOUT 1": "DATASET.SEARCH.CUTOUT 1",
    "JPEG 1": "DATASET.SEARCH.JPEG 1",
}
"""What is drawn with --each: augmentations alone."""


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Return the parsed arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_config_arguments(parser)
    parser.add_argument("--out", type=Path, default=Path("pairs.png"), help="picture to write (default: %(default)s)")
    parser.add_argument("--pairs", type=at_least_one, default=12, help="how many pairs (default: %(default)s)")
    parser.add_argument("--each", action="store_true", help="one pair, once for every augmentation alone")
    parser.add_argument("--columns", type=at_least_one, default=2, help="pairs side by side (default: %(default)s)")
    parser.add_argument("--epoch", type=from_zero, default=0, help="epoch they are of (default: %(default)s)")
    parser.add_argument("--first", type=from_zero, default=0, help="number of the first one (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the training (default: %(default)s)")
    return parser.parse_args(argv)


def from_zero(text: str) -> int:
    """Read a number that counts from 0."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"expected 0 or more, got {text}")
    return int(text)


def draw(args: argparse.Namespace, cfg: CfgNode, pairs: int, title: str = "") -> tuple[np.ndarray, PairDataset, Batch]:
    """Return a sheet of pairs, and what it was made from."""
    dataset = build_pair_dataset(cfg, args.seed)
    batch = dataset.__getitems__([PairKey(args.epoch, args.first + number) for number in range(pairs)])
    if cfg.DATASET.DEVICE_AUGMENT:
        batch = build_device_augment(cfg)(batch)
    columns, anchors_wh = 1 if title else args.columns, labelled_anchors(cfg)
    sheet = contact_sheet(batch, cfg.ANCHOR.STRIDE, anchors_wh, columns=columns, order=cfg.INPUT.COLOR, title=title)
    return sheet, dataset, batch


def draw_each(args: argparse.Namespace) -> tuple[np.ndarray, PairDataset, Batch]:
    """Return a sheet with one positive pair under every augmentation alone."""
    words = list(args.opts)
    sheets = []
    for name, changes in EACH.items():
        args.opts = [*words, "DATASET.NEG", "0", "DATASET.DEVICE_AUGMENT", "False", *OFF, *changes.split()]
        sheet, dataset, batch = draw(args, cfg_from_args(args), 1, name)
        sheets.append(sheet)
    sheets += [np.zeros_like(sheets[0])] * (-len(sheets) % args.columns)
    rows = [np.hstack(sheets[start : start + args.columns]) for start in range(0, len(sheets), args.columns)]
    return np.vstack(rows), dataset, batch


def main(argv: list[str] | None = None) -> int:
    """Write the picture; return 0, or 2 after a mistake of the user's."""
    args = parse_args(argv)
    try:
        if args.each:
            sheet, dataset, batch = draw_each(args)
        else:
            sheet, dataset, batch = draw(args, cfg_from_args(args), args.pairs)
        write_picture(sheet, args.out)
    except (PysotError, OSError) as error:
        print(f"show_pairs: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted: nothing was written", file=sys.stderr)
        return 130
    print(dataset.sampler.describe())
    for fault in batch["faults"]:
        print(f"not readable, another pair took its place: {fault}")
    what = "every augmentation of one pair" if args.each else f"{args.pairs} pairs"
    print(f"{args.out}: {what} of epoch {args.epoch}, from number {args.first}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
