"""ImageNet's videos (VID) and still images (DET)."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path

from pysot.datasets.curation.clips import Clip, Labelled, Thing, list_folder
from pysot.datasets.curation.stills import find_image, read_xml, still_xml
from pysot.utils import InputError


def vid_clips(root: Path, split: str) -> list[Clip]:
    """Return the clips of VID.

    A target that leaves and comes back is one track with a gap in it: every stretch is kept.

    Args:
        root: The folder with ``Annotations/VID`` and ``Data/VID``.
        split: ``train`` (with folders ``ILSVRC2015_VID_train_0000`` ... in it) or ``val``.

    Raises:
        InputError: There are none.
    """
    annotations = root / "Annotations" / "VID" / split
    folders = list_folder(annotations, "VID's annotations")
    if split == "train":
        folders = [folder for part in folders for folder in list_folder(part, "videos")]
    clips = []
    for folder in folders:
        name = folder.relative_to(annotations).as_posix()
        clips.append(Clip(name, partial(_vid, folder, root / "Data" / "VID" / split / name)))
    return clips


def _vid(folder: Path, images: Path) -> Iterable[Labelled]:
    files = sorted(folder.glob("*.xml"))
    if not files:
        raise InputError(f"{folder}: no .xml files there")
    for file in files:
        if not file.stem.isdecimal():
            raise InputError(f"{file}: expected a frame number as its name")
        things = []
        for mark in read_xml(file):
            if mark.track is None or not mark.track.isdecimal():
                raise InputError(f"{file}: expected a number as <trackid>, got {mark.track!r}")
            things.append(Thing(f"{int(mark.track):02d}", mark.box_xyxy, mark.name or None))
        if things:
            yield Labelled(int(file.stem), find_image(images / file.stem), tuple(things))


def det_clips(root: Path, split: str) -> list[Clip]:
    """Return the clips of DET, one per image.

    Args:
        root: The folder with ``Annotations/DET`` and ``Data/DET``.
        split: ``train`` or ``val``.

    Raises:
        InputError: There are none.
    """
    annotations = root / "Annotations" / "DET" / split
    files = sorted(annotations.rglob("*.xml"))
    if not files:
        raise InputError(f"{annotations}: expected DET's .xml files there; see the README beside this script")
    clips = []
    for file in files:
        name = file.relative_to(annotations).with_suffix("").as_posix()
        clips.append(Clip(f"{split}/{name}", partial(still_xml, file, root / "Data" / "DET" / split / name, 0.0)))
    return clips
