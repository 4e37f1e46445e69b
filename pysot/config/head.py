"""What a configuration says about its head."""

from __future__ import annotations

from yacs.config import CfgNode


def predicts_points(cfg: CfgNode) -> bool:
    """Return whether boxes are distances from each cell of the score map, not offsets from anchors or no boxes at all.

    Example:
        >>> from pysot.config import get_cfg
        >>> predicts_points(get_cfg())
        False
    """
    return "PointHead" in (cfg.RPN.TYPE, cfg.RPN.KWARGS.get("branch"))
