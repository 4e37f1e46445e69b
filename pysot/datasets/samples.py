"""A pair of crops with what the network should answer, and batches of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from pysot.datasets.augment import (
    CROP_TEMPLATE,
    Augment,
    Change,
    Placement,
    Region,
    box_in_crop,
    cutout_slices,
    place,
    recolor,
    take,
)
from pysot.datasets.decode import JpegHeader, Order, Rows, decode_image, decode_mask, decode_rows, read_header
from pysot.datasets.pairs import PairSampler, Target, pair_rng
from pysot.datasets.sources import Source
from pysot.geometry import context_side
from pysot.utils import InputError

Uint8Image = NDArray[np.uint8]
FloatArray = NDArray[np.float64]
Batch = dict[str, Any]

# Pairs drawn for one place in an epoch before so many unreadable images are an error.
_ATTEMPTS = 16


#: Says what the network should answer: takes the target's box, a generator and ``negative``; with masks, also ``mask``.
#: See `pysot.datasets.targets`.
TargetMaker = Callable[..., dict[str, NDArray[np.generic]]]


class PairKey(NamedTuple):
    """Names a pair of the training: its epoch, and its number in it."""

    epoch: int
    number: int


@dataclass(frozen=True)
class Crop:
    """How one of the two crops is made.

    Attributes:
        size: Its side, network pixels.
        side: Side of the region it shows without a change, crop pixels.
        augment: What may happen to it.
    """

    size: int
    side: float
    augment: Augment


@dataclass(frozen=True)
class Picture:
    """An image that a pair needs, and where the target is in it.

    Attributes:
        path: For messages.
        data: The file.
        header: Of a JPEG.
        image: What is in a file of another kind, whose size is not known before.
        size_wh: Its size.
        at: The target in it.
        target_wh: The target's size, image pixels.
        is_crop: It was cropped for training.
    """

    path: str
    data: bytes
    header: JpegHeader | None
    image: Uint8Image | None
    size_wh: tuple[int, int]
    at: Placement
    target_wh: tuple[float, float]
    is_crop: bool

    def place(self, side: float, change: Change) -> Region:
        """Return the region that a crop shows; see `augment.place`."""
        return place(change, self.at, side, self.size_wh if self.is_crop else None)

    def is_left_by(self, region: Region) -> bool:
        """Return whether a region reaches beyond the image."""
        left, top, wide, high = region
        return left < 0 or top < 0 or left + wide > self.size_wh[0] or top + high > self.size_wh[1]

    def decode(self, order: Order, *regions: Region) -> Rows:
        """Return the rows of the image that these regions need: all, where one leaves it and needs its mean colour."""
        if self.image is not None:
            return Rows(0, self.image)
        needed = None
        if not any(map(self.is_left_by, regions)):
            top, bottom = min(region.top for region in regions), max(region.top + region.height for region in regions)
            slack = 0 if self.is_crop else 1  # between pixels, a neighbour counts
            needed = range(max(int(top) - slack, 0), math.ceil(bottom) + slack)
        try:
            return decode_rows(self.data, needed, order, self.header)
        except InputError as error:
            raise InputError(f"{self.path}: {error}") from error


class PairDataset(Dataset[Batch]):
    """Pairs of crops by `PairKey`: what is returned depends on the key alone.

    A pair with an image that cannot be read is replaced by another, which depends on the key as well; the file is
    listed in the batch under ``faults``.

    Args:
        sampler: Says which images make a pair.
        template: How template crops are made.
        search: How search crops are made.
        targets: Says what the network should answer.
        gray: Probability that both crops of a pair are grey.
        masks: Load masks where the sources have them, and hand them to ``targets``.
        order: Order of the channels.
    """

    def __init__(
        self,
        sampler: PairSampler,
        template: Crop,
        search: Crop,
        targets: TargetMaker,
        *,
        gray: float = 0.0,
        masks: bool = False,
        order: Order = "BGR",
    ) -> None:
        self.sampler = sampler
        self.template, self.search = template, search
        self.targets = targets
        self.gray = gray
        self.masks = masks
        self.order: Order = order

    def __len__(self) -> int:
        return self.sampler.pairs_per_epoch

    def __getitem__(self, key: PairKey) -> Batch:
        """Return a batch of one pair."""
        return self.__getitems__([key])

    def __getitems__(self, keys: Sequence[PairKey]) -> Batch:
        """Return a batch.

        Returns:
            ``template`` (B, 3, T, T) and ``search`` (B, 3, S, S) uint8, channels last in memory; ``box_xyxy`` and
            ``template_box_xyxy`` (B, 4) float32, the targets in them, a pixel's position being its centre;
            ``negative`` (B,) bool; the arrays of ``targets``, stacked; ``names``, B texts; ``faults``, a text for each
            image that could not be read.

        Raises:
            InputError: For one of the pairs, image after image cannot be read; names them.
        """
        templates, searches = self._room(len(keys))
        infos: list[dict[str, Any]] = []
        faults: list[str] = []
        for place_in_batch, key in enumerate(keys):
            infos.append(self._load(key, templates[place_in_batch], searches[place_in_batch], faults))
        batch: Batch = {
            "template": torch.from_numpy(templates).permute(0, 3, 1, 2),
            "search": torch.from_numpy(searches).permute(0, 3, 1, 2),
            "names": [info.pop("names") for info in infos],
            "faults": faults,
        }
        for name in infos[0]:
            batch[name] = torch.from_numpy(np.stack([info[name] for info in infos]))
        return batch

    def _room(self, count: int) -> tuple[Uint8Image, Uint8Image]:
        """Return where the crops of a batch are written."""
        template, search = self.template.size, self.search.size
        return (
            np.empty((count, template, template, 3), dtype=np.uint8),
            np.empty((count, search, search, 3), dtype=np.uint8),
        )

    def _load(self, key: PairKey, template: Uint8Image, search: Uint8Image, faults: list[str]) -> dict[str, Any]:
        """Write the crops of a pair and return the rest of it."""
        own: list[str] = []
        for attempt in range(_ATTEMPTS):
            rng = pair_rng(self.sampler.seed, key.epoch, key.number, attempt)
            try:
                info = self._try(key, rng, template, search, any_video=attempt > 0)
            except InputError as error:
                own.append(str(error))
                continue
            faults += own
            return info
        listed = "\n".join(dict.fromkeys(own))
        raise InputError(f"{_ATTEMPTS} pairs in a row have an image that cannot be read:\n{listed}")

    def _try(
        self, key: PairKey, rng: np.random.Generator, template: Uint8Image, search: Uint8Image, *, any_video: bool
    ) -> dict[str, Any]:
        # First what takes the same number of random numbers for every pair.
        changes = self.template.augment.draw(rng, self.order), self.search.augment.draw(rng, self.order)
        gray = bool(rng.random() < self.gray)
        pair = self.sampler.pair(key.epoch, key.number, rng, any_video=any_video)
        pictures = [self.read(pair.template)]
        pictures.append(pictures[0] if pair.search == pair.template else self.read(pair.search))
        crops = (self.template, self.search)
        regions = [
            picture.place(crop.side, change) for picture, crop, change in zip(pictures, crops, changes, strict=True)
        ]
        boxes = [
            box_in_crop(region, picture.at, picture.target_wh, crop.size, flip=change.flip)
            for region, picture, crop, change in zip(regions, pictures, crops, changes, strict=True)
        ]
        info: dict[str, Any] = {
            "names": f"{pictures[0].path} {pictures[1].path}",
            "template_box_xyxy": boxes[0].astype(np.float32),
            "box_xyxy": boxes[1].astype(np.float32),
            "negative": np.asarray(not pair.positive),
        }
        info |= self._write((template, search), pictures, regions, changes, boxes, gray=gray)
        mask = {}
        if self.masks:
            read = self._mask(pair.search, pictures[1], regions[1], changes[1], boxes[1]) if pair.positive else None
            mask = {"mask": read}
        return info | self.targets(boxes[1], rng, negative=not pair.positive, **mask)

    def read(self, target: Target) -> Picture:
        """Return a target's image, not yet decoded."""
        source = self.sampler.sources[target.source]
        path = f"{source.root}/{source.image_name(target.row)}"
        try:
            data = source.store.read(source.image_name(target.row))
            header, image = read_header(data), None
            if header is not None:
                size_wh = header.width, header.height
            else:
                image = decode_image(data, self.order)
                size_wh = image.shape[1], image.shape[0]
        except (OSError, InputError) as error:
            raise InputError(f"{path}: {_reason(error)}") from error
        return Picture(path, data, header, image, size_wh, *_locate(source, target.row, size_wh), source.cropped)

    def _write(
        self,
        outs: tuple[Uint8Image, Uint8Image],
        pictures: list[Picture],
        regions: list[Region],
        changes: tuple[Change, Change],
        boxes: list[FloatArray],
        *,
        gray: bool,
    ) -> dict[str, Any]:
        """Write both crops."""
        flips = [change.flip for change in changes]
        for out, change, box in zip(take_both(pictures, regions, outs, flips, self.order), changes, boxes, strict=True):
            recolor(out, change, box, gray=gray, order=self.order)
        return {}

    def _mask(
        self, target: Target, picture: Picture, region: Region, change: Change, box_xyxy: FloatArray
    ) -> NDArray[np.bool_] | None:
        """Return the search crop's mask, or None where there is none."""
        source = self.sampler.sources[target.source]
        if not source.masks:
            return None
        name = source.mask_name(target.row)
        try:
            stored = decode_mask(source.store.read(name))
        except FileNotFoundError:  # of some of its targets a source may have none
            return None
        except (OSError, InputError) as error:
            raise InputError(f"{source.root}/{name}: {_reason(error)}") from error
        if stored.shape != picture.size_wh[::-1]:
            size = " x ".join(map(str, stored.shape[::-1]))
            expected = " x ".join(map(str, picture.size_wh))
            raise InputError(f"{source.root}/{name}: expected a mask of the image's size {expected}, got {size}")
        mask = take(stored, region, self.search.size, flip=change.flip, border=0) >= 128
        if change.cutout is not None:
            mask[cutout_slices(change.cutout, box_xyxy, self.search.size)] = False
        return mask


