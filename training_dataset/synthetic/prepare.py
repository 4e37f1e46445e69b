"""Draw a training set: annotated videos with masks, and held-out ones for evaluation; nothing is downloaded.

    python training_dataset/synthetic/prepare.py                       # 2000 videos of 24 frames, 40 for validation
    python training_dataset/synthetic/prepare.py --videos 200 --frames 16 --output /tmp/small
    python training_dataset/synthetic/prepare.py --photos path/to/photographs
    python training_dataset/synthetic/prepare.py --cutouts coco.json --images images/ --photos path/to/photographs

With --cutouts the scenes are photographs: objects cut out of labelled stills by their polygons move over others, and a
camera moves over the stills. The last 5 % of each folder of images are kept for validation and evaluation.

The output has crop511/ (crops around the targets, and masks), train.json and val.json with the boxes, and Synthetic/,
whole frames of other videos for the evaluation:

    python tools/test.py --cfg ... --snapshot ... --dataset Synthetic --dataset-root training_dataset/synthetic
    python tools/eval.py --dataset Synthetic --dataset-root training_dataset/synthetic ...

The same arguments give the same videos for any number of workers. An interrupted run goes on where it was.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from pysot.datasets.curation.annotations import write_annotations, write_json
from pysot.datasets.curation.backgrounds import find_photos
from pysot.datasets.curation.jobs import run_jobs
from pysot.datasets.curation.synthetic.photographed import CUTOUTS_VERSION, Album
from pysot.datasets.curation.synthetic.write import TEST_VERSION, VERSION, CropWriter, Film, FrameWriter
from pysot.utils import InputError, hash_file
from training_dataset.command import bar, new_parser, positive, run

SPLITS = ("train", "val", "test")


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the arguments."""
    parser = new_parser(__doc__, Path(__file__).resolve().parent)
    parser.add_argument(
        "--videos", type=positive, default=2000, metavar="N", help="for training (default: %(default)s)"
    )
    parser.add_argument("--frames", type=positive, default=24, metavar="N", help="of each (default: %(default)s)")
    parser.add_argument("--val-videos", type=positive, default=40, metavar="N", help="default: %(default)s")
    parser.add_argument("--test-videos", type=int, default=20, metavar="N", help="default: %(default)s; 0: none")
    parser.add_argument("--test-frames", type=positive, default=100, metavar="N", help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="other videos (default: %(default)s)")
    parser.add_argument(
        "--photos", type=Path, metavar="DIR", help="photographs to take textures from, beside drawn patterns"
    )
    parser.add_argument("--cutouts", type=Path, metavar="JSON", help="labelled stills, COCO's format: film photographs")
    parser.add_argument("--images", type=Path, metavar="DIR", help="the stills (default: the folder of --cutouts)")
    return parser.parse_args(argv)


def films(args: argparse.Namespace, split: str) -> list[Film]:
    """Return the videos of a split; no two splits share a seed."""
    count, frames = {
        "train": (args.videos, args.frames),
        "val": (args.val_videos, args.frames),
        "test": (args.test_videos, args.test_frames),
    }[split]
    seed = 3 * args.seed + SPLITS.index(split)
    return [Film(f"{split}_{number:06d}", seed, number, frames) for number in range(count)]


def images_of(args: argparse.Namespace) -> Path:
    """Return the folder of the stills."""
    folder: Path = args.images or args.cutouts.parent
    return folder


def album(args: argparse.Namespace, photos: tuple[Path, ...], split: str) -> Album | None:
    """Return the photographs that a split's scenes are made of; None for drawn scenes."""
    if args.cutouts is None:
        return None
    return Album(args.cutouts, images_of(args), photos, held_out=split != "train")


def cutout_settings(args: argparse.Namespace) -> dict[str, Any]:
    """Return what films of stills depend on.

    Raises:
        InputError: There are no annotations of them.
    """
    if not args.cutouts.is_file():
        raise InputError(f"{args.cutouts}: no such file of labelled stills")
    return {
        "cutouts": str(args.cutouts.resolve()),
        "cutouts_sha256": hash_file(args.cutouts),
        "cutouts_version": CUTOUTS_VERSION,
        "images": str(images_of(args).resolve()),
    }


def prepare(args: argparse.Namespace) -> int:
    """Draw everything that is not there yet."""
    if args.seed < 0:
        raise InputError(f"--seed: expected 0 or more, got {args.seed}")
    photos = find_photos(args.photos) if args.photos else ()
    sources: dict[str, Any] = {"photos": list(map(str, photos))}
    if args.cutouts:
        sources |= cutout_settings(args)
    output = args.output
    for split in ("train", "val"):
        work = films(args, split)
        settings = {"version": VERSION, "seed": args.seed, "frames": args.frames, **sources}
        with bar(len(work), split) as progress:
            writer = CropWriter(output / "crop511", photos, album(args, photos, split))
            done = run_jobs(work, writer, output / f".{split}.journal", settings, args.workers, progress)
        boxes = write_annotations(output / f"{split}.json", done)
        print(f"{output / split}.json: {len(work)} videos, {boxes} boxes")
    if args.test_videos > 0:
        work = films(args, "test")
        settings = {"version": TEST_VERSION, "seed": args.seed, "frames": args.test_frames, **sources}
        with bar(len(work), "test") as progress:
            frame_writer = FrameWriter(output / "Synthetic", photos, album(args, photos, "test"))
            done = run_jobs(work, frame_writer, output / ".test.journal", settings, args.workers, progress)
        write_json(output / "Synthetic" / "Synthetic.json", done)
        print(f"{output / 'Synthetic'}: {len(work)} sequences of {args.test_frames} frames")
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the script."""
    args = parse_args(argv)
    return run(lambda: prepare(args))


if __name__ == "__main__":
    sys.exit(main())
