"""Track what you point at in a video: annotated video, boxes as CSV and JSON, a window where there is a display."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
if not __package__:  # run as a file: the packages lie beside tools/, installed or not
    sys.path.insert(0, str(ROOT))

import pysot
from pysot import demo
from pysot.config.cli import add_config_arguments, at_least_one, cfg_from_args, split_overrides
from pysot.run_record import find_model
from pysot.utils import InputError, PysotError
from pysot.zoo import DEFAULT_MODEL, get_entry

SEARCH = (Path("demo"), ROOT / "demo")
NARROWEST, WIDEST = 16, 7680  # pixels; what encoders take, and 8K
EXAMPLES = """
examples:
  python tools/demo.py --video bag.avi
      demo/bag.avi, from the box in demo/bag.txt
  python tools/demo.py --video clip.mp4 --init-rect 300,120,80,60 --init-rect 40,52,30,30
      two targets in a video of yours
  python tools/demo.py --video 'frames/*.png' --output results/
      images; quote the pattern
  python tools/demo.py --video clip.mp4 --output clip.webp --width 432
      a small animation for a README
  python tools/demo.py --video 0
      camera 0: draw the box in the window
  python tools/demo.py --video clip.mp4 --config siamrpn_r50_l234_dwxcorr --snapshot model.pth
      a checkpoint of yours
  python tools/demo.py --video bag.avi TRACK.LR 0.4
      another setting of the default model
"""


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--video",
        "--video-name",
        "--video_name",
        dest="video",
        required=True,
        help="video file, folder or quoted pattern of images, camera index, or address of a stream; "
        "looked for as given, then in demo/",
    )
    parser.add_argument(
        "--init-rect",
        action="append",
        default=[],
        metavar="X,Y,W,H",
        help="box to start on, in pixels from the upper left corner; repeat for more targets (default: the first "
        "line of bag.txt beside bag.avi or of groundtruth.txt with the images, else you draw it in a window)",
    )
    parser.add_argument(
        "--output",
        metavar="FILE_OR_FOLDER",
        help="annotated video (.mp4, .mov, .mkv, .avi) or animation (.gif, .webp), with the boxes beside it as "
        ".csv and .json (default: bag_tracked.mp4 beside bag.avi)",
    )
    parser.add_argument(
        "--width", type=width, metavar="PIXELS", help="of the annotated video (default: that of the frames)"
    )
    parser.add_argument("--no-window", action="store_true", help="open no window even where there is a display")
    parser.add_argument("--max-frames", type=at_least_one, metavar="N", help="stop after N frames")
    parser.add_argument("--model", metavar="NAME", help=f"model of the zoo (default: {DEFAULT_MODEL})")
    parser.add_argument("--snapshot", metavar="FILE", help="checkpoint of yours that goes with --config")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, ... (default: auto)")
    add_config_arguments(parser)
    return parser.parse_args(attach_boxes(sys.argv[1:] if argv is None else argv))


def attach_boxes(argv: Sequence[str]) -> list[str]:
    """Join ``--init-rect`` and its box into one word: a box that begins with a minus would pass for an option."""
    words: list[str] = []
    for word in argv:
        if words and words[-1] == "--init-rect":
            words[-1] += f"={word}"
        else:
            words.append(word)
    return words


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demo; return 0, or 2 after a mistake in what was given."""
    args = parse_args(argv)
    demo.quiet_opencv()
    try:
        print(run(args))
    except (PysotError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted before the first frame: nothing was written", file=sys.stderr)
        return 130
    return 0


def run(args: argparse.Namespace) -> str:
    """Track as the arguments say; return the closing line."""
    load = choose_model(args)
    source = demo.open_source(args.video, SEARCH)
    try:
        # All that can be wrong with the input shows before a model is fetched and loaded.
        start = demo.resolve_start(source, args.init_rect)
        path = demo.resolve_output(source, args.output)
        windowed = not args.no_window and demo.can_show()
        if start is None and not windowed:
            raise demo.missing_start(source)
        targets = pysot.MultiTracker(load())
        source.refresh()
        start = start or demo.draw_start(source, source.label)
        window = demo.Window(source.label) if windowed else None
        height, width = source.first.shape[:2]
        about = {
            "video": source.label,
            "model": args.snapshot or args.model or args.config or DEFAULT_MODEL,
            "width": width,
            "height": height,
            "fps": source.fps,
        }
        with demo.open_outputs(path, source.fps, about, args.width) as outputs:
            summary = demo.follow(source, targets, start, outputs, window, args.max_frames)
    finally:
        source.close()
    for warning in filter(None, (source.warning, outputs.warning)):
        print(f"warning: {warning}", file=sys.stderr)
    return closing_line(summary, start, outputs)


def choose_model(args: argparse.Namespace) -> Callable[[], Any]:
    """Return what loads the chosen tracker: a model of the zoo, or a checkpoint with its configuration."""
    if args.model and (args.config or args.snapshot):
        raise InputError("--model is a configuration with its weights: expected it alone, or --config and --snapshot")
    if args.snapshot and not args.config:
        raise InputError(f"--snapshot {args.snapshot} needs --config, the configuration that it goes with")
    strays, _ = split_overrides(args.opts)
    if strays:
        raise InputError(f"{' '.join(strays)}: no configuration key; a pattern of images needs quotes")
    # A mistake in the configuration shows before the video is opened; weights are fetched after that.
    if args.config:
        cfg_from_args(args)
        return partial(load_configured, args)
    name = args.model or DEFAULT_MODEL
    if args.opts:
        cfg_from_args(args, get_entry(name).config)
    return partial(pysot.load_tracker, name, overrides=args.opts, device=args.device)


def load_configured(args: argparse.Namespace) -> Any:
    """Return the tracker of a configuration with the given weights, or the public ones."""
    model = find_model(args.config, args.snapshot, args.opts)
    return pysot.load_tracker(cfg=model.cfg, snapshot=model.snapshot, device=args.device)


def width(text: str) -> int:
    """Read the width of a video that can be encoded and drawn into."""
    if not text.isdecimal() or not NARROWEST <= int(text) <= WIDEST:
        raise argparse.ArgumentTypeError(f"expected {NARROWEST} to {WIDEST} pixels, got {text}")
    return int(text)


def closing_line(summary: demo.Summary, start: demo.Start, outputs: demo.Outputs) -> str:
    """Say what was done, how fast, how well where that is known, and where the files are."""
    parts = [f"{summary.frames} frames", f"{summary.fps:.1f} fps (mean, tracking alone)"]
    if summary.mean_iou is not None:
        parts.append(f"mean IoU {summary.mean_iou:.3f} with {start.origin} (axis-aligned boxes)")
    if summary.interrupted:
        parts.insert(0, "interrupted")
    csv, json = outputs.csv_path.name, outputs.json_path.name
    return f"{', '.join(parts)}: {outputs.video_path}, boxes in {csv} and {json} beside it"


if __name__ == "__main__":
    sys.exit(main())
