"""Networks small enough for tests."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from yacs.config import CfgNode

import pysot
from pysot.models import SiameseNet

# Arguments that make a backbone small, where it has such.
_WIDTH = {"alexnet": 0.1, "alexnetlegacy": 0.1, "mobilenetv2": 0.25}


def small_cfg(backbone: str, head: str, **keys: Any) -> CfgNode:
    """Return a configuration of the smallest such backbone, its last level, no neck; ``keys`` are dotted."""
    cfg = pysot.get_cfg()
    cfg.BACKBONE.TYPE, cfg.RPN.TYPE, cfg.ADJUST.ADJUST = backbone, head, False
    if backbone in _WIDTH:
        cfg.BACKBONE.KWARGS.width_mult = _WIDTH[backbone]
    for key, value in keys.items():
        *sections, leaf = key.split(".")
        node = cfg
        for section in sections:
            node = node[section]
        node[leaf] = value
    return cfg


def images(count: int, size: int, seed: int = 0) -> Tensor:
    """Return noise images (count, 3, size, size) in 0..255."""
    return torch.from_numpy(np.random.default_rng(seed).uniform(0, 255, (count, 3, size, size)).astype(np.float32))


def calibrated(network: SiameseNet) -> SiameseNet:
    """Return the network in evaluation mode, its normalisations fitted to noise and none of them trivial."""
    torch.manual_seed(0)
    norms = [module for module in network.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    for norm in norms:
        torch.nn.init.uniform_(norm.weight, 0.5, 1.5)
        torch.nn.init.normal_(norm.bias, std=0.1)
    momenta = [norm.momentum for norm in norms]
    with torch.no_grad():
        for norm in norms:
            norm.momentum = 1.0  # one pass is enough: the statistics are those of its batch
        network(network.encode_template(images(4, 127)), images(4, 191, 1))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    return network.eval()
