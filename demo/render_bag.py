#!/usr/bin/env python3
"""Render the demo clip: a canvas backpack riding a luggage carousel, with its ground truth.

Everything in the picture (shapes, textures, motion) is made by ``bag_clip`` from a seed. Each frame is the mean of
many renderings inside one shutter interval; every one of them has its own time, pixel offset, lens position,
sun position and sky direction, so that motion blur, smooth edges, depth of field, soft shadows and ambient
occlusion all come from one plain OpenGL pass and a mean.

    pip install "pysot[render]"                             # and the program ffmpeg, see demo/README.md
    python demo/render_bag.py                               # the shipped clip: 640x480, 240 frames
    python demo/render_bag.py --frames 50 --size 320x240 --output /tmp/small.avi
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, cast

from bag_clip.motion import FPS

CLIP_FRAMES = 240
# MPEG-4 part 2 without frames out of order: every build of OpenCV reads it and counts its frames right.
BITRATE = "1450k"
ENCODER = ["-vtag", "XVID", "-g", "100", "-bf", "0"]
ENCODER += ["-mbd", "rd", "-trellis", "2", "-flags", "+mv4+aic", "-cmp", "2", "-subcmp", "2"]


def _parse_size(text: str) -> tuple[int, int]:
    """``640x480`` as (640, 480)."""
    width, _, height = text.lower().partition("x")
    sides = [int(side) if side.isdigit() else 0 for side in (width, height)]
    if min(sides) < 16 or sides[0] % 2 or sides[1] % 2:
        raise argparse.ArgumentTypeError(f"expected even WIDTHxHEIGHT from 16x16 on, such as 640x480, got {text!r}")
    return sides[0], sides[1]


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path(__file__).with_name("bag.avi"), help="the clip (.avi)")
    parser.add_argument("--frames", type=int, default=CLIP_FRAMES, help=f"how many frames, at {FPS} a second")
    parser.add_argument("--size", type=_parse_size, default=(640, 480), metavar="WxH", help="pixels, such as 640x480")
    parser.add_argument("--seed", type=int, default=4, help="seed of the textures and of the plants' leaves")
    return parser.parse_args(argv)


def find_ffmpeg() -> str:
    """The ffmpeg program: what the environment variable FFMPEG names, else ``ffmpeg`` on the search path.

    Raises:
        OSError: there is none.
    """
    name = os.environ.get("FFMPEG") or "ffmpeg"
    program = shutil.which(name)
    if program is None:
        raise OSError(
            f"no program {name!r} found: install ffmpeg (apt install ffmpeg, brew install ffmpeg or "
            "winget install ffmpeg), or set FFMPEG to its path"
        )
    return program


@contextlib.contextmanager
def encoder(output: Path, size: tuple[int, int]) -> Iterator[Callable[[bytes], int]]:
    """Run ffmpeg and give the function that takes each frame as ``size`` BGR bytes; the clip is whole at the end.

    OpenCV's own writer has no way to set a bitrate.

    Raises:
        OSError: there is no ffmpeg, or it failed.
    """
    command = [find_ffmpeg(), "-y", "-v", "error", "-f", "rawvideo", "-pix_fmt", "bgr24"]
    command += ["-s", "{}x{}".format(*size), "-r", str(FPS), "-i", "-"]
    command += ["-c:v", "mpeg4", "-pix_fmt", "yuv420p", "-b:v", BITRATE, *ENCODER, str(output)]
    broken = False
    with tempfile.TemporaryFile() as said:
        try:
            with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=said) as process:
                yield cast(IO[bytes], process.stdin).write
        except BrokenPipeError:  # it ended early; why stands in what it said
            broken = True
        if broken or process.returncode:
            said.seek(0)
            words = said.read().decode(errors="replace").strip()
            raise OSError(f"ffmpeg failed with status {process.returncode}: {words or 'it gave no reason'}")


def write_clip(output: Path, frames: int, size: tuple[int, int], seed: int) -> None:
    """Render to ``output`` and, beside it, the target boxes as text; both appear only when complete.

    Raises:
        OSError: the clip cannot be written there, or there is no ffmpeg or no OpenGL.
    """
    from bag_clip.renderer import render  # here, so that --help and the checks need no renderer

    if not output.parent.is_dir():
        raise OSError(f"no folder {output.parent}: create it, or choose another --output")
    part, truth = (output.with_name(f".{output.stem}.part{suffix}") for suffix in (".avi", ".txt"))
    lines = []
    try:
        with encoder(part, size) as write:
            for picture, box in render(frames, size, seed):
                write(picture.tobytes())
                lines.append(",".join(f"{value:.2f}" for value in box.ravel()))
                print(f"\r{len(lines)}/{frames} frames", end="", file=sys.stderr, flush=True)
        print(file=sys.stderr)
        truth.write_text("\n".join(lines) + "\n", encoding="ascii")
        os.replace(truth, output.with_suffix(".txt"))
        os.replace(part, output)
    finally:
        for left in (part, truth):
            left.unlink(missing_ok=True)


def main(argv: list[str] | None = None) -> int:
    """Render the clip; 2 if that is not possible here."""
    args = parse_args(argv)
    if args.frames < 1 or args.output.suffix != ".avi":
        print("expected at least one frame and an output that ends in .avi", file=sys.stderr)
        return 2
    try:
        write_clip(args.output, args.frames, args.size, args.seed)
    except ImportError as error:
        print(f'{error}; the renderer is an extra: pip install "pysot[render]"', file=sys.stderr)
        return 2
    except OSError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
