"""Look at the training data: write a picture of some training pairs, as the network will see them.

    python tools/show_pairs.py --cfg siamrpn_r50_l234_dwxcorr_8gpu
    python tools/show_pairs.py --cfg experiments/mine/config.yaml DATASET.SEARCH.BLUR 1.0

Every pair is drawn three times: the template, the search crop, and the labels. The target's box is green, or red where
template and search crop show different targets; a mask is yellow. Green dots and thin boxes are anchors that should
say "target", red dots are cells where one should say "not the target".
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import cv2

if not __package__:  # run as a file: the packages lie beside tools/, installed or not
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pysot.config import add_config_arguments, cfg_from_args
from pysot.datasets import PairKey, build_device_augment, build_pair_dataset
from pysot.datasets.contact_sheet import contact_sheet
from pysot.geometry import base_anchors_wh
from pysot.utils import PysotError, atomic_path


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Return the parsed arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_config_arguments(parser)
    parser.add_argument("--out", type=Path, default=Path("pairs.png"), help="picture to write (default: %(default)s)")
    parser.add_argument("--pairs", type=int, default=12, help="how many pairs (default: %(default)s)")
    parser.add_argument("--columns", type=int, default=2, help="pairs side by side (default: %(default)s)")
    parser.add_argument("--epoch", type=int, default=0, help="epoch they are of (default: %(default)s)")
    parser.add_argument("--first", type=int, default=0, help="number of the first one (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the training (default: %(default)s)")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Write the picture; return 0, or 2 after a mistake of the user's."""
    args = parse_args(argv)
    try:
        cfg = cfg_from_args(args)
        dataset = build_pair_dataset(cfg, args.seed)
        batch = dataset.__getitems__([PairKey(args.epoch, args.first + number) for number in range(args.pairs)])
        if cfg.DATASET.DEVICE_AUGMENT:
            batch = build_device_augment(cfg)(batch)
        anchors_wh = None
        if cfg.RPN.TYPE != "SiamFCHead":
            anchors_wh = base_anchors_wh(cfg.ANCHOR.STRIDE, cfg.ANCHOR.RATIOS, cfg.ANCHOR.SCALES)
        sheet = contact_sheet(batch, cfg.ANCHOR.STRIDE, anchors_wh, columns=args.columns, order=cfg.INPUT.COLOR)
        with atomic_path(args.out) as temporary:
            cv2.imwrite(str(temporary), sheet)
    except (PysotError, OSError) as error:
        print(f"show_pairs: {error}", file=sys.stderr)
        return 2
    print(dataset.sampler.describe())
    for fault in batch["faults"]:
        print(f"not readable, another pair took its place: {fault}")
    print(f"{args.out}: {args.pairs} pairs of epoch {args.epoch}, from number {args.first}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
