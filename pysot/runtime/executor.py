"""Runs a network on crops that come as uint8 images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pysot.models import NetworkOutput, SiameseNet, Template
from pysot.runtime.fuse import fuse_conv_bn
from pysot.utils import InputError


def choose_device(device: str | torch.device = "auto") -> torch.device:
    """Return the device of that name; ``auto`` is CUDA where there is one, else the CPU.

    Raises:
        InputError: No such device, or CUDA asked for where there is none.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
    except RuntimeError as error:
        raise InputError(f"unknown device {device!r}: expected 'auto', 'cpu', 'cuda' or 'cuda:N'") from error
    if chosen.type == "cuda" and not torch.cuda.is_available():
        raise InputError(f"device {device!r} was asked for, but torch {torch.__version__} finds no CUDA device")
    return chosen


class Executor:
    """A network made ready for inference. Keeps no state between calls; safe to share between trackers.

    Args:
        network: Left as it is; the executor works on its own copy, with folded batch normalisation.
        device: Where to run.
        color: Channel order of the network's input.
    """

    def __init__(self, network: SiameseNet, device: torch.device, color: Literal["BGR", "RGB"] = "BGR") -> None:
        self.network = fuse_conv_bn(network).to(device, memory_format=torch.channels_last)
        self.network.requires_grad_(False)
        self.device = device
        self.color = color

    @torch.inference_mode()
    def encode_template(self, crops: Sequence[NDArray[np.uint8]]) -> Template:
        """Return the template of N crops (S, S, 3) uint8 BGR."""
        return self.network.encode_template(self._to_input(crops))

    @torch.inference_mode()
    def search(self, template: Template, crops: Sequence[NDArray[np.uint8]]) -> NetworkOutput:
        """Return the network's answer for N crops (S, S, 3) uint8 BGR."""
        return self.network(template, self._to_input(crops))

    @torch.inference_mode()
    def masks_at(self, output: NetworkOutput, cells: Tensor) -> Tensor:
        """Return mask probabilities (N, M, M) of cells (N, 3): batch index, row, column."""
        return self.network.masks_at(output, cells).sigmoid()

    def _to_input(self, crops: Sequence[NDArray[np.uint8]]) -> Tensor:
        # Stacked images are channels-last in memory already, which is what the convolutions here prefer; bytes cross
        # to the device, floats are made there.
        pixels = torch.from_numpy(np.stack(crops)).to(self.device).permute(0, 3, 1, 2)
        return (pixels.flip(1) if self.color == "RGB" else pixels).float()
