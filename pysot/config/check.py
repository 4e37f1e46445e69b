"""Find what cannot work in a configuration whose types are right."""

from __future__ import annotations

from yacs.config import CfgNode


def find_faults(cfg: CfgNode) -> list[str]:
    """Return one message per fault, none if the configuration can work."""
    return []
