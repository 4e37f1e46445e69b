"""Crop your own videos or images with boxes for training.

    python training_dataset/own/prepare.py boxes.csv --images videos/ --output training_dataset/cats
    python training_dataset/own/prepare.py annotations.json --images images/ --stills --output ...   # COCO
    python training_dataset/own/prepare.py Annotations/ --images JPEGImages/ --output ...            # Pascal VOC
    python training_dataset/own/prepare.py labels/ --images images/ --stills --output ...            # YOLO
    python training_dataset/own/prepare.py MOT17/train --output ...                                  # MOTChallenge

Videos are files (.mp4, .avi, ...) or folders of images; the formats are described in docs/datasets.md. With --stills,
every image stands alone and may have any number of boxes. An interrupted run goes on where it was.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from pysot.datasets.curation.backgrounds import Backgrounds, find_photos
from pysot.datasets.curation.clips import Clip
from pysot.datasets.curation.sequences import boxes_clip
from pysot.datasets.curation.stills import coco_clips, voc_clips, yolo_clips
from pysot.utils import InputError
from toolkit.datasets.box_formats import detect, read_tracks
from toolkit.datasets.convert import convert_boxes
from toolkit.errors import ToolkitError
from training_dataset.command import new_parser, positive, prepare, run

FORMATS = ("csv", "coco", "voc", "yolo", "mot")


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the arguments."""
    parser = new_parser(__doc__, Path(__file__).resolve().parent)
    parser.add_argument("source", type=Path, help="the boxes: a file, or a folder of them")
    parser.add_argument("--images", type=Path, metavar="DIR", help="videos or images (default: where the boxes are)")
    parser.add_argument("--format", choices=FORMATS, help="of the boxes (default: told from the files)")
    parser.add_argument("--stills", action="store_true", help="images that are no frames of videos (COCO, YOLO)")
    parser.add_argument("--first-frame", type=int, default=0, metavar="N", help="number of a CSV file's first frame")
    parser.add_argument(
        "--split", default="train", metavar="NAME", help="of the annotation file (default: %(default)s)"
    )
    parser.add_argument("--step", type=positive, default=1, metavar="N", help="every Nth frame (default: %(default)s)")
    parser.add_argument(
        "--backgrounds", type=Path, metavar="DIR", help="photographs to put around images (default: their mean colour)"
    )
    return parser.parse_args(argv)


def read_clips(args: argparse.Namespace) -> list[Clip]:
    """Return what is to be cropped.

    Raises:
        InputError: Something is missing or malformed; names file and line.
    """
    if not args.source.exists():
        raise InputError(f"{args.source}: no such file or folder")
    images = images_of(args)
    try:
        layout = args.format or ("voc" if _has_xml(args.source) else detect(args.source))
        if layout == "voc":
            return voc_clips(args.source, images)
        if args.stills and layout in ("coco", "yolo"):
            return coco_clips(args.source, images) if layout == "coco" else yolo_clips(args.source, images)
        tracks = read_tracks(args.source, layout, args.first_frame)
        sequences = convert_boxes(tracks, images, args.output / f"{args.split}_frames" / "frames.json")
    except ToolkitError as error:
        raise InputError(str(error)) from error
    return [
        boxes_clip(
            sequence.name,
            tuple(sequence.frames.paths),
            tuple(tuple(row[:4].tolist()) for row in sequence.ground_truth.values),
        )
        for sequence in sequences
    ]


def images_of(args: argparse.Namespace) -> Path:
    """Return the folder of the videos or images."""
    folder: Path = args.images or (args.source if args.source.is_dir() else args.source.parent)
    return folder


def read_backgrounds(args: argparse.Namespace) -> Backgrounds | None:
    """Return the photographs to put around images, if there are to be any."""
    return None if args.backgrounds is None else Backgrounds(find_photos(args.backgrounds))


def _has_xml(source: Path) -> bool:
    return source.is_dir() and next(source.rglob("*.xml"), None) is not None


def main(argv: Sequence[str] | None = None) -> int:
    """Run the script."""
    args = parse_args(argv)
    return run(lambda: prepare(args, {args.split: lambda: read_clips(args)}, read_backgrounds(args), images_of(args)))


if __name__ == "__main__":
    sys.exit(main())
