"""From a name to a tracker that runs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from pysot.config import experiment_names, load_cfg
from pysot.engine import load_checkpoint
from pysot.models import build_model
from pysot.runtime import Runtime
from pysot.trackers import Tracker, build_tracker
from pysot.utils import CheckpointError, ConfigError
from pysot.zoo import entries, fetch, get_entry

if TYPE_CHECKING:
    from yacs.config import CfgNode


def load_tracker(
    name: str | None = None,
    *,
    cfg: CfgNode | str | os.PathLike[str] | None = None,
    snapshot: str | os.PathLike[str] | None = None,
    overrides: Sequence[Any] = (),
    device: str | torch.device = "auto",
    runtime: Runtime | None = None,
) -> Tracker[Any]:
    """Return a tracker with trained weights, ready for ``init`` and ``track``.

    Args:
        name: A tracker of the zoo (``python tools/zoo.py list``): ``default`` lies in the package, the weights of
            others are fetched on first use and cached.
        cfg: A configuration, a YAML file or the name of an experiment; by default the zoo entry's.
        snapshot: A checkpoint file; by default the zoo entry's.
        overrides: KEY, VALUE, ... on top of a configuration given by name or file.
        device: ``auto`` (CUDA where there is one), ``cpu``, ``cuda`` or ``cuda:N``.
        runtime: ``eager``, ``fused`` or ``bf16``, by default the configuration's; see `pysot.build_tracker`.

    Raises:
        ConfigError: Neither a name nor both cfg and snapshot, an unknown name, or a faulty configuration.
        CheckpointError: The weights do not fit the configuration, or are those of a backbone alone.
        DownloadError: The weights could not be fetched.

    Example:
        >>> tracker = load_tracker("siammask_r50_l3", overrides=["TRACK.LR", 0.4])  # doctest: +SKIP
        >>> tracker = load_tracker(cfg="siamrpn_r50", snapshot="snapshot/best.pth")  # doctest: +SKIP
    """
    if name is None and (cfg is None or snapshot is None):
        raise ConfigError("load_tracker() needs the name of a zoo model, or both cfg= and snapshot=")
    if name in experiment_names() and name not in [entry.name for entry in entries()]:
        raise ConfigError(
            f"{name!r} is a configuration without public weights: "
            f"use load_tracker(cfg={name!r}, snapshot=...) with a checkpoint of yours"
        )
    entry = get_entry(name) if name is not None else None
    if entry is not None and entry.config is None:
        raise ConfigError(f"{name!r} is a {entry.kind}, not a tracker; see python tools/zoo.py list")
    chosen = cfg if cfg is not None else entry.config  # type: ignore[union-attr]  # one of the two is there
    if isinstance(chosen, (str, os.PathLike)):
        chosen = load_cfg(chosen, overrides)
    elif overrides:
        raise ConfigError("overrides= goes with a configuration given by name or file; change the CfgNode instead")
    model = build_model(chosen)
    weights = Path(snapshot) if snapshot is not None else fetch(entry)  # type: ignore[arg-type]
    report = load_checkpoint(model, weights)
    if report.backbone_only and any(not name.startswith("backbone.") for name in model.state_dict()):
        raise CheckpointError(
            f"{weights}: weights of a backbone alone ({report.layout}), the rest of the tracker would be untrained; "
            f"they are for starting a training (BACKBONE.PRETRAINED)"
        )
    return build_tracker(chosen, model, device, runtime)
