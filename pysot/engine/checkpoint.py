"""Reading and writing of weights. Nothing in a file is ever executed."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from pysot.engine.legacy import Converted, rename_alexnet, to_native
from pysot.utils import CheckpointError, atomic_path


class _Skipped:
    """Takes the place of a NumPy number in a file.

    Training checkpoints of older frameworks hold learning rates as such. They are not needed, so NumPy is not handed
    bytes that a stranger wrote.
    """

    def __init__(self, *content: object) -> None: ...

    def __setstate__(self, state: object) -> None: ...


# The module has two names, before and after NumPy 2.
_HARMLESS: list[Any] = [
    (_Skipped, "numpy.core.multiarray.scalar"),
    (_Skipped, "numpy._core.multiarray.scalar"),
    (_Skipped, "numpy.dtype"),
]
#: Suffix of a format that holds named tensors and texts, and nothing that could be executed.
SAFETENSORS = ".safetensors"
# Counters that old files lack and inference does not use.
_OPTIONAL = "num_batches_tracked"
# ImageNet's ResNets have 1x1 shortcuts where the trackers' dilated ones have 3x3: there the two never fit.
_SHORTCUT = re.compile(r"\.downsample\.0\.weight$")


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
        unused: Names in the file that are not wanted from it, with the reason.
        backbone_only: The file holds a backbone; the rest of the network keeps its weights and is not missing.

    Every name of the file is in one of ``loaded`` (by its native name), ``unexpected``, ``mismatched`` and ``unused``.
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
        """The file and the network (of a backbone file: its backbone, but for shortcuts) have the same tensors."""
        faults = [*self.missing, *self.unexpected, *self.mismatched]
        if self.backbone_only:
            faults = [name for name in faults if not _SHORTCUT.search(name)]
        return bool(self.loaded) and not faults

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
    foolwood/DaSiamRPN, siamfc-pytorch, backbones alone, and torchvision's ImageNet ResNets and MobileNetV2, as files of
    PyTorch or of safetensors (by the suffix). The layout is recognised by the names of the tensors. torchvision's
    expect normalised RGB; they are changed to give the same answers for this project's input, BGR in 0..255.

    Args:
        model: From `pysot.build_model`.
        path: The file.
        strict: Refuse a file that does not fit exactly: the network, or, for a backbone file, its backbone except the
            shortcuts that ImageNet's ResNets have in another shape. If False, what fits is loaded, and the report
            tells the rest.

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
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    model: nn.Module | None = None,
    *,
    half: bool = False,
    metadata: Mapping[str, str] | None = None,
) -> LoadReport:
    """Write a checkpoint of any known layout in the native one.

    Args:
        source: The file to read.
        target: The file to write, ``.safetensors`` or PyTorch's; it is replaced, whole or not at all.
        model: The network the result must fit; None to keep whatever the file has.
        half: Store convolutions in half precision. Biases and normalisations, whose variances may exceed its range,
            stay as they are.
        metadata: Texts to keep in a ``.safetensors`` file.

    Returns:
        As for `load_checkpoint`; without a model nothing is missing or unexpected.

    Raises:
        CheckpointError: As for `load_checkpoint`.
    """
    report, state = _read_for(Path(source), None if model is None else model.state_dict(), strict=True)
    if half:
        state = {name: tensor.half() if tensor.ndim > 1 else tensor for name, tensor in state.items()}
        lost = [name for name, tensor in state.items() if not tensor.isfinite().all()]
        if lost:
            raise CheckpointError(f"{source}: {lost[0]} has values that half precision cannot hold")
    if Path(target).suffix == SAFETENSORS:
        # Tensors that share memory, and views, cannot be written.
        owned = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in state.items()}
        with atomic_path(target) as temporary:
            save_file(owned, temporary, None if metadata is None else dict(metadata))
    else:
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
        if path.suffix == SAFETENSORS:
            content: Any = load_file(path)
        else:
            with _safe_reading(), warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # on how the file was written; what matters raises
                content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise
    except Exception as error:  # a damaged file can make the reader fail in any way
        raise CheckpointError(_unreadable(path, error)) from error
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
    fault = _find_fault(content)
    if fault:
        raise CheckpointError(f"{path}: expected a dictionary of named tensors (a state_dict), got {fault}")
    tensors: dict[str, Tensor] = dict(content)
    if all(name.startswith("module.") for name in tensors):
        tensors = {name.removeprefix("module."): tensor for name, tensor in tensors.items()}
    return tensors


def _safe_reading() -> contextlib.AbstractContextManager[None]:
    """Allow the harmless names within the block, where this PyTorch can; warn where it cannot be trusted."""
    if torch.torch_version.TorchVersion(torch.__version__) >= "2.6":
        return torch.serialization.safe_globals(_HARMLESS)
    _warn_of_old_torch()
    return contextlib.nullcontext()


@functools.cache
def _warn_of_old_torch() -> None:
    warnings.warn(
        f"PyTorch {torch.__version__} can be made to execute code by a crafted checkpoint, even when it reads weights "
        f"alone (CVE-2025-32434): install 2.6 or newer, or load only files you trust",
        stacklevel=4,
    )


def save_tensors(state: Mapping[str, Tensor], path: str | os.PathLike[str]) -> None:
    """Write a state as a plain dictionary of tensors, whole or not at all."""
    # Given a path, PyTorch writes its name into the file: here a random one, and none for a name without a suffix.
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        torch.save({name: tensor.detach().cpu().clone() for name, tensor in state.items()}, file)


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
    fitting = {name: tensor for name, tensor in state.items() if name in wanted and tensor.shape == wanted[name].shape}
    stages = {_stage(name) for name in wanted}
    unused, mismatched, unexpected = dict(converted.unused), {}, []
    for name, source in sources.items():
        if name not in wanted and converted.backbone_only and _stage(name) not in stages:
            unused[source] = "belongs to a stage that the network does not have"
        elif name not in wanted:
            unexpected.append(source)
        elif name not in fitting:
            mismatched[source] = f"{tuple(state[name].shape)}, expected {tuple(wanted[name].shape)}"
    scope = "backbone." if converted.backbone_only else ""
    absent = [name for name in wanted if name not in fitting and name not in sources]
    missing = [name for name in absent if name.startswith(scope) and not name.endswith(_OPTIONAL)]
    report = LoadReport(
        path=path,
        layout=converted.layout,
        loaded=tuple(name for name in fitting if name in sources),
        derived=tuple(name for name in fitting if name not in sources),
        missing=tuple(missing),
        unexpected=tuple(unexpected),
        mismatched=mismatched,
        unused=unused,
        backbone_only=converted.backbone_only,
    )
    return report, fitting


def _stage(name: str) -> str:
    return ".".join(name.split(".")[:2])


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
    if "TorchScript" in str(error):
        return f"{path}: refused, nothing was executed: a TorchScript program, not weights; save the state_dict() alone"
    # PyTorch's first lines recommend to read the file without any protection; the reason follows them.
    reason = (str(error).split("WeightsUnpickler error: ")[-1].strip() or "no content").splitlines()[0]
    return f"{path}: not a checkpoint, or a damaged or incomplete one ({type(error).__name__}: {reason[:120]})"


def _find_fault(content: object) -> str:
    """Say what a file holds instead of named tensors that a network can take, or return an empty string."""
    if not isinstance(content, Mapping):
        return f"a {type(content).__name__}"
    if not content:
        return "an empty one"
    for name, value in content.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            kind = type(value if isinstance(name, str) else name).__name__
            return f"one with {list(content)[:4]}, where {name!r} is of type {kind}"
        if value.layout != torch.strided or value.is_meta or value.is_complex() or value.is_quantized:
            return f"one where {name!r} is not a dense tensor of real numbers ({value.layout}, {value.dtype})"
    return ""
