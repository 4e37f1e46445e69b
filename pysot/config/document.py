"""Write docs/configuration.md from the table of keys: ``python -m pysot.config.document > docs/configuration.md``."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from pysot.config.defaults import DATASET_ENTRY, KEYS, OPTIONAL, Key

_INTRODUCTION = """# Configuration

A configuration is the defaults below, changed by a YAML file, changed by `KEY VALUE` pairs:

```
python tools/test.py --config siamrpn_r50_l234_dwxcorr TRACK.LR 0.3 TRACK.PENALTY_K 0.1
```

`--config` (or `--cfg`) takes the name of a folder in [experiments](../experiments/README.md) or the path of a YAML
file. In Python:

```python
from pysot.config import load_cfg

cfg = load_cfg("siamrpn_r50_l234_dwxcorr", ["TRACK.LR", "0.3"])
```

Files written for PySOT load unchanged: a key that is not known is ignored, with a warning that names the nearest known
one. A wrong type, an unknown key among the `KEY VALUE` pairs, and values that cannot work together are errors; all of
them are reported at once. The result is frozen; `cfg.clone()` gives a copy that can be changed after `defrost()`.
"""


def markdown() -> str:
    """Return the text of docs/configuration.md."""
    sections = dict.fromkeys(_section(key) for key in KEYS)
    parts = [_INTRODUCTION]
    for section in sections:
        keys = [key for key in KEYS if _section(key) == section]
        parts.append(f"## {section}\n\n" + _table(("key", "default", "unit", "meaning", "source"), map(_row, keys)))
        optional = [key for key in OPTIONAL if key.path.startswith(f"{section}.")]
        if optional:
            rows = [(f"`{key.path}`", " or ".join(key.kinds), key.meaning) for key in optional]
            parts.append("Arguments it takes:\n\n" + _table(("key", "type", "meaning"), rows))
        if section == "DATASET":
            entry = ", ".join(f"`{name}` {default!r}" for name, default in DATASET_ENTRY.items())
            parts.append(f"Further data sets are added by name, as `DATASET.<NAME>`, with the keys {entry}.\n")
    return "\n".join(parts)


def _section(key: Key) -> str:
    return key.path.split(".")[0] if "." in key.path else "General"


def _row(key: Key) -> tuple[str, ...]:
    return f"`{key.path}`", f"`{key.default!r}`", key.unit, key.meaning, key.source


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join("| " + " | ".join(cells) + " |\n" for cells in lines)


if __name__ == "__main__":
    sys.stdout.write(markdown())
