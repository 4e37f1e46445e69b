"""Make the training material of the default model from a folder of labelled stills, short videos and photographs.

    python training_dataset/default_model/prepare.py --material path/to/material
    python training_dataset/default_model/prepare.py --material ... --only stills videos

The material has stills.json (COCO) with stills/, videos.json with crop511/, and unlabelled/. The output has a folder
per source, each with crop511/, train.json and val.json, which share no image and no sequence:

    stills/     every usable box, with photographs around the images
    videos/     the videos' annotations, and a link to their crops
    films/      cut-outs that move over photographs, cameras that move over stills
    drawn/      drawn figures on drawn textures

An interrupted run goes on where it was; the same arguments give the same files for any number of workers.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from pysot.datasets.curation.annotations import write_annotations, write_json
from pysot.datasets.curation.backgrounds import Backgrounds, find_photos
from pysot.datasets.curation.clips import Clip, read_json, to_box
from pysot.datasets.curation.stills import coco_clips
from pysot.datasets.curation.synthetic.photographed import split_clips, split_held_out
from pysot.utils import InputError
from training_dataset import command
from training_dataset.synthetic import prepare as synthetic

LEAST_SIDE = 12.0
"""Width and height of a usable box, image pixels: less is enlarged to nothing but blur."""
MOST_ASPECT = 5.0
"""Longer side over shorter side of a usable box."""
MOST_COVERED = 0.9
"""A box that covers more than this of its image both ways has nothing around it to be told from."""
LEFT_OUT = {"vehicles_small_coco": "turned, with black squares in them"}
"""Folders of stills that are not used, and why."""
EVERY = 10
"""Of the videos in the order of their names, every how manyth is held out."""
_OTB = """basketball biker bird1 bird2 blurbody blurcar1 blurcar2 blurcar3 blurcar4 blurface blurowl board bolt bolt2
box boy car1 car2 car24 car4 cardark carscale clifbar coke couple coupon crossing crowds dancer dancer2
david david2 david3 deer diving dog dog1 doll dragonbaby dudek faceocc1 faceocc2 fish fleetface football
football1 freeman1 freeman3 freeman4 girl girl2 gym human2 human3 human4 human5 human6 human7 human8 human9
ironman jogging jump jumping kitesurf lemming liquor man matrix mhyang motorrolling mountainbike panda
redteam rubik shaking singer1 singer2 skater skater2 skating1 skating2 skiing soccer subway surfer suv
sylvester tiger1 tiger2 toy trans trellis twinnings vase walking walking2 woman"""
OTB = frozenset(_OTB.split())
"""The sequences of OTB-100, on which the model is judged: none of them may be trained on."""
SEVERAL_TARGETS = frozenset({"human4", "jogging", "skating2"})
"""Those of them that are also called after one of their targets: Jogging-1, Human4-2."""
OTHER_BENCHMARKS = frozenset({"davis", "dtb70", "lasot", "tinytlp", "tlp", "uav123"})
"""Sources with videos of their own, also where the names are the same: UAV123's car4 is not OTB's."""
_NUMBER = re.compile(r"[-_.]\d+$")


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the arguments."""
    parser = command.new_parser(__doc__, Path(__file__).resolve().parent)
    positive = command.positive
    parser.add_argument("--material", type=Path, required=True, metavar="DIR", help="stills, videos and photographs")
    parser.add_argument("--only", nargs="+", choices=tuple(SOURCES), default=tuple(SOURCES), help="make these sources")
    parser.add_argument("--films", type=positive, default=3000, metavar="N", help="default: %(default)s")
    parser.add_argument("--drawn", type=positive, default=1000, metavar="N", help="default: %(default)s")
    parser.add_argument("--frames", type=positive, default=16, metavar="N", help="of each (default: %(default)s)")
    parser.add_argument(
        "--val-videos", type=positive, default=60, metavar="N", help="filmed and drawn (default: %(default)s)"
    )
    return parser.parse_args(argv)


# --------------------------------------------------------------------------------------------- test material


def otb_sequence(name: str) -> str | None:
    """Return the part of a video's name that is the name of one of OTB-100's sequences; None if no part is.

    Example:
        >>> otb_sequence("src/Jogging-1"), otb_sequence("Car4/img"), otb_sequence("uav123_10fps/car4")
        ('jogging-1', 'car4', None)
    """
    parts = name.casefold().replace("\\", "/").split("/")
    if any(re.split(r"[-_. ]", part)[0] in OTHER_BENCHMARKS for part in parts[:-1]):
        return None
    return next((part for part in parts if part in OTB or _NUMBER.sub("", part) in SEVERAL_TARGETS), None)


def refuse_otb(file: Path, names: Iterable[str], stills: bool = False) -> None:
    """Make sure that no name is one of OTB-100's sequences, or of stills that of a frame of one.

    Raises:
        InputError: One is; names it.
    """
    for name in names:
        stem = re.sub(r"\.[^./]+$", "", name)
        found = otb_sequence(stem) or otb_sequence(_NUMBER.sub("", stem)) if stills else otb_sequence(name)
        if found is not None:
            raise InputError(
                f"{file}: {name}: {found} is a sequence of OTB-100, which the model is judged on; leave it out, or, if "
                "it is something else, give it another name"
            )


# ------------------------------------------------------------------------------------------------ stills


