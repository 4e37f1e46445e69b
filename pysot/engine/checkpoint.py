"""Reading and writing of weights. Nothing in a file is ever executed."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pysot.engine.legacy import Converted, rename_alexnet, to_native
from pysot.utils import CheckpointError, atomic_path

# Training checkpoints of older frameworks hold learning rates as NumPy numbers. These build numbers from bytes and
# can do nothing else. The module has two names, before and after NumPy 2.
_SCALAR = np.float64(0).__reduce__()[0]
_HARMLESS: list[Any] = [
    (_SCALAR, "numpy.core.multiarray.scalar"),
    (_SCALAR, "numpy._core.multiarray.scalar"),
    np.dtype,
    *{type(np.dtype(kind)) for kind in ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?")},
]
# Counters that old files lack and inference does not use.
_OPTIONAL = "num_batches_tracked"


@dataclass(frozen=True)
class LoadReport:
    """What became of every tensor of a checkpoint and of the network.

    Attributes:
        path: The file.
        layout: The layout it was recognised as.
        loaded: Native names that were taken from the file.
        derived: Native names whose values follow from the layout, not from a tensor of the file.
        missing: Native names of the network that the file does not have; they keep their weights.
        unexpected: Names in the file that the network does not have.
        mismatched: Names in the file whose shape is not the network's, with both shapes.
        unused: Names in the file that no network here has, with the reason.
        backbone_only: The file holds a backbone; the rest of the network is not missing.
    """

    path: Path
    layout: str
    loaded: tuple[str, ...]
    derived: tuple[str, ...]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    mismatched: Mapping[str, str]
    unused: Mapping[str, str]
    backbone_only: bool

    @property
    def fits(self) -> bool:
        """The file and the network have the same tensors (a backbone file: some tensor of it fits)."""
        if self.backbone_only:
            return bool(self.loaded)
        return not (self.missing or self.unexpected or self.mismatched)

    def __str__(self) -> str:
        """One line per kind that occurs."""
        kinds: list[tuple[str, Sequence[str]]] = [
            ("derived", self.derived),
            ("missing", self.missing),
            ("unexpected", self.unexpected),
            ("mismatched", [f"{name} {shapes}" for name, shapes in self.mismatched.items()]),
            ("unused", [f"{name}: {why}" for name, why in self.unused.items()]),
        ]
        parts = [f"{len(names)} {kind} (first: {names[0]})" for kind, names in kinds if names]
        return f"{self.path}: {self.layout}, {len(self.loaded)} tensors loaded" + "".join(f", {part}" for part in parts)


def load_checkpoint(model: nn.Module, path: str | os.PathLike[str], *, strict: bool = True) -> LoadReport:
    """Load a checkpoint of any known layout into a network, in place.

    Known are this project's and PySOT's weights and training checkpoints (both AlexNet layouts), foolwood/SiamMask,
    foolwood/DaSiamRPN, siamfc-pytorch, backbones alone, and torchvision's ImageNet ResNets and MobileNetV2. The layout
    is recognised by the names of the tensors. torchvision's expect normalised RGB; they are changed to give the same
    answers for this project's input, BGR in 0..255.

    Args:
        model: From `pysot.build_model`.
        path: The file.
        strict: Refuse a file that does not fit the network exactly (a backbone file must fit in part). If False,
            what fits is loaded, and the report tells the rest.

    Returns:
        What became of every tensor.

    Raises:
        CheckpointError: The file cannot be read, holds more than tensors, is of no known layout, or does not fit. The
            network is unchanged then.
        FileNotFoundError: No such file.
    """
    report, state = _read_for(Path(path), model.state_dict(), strict)
    model.load_state_dict(state, strict=False)
    return report


def convert_checkpoint(
    source: str | os.PathLike[str], target: str | os.PathLike[str], model: nn.Module | None = None
) -> LoadReport:
    """Write a checkpoint of any known layout in the native one.

    Args:
        source: The file to read.
        target: The file to write; it is replaced, whole or not at all.
        model: The network the result must fit; None to keep whatever the file has.

    Returns:
        As for `load_checkpoint`; without a model nothing is missing or unexpected.

    Raises:
        CheckpointError: As for `load_checkpoint`.
    """
    report, state = _read_for(Path(source), None if model is None else model.state_dict(), strict=True)
    save_tensors(state, target)
    return report


def read_tensors(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """Return the tensors of a checkpoint under the names they have in the file.

    Wrappers (``state_dict``) and the prefix ``module.`` of distributed training are taken off.

    Raises:
        CheckpointError: The file cannot be read or holds more than tensors and plain values.
        FileNotFoundError: No such file.
    """
    path = Path(path)
    if path.is_dir():
        raise CheckpointError(f"{path} is a folder, expected a checkpoint file")
    try:
        with torch.serialization.safe_globals(_HARMLESS):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise
    except Exception as error:  # a damaged file can make the reader fail in any way
        raise CheckpointError(_unreadable(path, error)) from error
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
    tensors = dict(content) if isinstance(content, Mapping) else {}
    if not tensors or not all(isinstance(k, str) and isinstance(v, Tensor) for k, v in tensors.items()):
        raise CheckpointError(
            f"{path}: expected a dictionary of named tensors (a state_dict), got {_describe(content)}"
        )
    if all(name.startswith("module.") for name in tensors):
        tensors = {name.removeprefix("module."): tensor for name, tensor in tensors.items()}
    return tensors


def save_tensors(state: Mapping[str, Tensor], path: str | os.PathLike[str]) -> None:
    """Write a state as a plain dictionary of tensors, whole or not at all."""
    with atomic_path(path) as temporary:
        torch.save({name: tensor.detach().cpu().clone() for name, tensor in state.items()}, temporary)


def _read_for(path: Path, wanted: Mapping[str, Tensor] | None, strict: bool) -> tuple[LoadReport, dict[str, Tensor]]:
    """Return the report and the native tensors of a file that a network with the state ``wanted`` can load."""
    converted = to_native(read_tensors(path))
    if converted is None:
        raise CheckpointError(
            f"{path}: the names of its tensors are of no known layout; see docs/checkpoints.md for the known ones"
        )
    report, state = _match(path, converted, converted.state if wanted is None else wanted)
    if not report.fits and (strict or not report.loaded):
        raise CheckpointError(f"{_misfit(report)}; is it the checkpoint of this configuration?")
    return report, state


def _match(path: Path, converted: Converted, wanted: Mapping[str, Tensor]) -> tuple[LoadReport, dict[str, Tensor]]:
    """Compare a converted state with the network's and return the report and what can be loaded."""
    alexnet = rename_alexnet(converted.state, wanted)
    state = {alexnet.get(name, name): tensor for name, tensor in converted.state.items()}
    sources = {alexnet.get(name, name): source for name, source in converted.sources.items()}
    fitting, mismatched, unexpected = {}, {}, []
    for name, tensor in state.items():
        if name not in wanted:
            unexpected.append(sources.get(name, name))
        elif tensor.shape != wanted[name].shape:
            mismatched[sources.get(name, name)] = f"{tuple(tensor.shape)}, expected {tuple(wanted[name].shape)}"
        else:
            fitting[name] = tensor
    scope = "backbone." if converted.backbone_only else ""
    missing = [name for name in wanted if name.startswith(scope) and name not in state and not name.endswith(_OPTIONAL)]
    report = LoadReport(
        path=path,
        layout=converted.layout,
        loaded=tuple(name for name in fitting if name in sources),
        derived=tuple(name for name in fitting if name not in sources),
        missing=tuple(missing),
        unexpected=tuple(unexpected),
        mismatched=mismatched,
        unused=converted.unused,
        backbone_only=converted.backbone_only,
    )
    return report, fitting


def _misfit(report: LoadReport) -> str:
    kinds: list[tuple[str, Sequence[str]]] = [
        ("missing keys", report.missing),
        ("unexpected", report.unexpected),
        ("of another shape", [f"{name}: {shapes}" for name, shapes in report.mismatched.items()]),
    ]
    faults = ", ".join(f"{len(names)} {kind} (first: {names[0]})" for kind, names in kinds if names)
    return f"{report.path} ({report.layout}): {faults or 'no tensor fits'}"


def _unreadable(path: Path, error: Exception) -> str:
    found = re.search(r"GLOBAL ([\w.]+)", str(error))
    if found:
        return (
            f"{path}: refused, nothing was executed: the file asks for {found[1]}, and only tensors and plain values "
            f"are read from checkpoints; save the state_dict() alone"
        )
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return f"{path}: not a readable checkpoint, damaged or of another kind ({reason[:200]})"


def _describe(content: object) -> str:
    if isinstance(content, Mapping):
        return f"a dictionary with {list(content)[:4]}"
    return f"a {type(content).__name__}"
