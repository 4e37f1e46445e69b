"""Time the loading of training pairs on one core: the whole, its stages, and PySOT's settings on crops of PySOT's size.

python benchmarks/data.py                       crops of 27 KB, made for the occasion
python benchmarks/data.py --cfg siamrpn_r50     a configuration's own training data

Times are processor time of this one thread, the best of several rounds: other programs on the machine disturb little.
"""

from __future__ import annotations

import argparse
import functools
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
from yacs.config import CfgNode

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pysot.config import add_config_arguments, cfg_from_args, load_cfg
from pysot.datasets import decode
from pysot.datasets.augment import recolor, take
from pysot.datasets.build import build_device_augment, build_pair_dataset
from pysot.datasets.packed import pack_folder
from pysot.datasets.pairs import pair_rng
from pysot.datasets.samples import PairDataset, PairKey

VIDEOS, FRAMES, BYTES = 20, 10, 27_000
RESTARTS = [cv2.IMWRITE_JPEG_RST_INTERVAL, 32]  # a row of 511 pixels has 32 blocks of 16
REFERENCE, GOAL = 218, 870  # pairs/s and core: PySOT's pipeline, and this one's


def make_crops(folder: Path, options: list[int]) -> None:
    """Write crops of 511 pixels and about 27 KB with their annotations: smooth shapes under some noise.

    ``options`` are further ones of OpenCV's JPEG encoder.
    """
    rng = np.random.default_rng(0)
    annotations = {}
    for video in range(VIDEOS):
        (folder / "crop511" / f"{video}").mkdir(parents=True)
        boxes = {}
        for frame in range(FRAMES):
            coarse = rng.integers(0, 256, (rng.integers(8, 24), 16, 3), dtype=np.uint8)
            image = cv2.resize(coarse, (511, 511), interpolation=cv2.INTER_CUBIC).astype(np.float32)
            image += 12 * cv2.GaussianBlur(rng.standard_normal((511, 511, 1), dtype=np.float32), (0, 0), 1)[..., None]
            boxes[f"{frame:06d}"] = [0, 0, *rng.uniform(30, 90, 2).tolist()]
            (folder / "crop511" / f"{video}" / f"{frame:06d}.00.x.jpg").write_bytes(
                _of_size(np.clip(image, 0, 255).astype(np.uint8), options)
            )
        annotations[f"{video}"] = {"00": boxes}
    (folder / "train.json").write_text(json.dumps(annotations))


def _of_size(image: np.ndarray, options: list[int]) -> bytes:
    """Return a JPEG of about `BYTES`."""
    low, high = 5, 100
    while high - low > 1:
        quality = (low + high) // 2
        coded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality, *options])[1]
        low, high = (quality, high) if len(coded) < BYTES else (low, quality)
    return coded.tobytes()


def best_time(call: Callable[[int], object], count: int, rounds: int) -> float:
    """Return the seconds of one call, in the best round of ``count`` calls with 0, 1, ..."""
    times = []
    for _ in range(rounds):
        start = time.thread_time()
        for number in range(count):
            call(number)
        times.append((time.thread_time() - start) / count)
    return min(times)


def time_stages(dataset: PairDataset, count: int, rounds: int) -> dict[str, float]:
    """Return the seconds per pair of each stage alone, both crops of a pair together."""
    rngs = [pair_rng(0, 0, number) for number in range(count)]
    sides = [(dataset.template, np.empty((dataset.template.size,) * 2 + (3,), np.uint8))]
    sides.append((dataset.search, np.empty((dataset.search.size,) * 2 + (3,), np.uint8)))
    pairs = [dataset.sampler.pair(0, number, rng) for number, rng in enumerate(rngs)]
    work = []
    for number, pair in enumerate(pairs):
        for target, (crop, out) in zip((pair.template, pair.search), sides, strict=True):
            picture, change = dataset.read(target), crop.augment.draw(rngs[number])
            region = picture.place(crop.side, change)
            first, image = picture.decode(dataset.order, region)
            work.append((target, picture, change, region, image[region.top - first :], out))

    def both(stage: Callable[..., object], number: int) -> None:
        stage(*work[2 * number])
        stage(*work[2 * number + 1])

    def taken(_t, _p, change, region, image, out) -> None:
        take(image, region._replace(top=0), len(out), flip=change.flip, border=0, out=out)

    def recolored(_t, _p, change, _r, _i, out) -> None:
        recolor(out, change, np.array([90, 90, 160, 160]), gray=False)

    def labelled(number: int) -> None:
        extra = {"mask": None} if dataset.masks else {}
        dataset.targets(np.array([90.0, 90, 160, 160]), rngs[number], negative=not pairs[number].positive, **extra)

    stages: dict[str, Callable[[int], object]] = {
        "draw pair and changes": lambda number: (
            dataset.sampler.pair(0, number, rng := pair_rng(0, 0, number)),
            dataset.template.augment.draw(rng),
            dataset.search.augment.draw(rng),
        ),
        "read files": functools.partial(both, lambda target, *_: dataset.read(target)),
        "decode": functools.partial(both, lambda _t, picture, _c, region, *_: picture.decode("BGR", region)),
        "crop and resize": functools.partial(both, taken),
        "colour and blur": functools.partial(both, recolored),
        "labels": labelled,
    }
    return {name: best_time(stage, count, rounds) for name, stage in stages.items()}