def usable_stills(material: Path, output: Path) -> Path:
    """Write the stills' annotations without those that teach nothing, and say how many those were.

    Raises:
        InputError: The annotations are malformed, or a still or a photograph is of OTB; names file and entry.
    """
    file = material / "stills.json"
    content = read_json(file)
    dropped: Counter[str] = Counter()
    try:
        sizes = {row["id"]: (row["width"], row["height"]) for row in content["images"]}
        refuse_otb(file, (row["file_name"] for row in content["images"]), stills=True)
        folders = {row["id"]: row["file_name"].partition("/")[0] for row in content["images"]}
        rows = []
        for number, row in enumerate(content["annotations"]):
            box = to_box(row["bbox"], f"{file}: annotations[{number}]")
            reason = fault(box, sizes[row["image_id"]], folders[row["image_id"]])
            if reason is None:
                rows.append(row)
            else:
                dropped[reason] += 1
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{file}: expected COCO's JSON with the images' sizes ({error!r})") from error
    photos = material / "unlabelled"
    refuse_otb(photos, (photo.relative_to(photos).as_posix() for photo in sorted(photos.rglob("*.*"))), stills=True)
    chosen = output / "objects.json"
    output.mkdir(parents=True, exist_ok=True)
    write_json(chosen, content | {"annotations": rows})
    print(f"stills: {len(rows)} boxes; not used: {', '.join(f'{n} {why}' for why, n in dropped.most_common())}")
    return chosen


def fault(box_xywh: tuple[float, ...], size_wh: tuple[float, float], folder: str) -> str | None:
    """Return what is wrong with a still's box; None if it can be used.

    Example:
        >>> fault((10, 10, 50, 9), (300, 200), "cats")
        'small'
    """
    _, _, w, h = box_xywh
    if folder in LEFT_OUT:
        return f"of {folder}"
    if min(w, h) < LEAST_SIDE:
        return "small"
    if max(w, h) > MOST_ASPECT * min(w, h):
        return "long and thin"
    if w > MOST_COVERED * size_wh[0] and h > MOST_COVERED * size_wh[1]:
        return "as large as their image"
    return None


def make_stills(args: argparse.Namespace) -> int:
    """Crop the stills, with photographs around them."""
    objects = usable_stills(args.material, args.output)
    photos = split_held_out([photo.as_posix() for photo in find_photos(args.material / "unlabelled")])
    clips = coco_clips(objects, args.material / "stills")
    status = 0
    for number, split in enumerate(("train", "val")):
        chosen = split_clips(clips, held_out=bool(number))
        entry = argparse.Namespace(output=args.output / "stills", source=objects, workers=args.workers, step=1)
        work: dict[str, Callable[[], list[Clip]]] = {split: lambda chosen=chosen: chosen}  # type: ignore[misc]
        around = Backgrounds(tuple(map(Path, photos[number])))
        status |= command.prepare(entry, work, around, args.material / "stills")
    return status


# ------------------------------------------------------------------------------------------------ videos


def make_videos(args: argparse.Namespace) -> int:
    """Split the videos' annotations, and link their crops.

    Raises:
        InputError: A sequence of OTB is among them.
    """
    file = args.material / "videos.json"
    videos: dict[str, Any] = read_json(file)
    refuse_otb(file, videos)
    output = args.output / "videos"
    output.mkdir(parents=True, exist_ok=True)
    held = sorted(videos)[EVERY // 2 :: EVERY]
    for split, names in (("train", [name for name in videos if name not in held]), ("val", held)):
        boxes = write_annotations(
            output / f"{split}.json", {name: {"tracks": videos[name], "categories": {}} for name in names}
        )
        print(f"{output / split}.json: {len(names)} videos, {boxes} boxes")
    link = output / "crop511"
    link.unlink(missing_ok=True)
    link.symlink_to((args.material / "crop511").resolve(), target_is_directory=True)
    return 0


# ----------------------------------------------------------------------------------------- films, drawings


def make_films(args: argparse.Namespace) -> int:
    """Film the stills' cut-outs, and the stills."""
    objects = usable_stills(args.material, args.output)
    stills = ["--cutouts", str(objects), "--images", str(args.material / "stills")]
    return synthesise(args, "films", args.films, [*stills, "--photos", str(args.material / "unlabelled")])


def make_drawn(args: argparse.Namespace) -> int:
    """Draw figures."""
    return synthesise(args, "drawn", args.drawn, [])


def synthesise(args: argparse.Namespace, folder: str, videos: int, more: list[str]) -> int:
    """Run training_dataset/synthetic/prepare.py."""
    counts = ["--videos", str(videos), "--frames", str(args.frames), "--val-videos", str(args.val_videos)]
    place = ["--test-videos", "0", "--workers", str(args.workers), "--output", str(args.output / folder)]
    return synthetic.main([*counts, *place, *more])


SOURCES: dict[str, Callable[[argparse.Namespace], int]] = {
    "videos": make_videos,
    "stills": make_stills,
    "films": make_films,
    "drawn": make_drawn,
}


def prepare(args: argparse.Namespace) -> int:
    """Make all sources; return 0, or the worst of what they return."""
    if not args.material.is_dir():
        raise InputError(f"{args.material}: no such folder of material")
    return max(SOURCES[name](args) for name in args.only)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the script."""
    args = parse_args(argv)
    return command.run(lambda: prepare(args))


if __name__ == "__main__":
    sys.exit(main())
