"""Runs a network on crops that come as uint8 images."""

from __future__ import annotations

import copy
import threading
from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pysot.models import NetworkOutput, SiameseNet, Template
from pysot.runtime.fuse import fuse_conv_bn
from pysot.runtime.pack import can_pack, pack_for
from pysot.utils import InputError

Runtime = Literal["eager", "fused", "bf16"]


def choose_device(device: str | torch.device = "auto") -> torch.device:
    """Return the device of that name; ``auto`` is CUDA where there is one, else the CPU.

    Raises:
        InputError: No such device, or one that does not work here.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
    except RuntimeError as error:
        raise InputError(f"unknown device {device!r}: expected 'auto', 'cpu', 'cuda' or 'cuda:N'") from error
    if chosen.type == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if (chosen.index or 0) >= count:
            found = f"{count} CUDA device{'s' if count > 1 else ''}" if count else "no CUDA device"
            raise InputError(f"device {device!r} was asked for, but torch {torch.__version__} finds {found}")
    elif chosen.type != "cpu":
        try:
            torch.zeros(1, device=chosen).cpu()
        except Exception as error:  # each backend has its own way to be absent
            raise InputError(f"device {device!r} cannot be used with torch {torch.__version__}") from error
    return chosen


class Executor:
    """A network made ready for inference. Its answers depend on no call before; safe to share between trackers.

    On x86 CPUs, convolutions are packed for the size of the first search crop (see `pysot.runtime.pack`); crops of
    other sizes are searched without that.

    Args:
        network: Left as it is; the executor works on a copy in evaluation mode, made once. New weights need a new
            executor.
        device: Where to run.
        color: Channel order of the network's input.
        runtime: ``eager`` runs the layers one by one, as the published trackers do; ``fused`` folds the batch
            normalisations and keeps channels last in memory: the same function up to rounding (about 1e-5), faster;
            ``bf16`` does that and computes in bfloat16, whose rounding is about 1e-2: faster still where the processor
            has instructions for it. Scores, boxes and masks are float32 in all of them.
    """

    def __init__(
        self,
        network: SiameseNet,
        device: torch.device,
        color: Literal["BGR", "RGB"] = "BGR",
        runtime: Runtime = "eager",
    ) -> None:
        if runtime not in get_args(Runtime):
            raise InputError(f"unknown runtime {runtime!r}: expected one of {list(get_args(Runtime))}")
        folds = runtime != "eager"
        self._memory_format = torch.channels_last if folds else torch.contiguous_format
        self._kind = torch.bfloat16 if runtime == "bf16" else torch.float32
        ready = fuse_conv_bn(network) if folds else copy.deepcopy(network).eval()
        # nn.Module.to takes a memory format, its annotations do not know.
        self.network = ready.to(device, self._kind).to(memory_format=self._memory_format)  # type: ignore[call-overload]
        self.network.requires_grad_(False)
        self.device = device
        self.color = color
        self._packed: SiameseNet | None = None
        self._packed_size: int | None = None
        self._packing = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        # oneDNN's layouts are of this process and this machine. A copy packs for the same size, and so answers alike.
        return self.__dict__ | {"_packed": None, "_packing": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _packing=threading.Lock())

    @torch.inference_mode()
    def encode_template(self, crops: Sequence[NDArray[np.uint8]]) -> Template:
        """Return the template of N crops (S, S, 3) uint8 BGR."""
        template = self.network.encode_template(self._to_input(crops))
        return template._replace(features=_precise(template.features), early_features=_precise(template.early_features))

    @torch.inference_mode()
    def search(self, template: Template, crops: Sequence[NDArray[np.uint8]]) -> NetworkOutput:
        """Return the network's answer for N crops (S, S, 3) uint8 BGR."""
        image = self._to_input(crops)
        output = self._network_for(template, image)(template, image)
        return output._replace(
            cls=output.cls.float(),
            loc=None if output.loc is None else output.loc.float(),
            features=_precise(output.features),
            quality=_precise(output.quality),
        )

    @torch.inference_mode()
    def masks_at(self, output: NetworkOutput, cells: Tensor) -> Tensor:
        """Return mask probabilities (N, M, M) of cells (N, 3): batch index, row, column."""
        return self.network.masks_at(output, cells).float().sigmoid()

    def _network_for(self, template: Template, image: Tensor) -> SiameseNet:
        """Return the network that searches such crops: a packed one for the size of the first."""
        size = image.shape[-1]
        if not can_pack(self.device) or self._packed_size not in (None, size):
            return self.network
        with self._packing:
            if self._packed is None:
                self._packed_size, self._packed = size, pack_for(self.network, template, image)
        return self._packed

    def _to_input(self, crops: Sequence[NDArray[np.uint8]]) -> Tensor:
        # Bytes cross to the device; floats are made there.
        pixels = torch.from_numpy(np.stack(crops)).to(self.device).permute(0, 3, 1, 2)
        if self.color == "RGB":
            pixels = pixels.flip(1)
        return pixels.to(self._kind, memory_format=self._memory_format)


def _precise(tensors: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return tuple(tensor.float() for tensor in tensors)