def report(dataset: PairDataset, batch: int, count: int, rounds: int) -> float:
    """Print the stages and the whole; return pairs per second."""
    for name, seconds in time_stages(dataset, count, rounds).items():
        print(f"  {name:28s} {1e6 * seconds:8.0f} us/pair {1 / seconds:9.0f} pairs/s")
    return print_whole("all, in batches", dataset, batch, count, rounds)


def print_whole(name: str, dataset: PairDataset, batch: int, count: int, rounds: int) -> float:
    """Print the speed of loading batches; return pairs per second."""
    keys = [[PairKey(0, number * batch + place) for place in range(batch)] for number in range(max(1, count // batch))]
    seconds = best_time(lambda number: dataset.__getitems__(keys[number]), len(keys), rounds) / batch
    print(f"  {name:28s} {1e6 * seconds:8.0f} us/pair {1 / seconds:9.0f} pairs/s")
    return 1 / seconds


def main(argv: list[str] | None = None) -> int:
    """Print pairs per second and core."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=224, help="pairs per round (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=9, help="rounds (default: %(default)s)")
    add_config_arguments(parser)
    args = parser.parse_args(argv)
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
    installed = "simplejpeg" if decode.simplejpeg is not None else "OpenCV alone; pip install simplejpeg"
    print(f"OpenCV {cv2.__version__}, NumPy {np.__version__}, torch {torch.__version__}; JPEG decoder: {installed}")
    if args.config is not None or args.opts:
        cfg = cfg_from_args(args)
        print("the configuration's data:")
        report(build_pair_dataset(cfg, 0), cfg.TRAIN.BATCH_SIZE, args.pairs, args.rounds)
        return 0
    with tempfile.TemporaryDirectory() as name:
        for folder, options in ((Path(name) / "plain", []), (Path(name) / "restarts", RESTARTS)):
            make_crops(folder, options)
        pack_folder(folder / "crop511", Path(name) / "crop511.sqlar")
        run_on_made_crops(Path(name), args.pairs, args.rounds)
    return 0


def run_on_made_crops(folder: Path, count: int, rounds: int) -> None:
    """Print all there is to compare on the crops of `make_crops`."""
    files = [file.read_bytes() for file in sorted(folder.glob("plain/crop511/*/*.jpg"))]
    print(
        f"crops of {np.mean([len(file) for file in files]) / 1000:.1f} KB as PySOT's scripts write them, its settings:"
    )
    whole = best_time(lambda number: decode.decode_image(files[number % len(files)]), count, rounds)
    print(f"  {'an image decoded whole':28s} {1e6 * whole:8.0f} us/image {1 / whole:8.0f} images/s")
    speed = report(build_pair_dataset(settings(folder, "plain/crop511"), 0), 28, count, rounds)
    print(f"  {speed / REFERENCE:.1f} times the {REFERENCE} of PySOT's pipeline; the goal is {GOAL}")
    print("crops with restart markers, as this project writes them:")
    report(build_pair_dataset(settings(folder, "restarts/crop511"), 0), 28, count, rounds)
    print("variants of the latter:")
    print_whole("from a packed file", build_pair_dataset(settings(folder, "crop511.sqlar"), 0), 28, count, rounds)
    device = settings(folder, "restarts/crop511", "DATASET.DEVICE_AUGMENT", True)
    dataset = build_pair_dataset(device, 0)
    print_whole("device augments: workers", dataset, 28, count, rounds)
    augment, batch = build_device_augment(device), dataset.__getitems__([PairKey(0, number) for number in range(28)])
    seconds = best_time(lambda _: augment(batch), 2, rounds) / 28
    print(f"  {'device augments: this CPU':28s} {1e6 * seconds:8.0f} us/pair {1 / seconds:9.0f} pairs/s")


def settings(folder: Path, root: str, *words: object) -> CfgNode:
    """Return PySOT's training settings of its r50 with some crops."""
    entry = {"ROOT": str(folder / root), "ANNO": str(folder / "plain" / "train.json"), "FRAME_RANGE": 100}
    return load_cfg(None, ["DATASET.MADE", entry, "DATASET.NAMES", ["MADE"], "DATASET.SEARCH.BLUR", 0.2, *words])


if __name__ == "__main__":
    raise SystemExit(main())
