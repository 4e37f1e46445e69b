"""Convert a checkpoint of any known layout to this project's own: named tensors, in PyTorch's format or safetensors.

Known: PySOT's weights and training checkpoints, foolwood/SiamMask, foolwood/DaSiamRPN, siamfc-pytorch, backbones alone,
torchvision's ImageNet ResNets and MobileNetV2. Nothing in the file is executed. Loading converts by itself; this tool
is for keeping the result, and for looking at what a file holds.

    python tools/convert.py SiamRPNVOT.model dasiamrpn_vot.pth
    python tools/convert.py checkpoint_e20.pth model.pth --cfg siamrpn_r50
    python tools/convert.py checkpoint_e20.pth model.safetensors --half --cfg siamrpn_nano --note "20 epochs on GOT-10k"

A .safetensors file also keeps the configuration (--cfg), its SHA-256, and the note.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path

from yacs.config import CfgNode

if not __package__:  # run as a file: the packages lie beside tools/, installed or not
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import pysot
from pysot.engine.checkpoint import SAFETENSORS, convert_checkpoint


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("input", type=Path, metavar="IN", help="checkpoint to read")
    parser.add_argument("output", type=Path, metavar="OUT", help="file to write; refused if it exists without --force")
    parser.add_argument(
        "--cfg",
        "--config",
        dest="config",
        help="configuration the result must fit exactly; decides which of AlexNet's two layouts is written",
    )
    parser.add_argument("--half", action="store_true", help="store convolutions in half precision: half the size")
    parser.add_argument("--note", help="what a .safetensors file should say about these weights")
    parser.add_argument("--force", action="store_true", help="replace OUT if it exists")
    return parser.parse_args(argv)


def describe(cfg: CfgNode | None, note: str | None) -> dict[str, str]:
    """Return the texts that go with the weights."""
    texts = {"pysot": pysot.__version__}
    if cfg is not None:
        dumped = cfg.dump()
        texts |= {"config": dumped, "config_sha256": hashlib.sha256(dumped.encode()).hexdigest()}
    return texts | ({"note": note} if note else {})


def main(argv: Sequence[str] | None = None) -> int:
    """Convert and return the exit code: 0, or 2 after an error of the user's."""
    args = parse_args(argv)
    try:
        if args.output.exists() and not args.force:
            raise pysot.PysotError(f"{args.output} exists; give --force to replace it")
        if args.note and args.output.suffix != SAFETENSORS:
            raise pysot.PysotError(f"--note needs an OUT that ends in {SAFETENSORS}, got {args.output}")
        cfg = pysot.load_cfg(args.config) if args.config else None
        model = None if cfg is None else pysot.build_model(cfg)
        report = convert_checkpoint(args.input, args.output, model, half=args.half, metadata=describe(cfg, args.note))
    except (pysot.PysotError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted: nothing was written", file=sys.stderr)
        return 130
    print(report)
    for kind, names in (("not used", report.unused), ("another shape", report.mismatched)):
        for name, reason in names.items():
            print(f"  {kind}: {name}: {reason}")
    print(f"written: {args.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
