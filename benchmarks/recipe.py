"""Run a recipe for a CPU from nothing to its scores, with a stopwatch.

    python benchmarks/recipe.py --config siamfc_synthetic --folder synthetic
    python benchmarks/recipe.py --config siamrpn_mobilev2_synthetic --folder synthetic --real ../shared/data/otb
    python benchmarks/recipe.py --after siammask_synthetic --config siammask_synthetic_refine --folder synthetic

Videos are drawn, a network is trained on them, and the tracker is tested on drawn videos it has not seen, and with
--real on the sequences of OTB100 whose images are in that folder. Beside it stands a box that never moves. The same
command line goes on where it was stopped; recipes share a folder and its videos. KEY VALUE apply to every stage.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import torch

from pysot import zoo
from pysot.config import add_config_arguments, cfg_from_args, load_cfg
from pysot.utils import PysotError
from toolkit.datasets import Dataset, load_dataset
from toolkit.errors import ToolkitError
from toolkit.evaluate import Scores, evaluate
from toolkit.protocols import start_box_xywh
from toolkit.results import write_boxes
from toolkit.runner import narrowed

VIDEOS, FRAMES = 1200, 16
"""What the recipes are trained on."""
STATIC = "static"
Seconds = tuple[float, float]


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="where everything goes")
    parser.add_argument("--data", type=Path, help="drawn videos; what is there already is not drawn again")
    parser.add_argument("--videos", type=int, default=VIDEOS, help="to train on (default: %(default)s)")
    parser.add_argument("--test-videos", type=int, default=20, help="to test on (default: %(default)s)")
    parser.add_argument(
        "--after",
        metavar="NAME",
        help="recipe to train first; --config starts from its best weights (TRAIN.PRETRAINED)",
    )
    parser.add_argument("--processes", type=int, default=2, help="of every stage (default: %(default)s)")
    parser.add_argument("--real", type=Path, metavar="DIR", help="folder with OTB100/")
    add_config_arguments(parser)
    args = parser.parse_args(argv)
    if args.config is None:
        parser.error("--config is missing: name a recipe, such as siamfc_synthetic")
    return args


class Stopwatch:
    """Takes the time of stages that run in processes of their own: on the clock, and on all cores together."""

    def __init__(self) -> None:
        self.stages: dict[str, Seconds] = {}

    def run(self, stage: str, *command: str | Path) -> None:
        """Run a program of the repository.

        Raises:
            subprocess.CalledProcessError: It failed.
        """
        line = [str(part) for part in command]
        print(f"\n{stage}: {' '.join(line)}", flush=True)
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        began, used = time.perf_counter(), _cpu_seconds()
        subprocess.run([sys.executable, *line], cwd=ROOT, env=environment, check=True)
        before = self.stages.get(stage, (0.0, 0.0))
        self.stages[stage] = (before[0] + time.perf_counter() - began, before[1] + _cpu_seconds() - used)


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main(argv: Sequence[str] | None = None) -> int:
    """Run all stages and print the tables."""
    args = parse_args(argv)
    folder = args.folder.resolve()
    data = (args.data or folder / "data").resolve()
    watch = Stopwatch()
    try:
        cfg_from_args(args)  # a wrong name is found out before an hour's work
        if args.after is not None:
            load_cfg(args.after, args.opts)
        draw(args, data, watch)
        start: list[str | Path] = []
        if args.after is not None:
            train(args, args.after, folder, data, watch)
            start = ["TRAIN.PRETRAINED", best_weights(folder, args.after)]
        train(args, args.config, folder, data, watch, *start)
        found = [test(args, folder, data, "Synthetic", [], watch)]
        if args.real is not None:
            videos = sequences_with_images(args.real, "OTB100")
            found.append(test(args, folder, args.real.resolve(), "OTB100", videos, watch))
    except (PysotError, ToolkitError, OSError, subprocess.CalledProcessError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    report(recipe_name(args.config), watch, found)
    return 0


def draw(args: argparse.Namespace, data: Path, watch: Stopwatch) -> None:
    """Draw the videos."""
    drawn = f"--videos {args.videos} --frames {FRAMES} --test-videos {args.test_videos} --workers {args.processes}"
    watch.run("draw", "training_dataset/synthetic/prepare.py", *drawn.split(), "--output", data)


def train(
    args: argparse.Namespace, config: str, folder: Path, data: Path, watch: Stopwatch, *settings: str | Path
) -> None:
    """Train on the drawn videos, from fresh weights, from those of a backbone that the zoo has, or as set."""
    weights = best_weights(folder, config)
    places: list[str | Path] = ["TRAIN.SNAPSHOT_DIR", weights.parent, "TRAIN.LOG_DIR", weights.parents[1] / "logs"]
    for name, file in (("SYNTHETIC", "train.json"), ("SYNTHETIC_VAL", "val.json")):
        places += [f"DATASET.{name}.ROOT", data / "crop511", f"DATASET.{name}.ANNO", data / file]
    pretrained = load_cfg(config).BACKBONE.PRETRAINED
    if pretrained and not Path(pretrained).is_file():
        backbone = Path(pretrained).stem
        watch.run("fetch", "tools/zoo.py", "fetch", backbone)
        places += ["BACKBONE.PRETRAINED", zoo.fetch(backbone)]
    launch = f"-m torch.distributed.run --nproc-per-node {args.processes} tools/train.py --device cpu --resume auto"
    watch.run(f"train {recipe_name(config)}", *launch.split(), "--config", config, *places, *settings, *args.opts)


def best_weights(folder: Path, config: str) -> Path:
    """Return where the best weights of a training are."""
    return folder / recipe_name(config) / "snapshot" / "best.pth"


def recipe_name(config: str) -> str:
    """Return what a recipe is called, whose configuration is given by its name or its file.

    Example:
        >>> recipe_name("experiments/siamfc_synthetic/config.yaml"), recipe_name("siamfc_synthetic")
        ('siamfc_synthetic', 'siamfc_synthetic')
    """
    return Path(config).resolve().parent.name if Path(config).name == "config.yaml" else Path(config).stem


def test(
    args: argparse.Namespace, folder: Path, root: Path, name: str, videos: list[str], watch: Stopwatch
) -> tuple[Dataset, dict[str, Scores]]:
    """Test on a benchmark, or some of its sequences, and score it beside a box that never moves."""
    results = folder / "results"
    launch = f"tools/test.py --device cpu --runtime fused --workers {args.processes} --dataset {name}"
    places: list[str | Path] = [
        "--dataset-root",
        root,
        "--results",
        results,
        "--snapshot",
        best_weights(folder, args.config),
    ]
    names = [
        "--config",
        args.config,
        "--tracker-name",
        recipe_name(args.config),
        *(["--video", *videos] if videos else []),
    ]
    watch.run("test", *launch.split(), *places, *names, *args.opts)
    dataset = load_dataset(name, root)
    dataset = narrowed(dataset, videos) if videos else dataset
    for sequence in dataset.sequences:
        boxes = [start_box_xywh(sequence.start_region)] * len(sequence)
        write_boxes(results / name / STATIC / f"{sequence.name}.txt", boxes)
    return dataset, evaluate(dataset, results, [recipe_name(args.config), STATIC]).scores


def sequences_with_images(root: Path, name: str) -> list[str]:
    """Return the sequences whose images are there."""
    return [each.name for each in load_dataset(name, root).sequences if each.frames.paths[0].is_file()]


def report(recipe: str, watch: Stopwatch, found: list[tuple[Dataset, dict[str, Scores]]]) -> None:
    """Print how long it took and what came of it."""
    print(f"\n{recipe}, {os.cpu_count()} cores ({platform.machine()}), torch {torch.__version__}\n")
    print("| stage | seconds | CPU seconds |\n|---|---|---|")
    total = (sum(wall for wall, _ in watch.stages.values()), sum(used for _, used in watch.stages.values()))
    for stage, (wall, used) in [*watch.stages.items(), ("all", total)]:
        print(f"| {stage} | {wall:.0f} | {used:.0f} |")
    print(f"\n| success AUC | {recipe} | a box that never moves |\n|---|---|---|")
    for dataset, scores in found:
        of: Callable[[str], Scores] = scores.__getitem__
        means = [of(name).value("success_auc") for name in (recipe, STATIC)]
        print(f"| {dataset.benchmark.name} | {means[0]:.3f} | {means[1]:.3f} |")
        if dataset.benchmark.name != "Synthetic":
            rows = zip(*(of(name).per_sequence("success_auc") for name in (recipe, STATIC)), strict=True)
            for sequence, (tracker, static) in zip(dataset.sequences, rows, strict=True):
                print(f"| {sequence.name} | {tracker:.3f} | {static:.3f} |")
        masks = of(recipe).statistics.get("mask_iou")
        if masks is not None and of(recipe).value("mask_iou") == of(recipe).value("mask_iou"):
            print(f"| {dataset.benchmark.name}, mask IoU | {of(recipe).value('mask_iou'):.3f} | |")


if __name__ == "__main__":
    sys.exit(main())
