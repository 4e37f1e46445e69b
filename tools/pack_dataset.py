"""Pack a folder of training images into one file, for file systems that are slow with millions of small ones.

    python tools/pack_dataset.py training_dataset/vid/crop511

writes training_dataset/vid/crop511.sqlar; give that as DATASET.VID.ROOT. The images lie in it unchanged. It is an
SQLite archive: `sqlite3 crop511.sqlar -Ax` unpacks it.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tqdm import tqdm

if not __package__:  # run as a file: the packages lie beside tools/, installed or not
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pysot.datasets.packed import SUFFIX, pack_folder
from pysot.utils import PysotError


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Return the parsed arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="what to pack; left as it is")
    parser.add_argument("--out", type=Path, help=f"file to write (default: the folder's name with {SUFFIX})")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Pack; return 0, or 2 after a mistake of the user's."""
    args = parse_args(argv)
    out = args.out or args.folder.with_name(args.folder.name + SUFFIX)
    try:
        with tqdm(desc=args.folder.name, unit=" files") as bar:
            count = pack_folder(args.folder, out, bar.update)
    except (PysotError, OSError) as error:
        print(f"pack_dataset: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted: nothing was written", file=sys.stderr)
        return 130
    print(f"{out}: {count:,} files, {out.stat().st_size / 1e6:,.1f} MB")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