def take_both(
    pictures: list[Picture], regions: list[Region], outs: tuple[Uint8Image, Uint8Image], flips: list[bool], order: Order
) -> tuple[Uint8Image, Uint8Image]:
    """Write the regions of a pair's images into ``outs`` and return those."""
    if pictures[0] is pictures[1]:  # a still image is decoded once
        decoded = [pictures[0].decode(order, *regions)] * 2
    else:
        decoded = [picture.decode(order, region) for picture, region in zip(pictures, regions, strict=True)]
    for picture, rows, region, out, flip in zip(pictures, decoded, regions, outs, flips, strict=True):
        # Only a frame can be left, and PySOT fills what lies outside with the frame's mean.
        border = cv2.mean(rows.pixels)[:3] if picture.is_left_by(region) else (0, 0, 0)
        below = region._replace(top=region.top - rows.first)
        take(rows.pixels, below, out.shape[0], flip=flip, border=border, out=out)
    return outs


def _locate(source: Source, row: int, size_wh: tuple[int, int]) -> tuple[Placement, tuple[float, float]]:
    """Return where a target is in its image, and its size in image pixels."""
    left, top, right, bottom = source.index.boxes_xyxy[row].tolist()
    width, height = right - left, bottom - top
    zoom = context_side((width, height), 0.5) / CROP_TEMPLATE
    if source.cropped:
        center = Placement((size_wh[0] - 1) / 2, (size_wh[1] - 1) / 2, 1.0)
        return center, (width / zoom, height / zoom)
    return Placement((left + right - 1) / 2, (top + bottom - 1) / 2, zoom), (width, height)


def _reason(error: Exception) -> str:
    return error.strerror if isinstance(error, OSError) and error.strerror else str(error)
