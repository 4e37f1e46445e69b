"""The same augmentation in batches on the training's device; workers only decode and cut out what it may need.

A crop differs from the one made on the CPU by what rounding to whole levels after each step does, and at its border,
where the CPU repeats the region's last pixel and the device sees what lies beyond it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from pysot.datasets.augment import Augment, Change, Region, cutout_slices
from pysot.datasets.samples import Batch, FloatArray, PairDataset, Picture, Uint8Image, take_both

_UNCHANGED = Augment().draw(np.random.default_rng(0))
_LONGEST_BLUR = 45
_GRAY_BGR = (0.114, 0.587, 0.299)  # ITU-R BT.601, as OpenCV


class RawPairDataset(PairDataset):
    """Pairs whose crops are still to be augmented, by `DeviceAugment`.

    Instead of ``template`` and ``search``, a batch has ``template_raw`` and ``search_raw``, (B, 3, R, R) uint8: squares
    around the targets that hold whatever region a change may show, at crop pixels; and ``template_change`` and
    ``search_change``, (B, 15) float32. All else is as in `PairDataset`.
    """

    def _room(self, count: int) -> tuple[Uint8Image, Uint8Image]:
        template, search = (crop.augment.reach(crop.side) for crop in (self.template, self.search))
        return (
            np.empty((count, template, template, 3), dtype=np.uint8),
            np.empty((count, search, search, 3), dtype=np.uint8),
        )

    def __getitems__(self, keys: Any) -> Batch:
        """Return a batch."""
        batch = super().__getitems__(keys)
        for name in ("template", "search"):
            batch[f"{name}_raw"] = batch.pop(name)
        return batch

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
        squares = [picture.place(out.shape[0], _UNCHANGED) for picture, out in zip(pictures, outs, strict=True)]
        take_both(pictures, squares, outs, [False, False], self.order)
        vectors = []
        for square, region, change, box, crop, out in zip(
            squares, regions, changes, boxes, (self.template, self.search), outs, strict=True
        ):
            step_x, step_y = out.shape[1] / square.width, out.shape[0] / square.height
            seen = (
                (region.left - square.left) * step_x,
                (region.top - square.top) * step_y,
                region.width * step_x,
                region.height * step_y,
            )
            patch = (0, 0, 0, 0)
            if change.cutout is not None:
                rows, columns = cutout_slices(change.cutout, box, crop.size)
                patch = (columns.start, rows.start, columns.stop, rows.stop)
            blur = (1, 0.0) if change.blur is None else change.blur
            vectors.append(np.array([*seen, change.flip, *change.offset, gray, *blur, *patch], dtype=np.float32))
        return {"template_change": vectors[0], "search_change": vectors[1]}


class DeviceAugment:
    """Makes training batches of those of `RawPairDataset`, on whatever device they are.

    Args:
        template_size: Side of a template crop, network pixels.
        search_size: Side of a search crop, network pixels.
        order: Order of the channels.
    """

    def __init__(self, template_size: int, search_size: int, *, order: str = "BGR") -> None:
        self.sizes = {"template": template_size, "search": search_size}
        self.gray_weights = _GRAY_BGR if order == "BGR" else _GRAY_BGR[::-1]

    @torch.no_grad()
    def __call__(self, batch: Batch) -> Batch:
        """Return the batch with ``template`` (B, 3, T, T) and ``search`` (B, 3, S, S), float32 of 0..255."""
        done = dict(batch)
        for name, size in self.sizes.items():
            done[name] = self._change(done.pop(f"{name}_raw"), done.pop(f"{name}_change"), size)
        return done

    def _change(self, raw: torch.Tensor, change: torch.Tensor, size: int) -> torch.Tensor:
        region, flip, offset, gray, size_of_blur, upright, patch = change.split([4, 1, 3, 1, 1, 1, 4], dim=1)
        crops = F.grid_sample(
            raw.float().contiguous(),
            _grid(region, flip[:, 0] > 0, size, raw.shape[-1]),
            mode="bilinear",
            padding_mode="border",
            align_corners=False,
        )
        weights = torch.tensor(self.gray_weights, device=crops.device)
        grayed = torch.einsum("bchw,c->bhw", crops, weights)[:, None]
        crops = torch.where(gray[:, :, None, None] > 0, grayed, crops)
        crops = (crops + offset[:, :, None, None]).clamp(0, 255)
        crops = _blur(crops, size_of_blur, upright)
        at = torch.arange(size, device=crops.device)
        left, top, right, bottom = (side[:, None] for side in patch.unbind(1))
        columns, rows = (at >= left) & (at < right), (at >= top) & (at < bottom)
        hidden = (rows[:, :, None] & columns[:, None, :])[:, None]
        return torch.where(hidden, crops.mean(dim=(2, 3), keepdim=True), crops)


def _grid(region: torch.Tensor, flip: torch.Tensor, size: int, raw_size: int) -> torch.Tensor:
    """Return (B, size, size, 2) where each pixel comes from, in the units of grid_sample."""
    at = torch.arange(size, device=region.device) + 0.5
    along_x = torch.where(flip[:, None], size - at, at)
    left, top, width, height = (side[:, None] for side in region.unbind(1))
    # A pixel's position is its centre, in the units of grid_sample its left edge is at 2 * pixel / size - 1.
    x = (left + along_x * width / size) * 2 / raw_size - 1
    y = (top + at * height / size) * 2 / raw_size - 1
    return torch.stack([x[:, None, :].expand(-1, size, -1), y[:, :, None].expand(-1, -1, size)], dim=-1)


def _blur(crops: torch.Tensor, sizes: torch.Tensor, upright: torch.Tensor) -> torch.Tensor:
    """Return crops with the blur of `augment.Blur`; a size of 1 changes nothing.

    Every crop goes through the filters: to pick those that need them, the device would have to be waited for.
    """
    count, channels, height, width = crops.shape
    half = _LONGEST_BLUR // 2
    away = (torch.arange(_LONGEST_BLUR, device=crops.device) - half).abs()
    line = (away <= sizes // 2) / sizes
    line = line.repeat_interleave(channels, dim=0)[:, None]
    joined = F.pad(crops, (half, half, half, half), mode="reflect").reshape(
        1, count * channels, *(2 * half + height, 2 * half + width)
    )
    groups = count * channels
    vertical = F.conv2d(joined[..., half:-half], line[..., None], groups=groups).reshape_as(crops)
    level = F.conv2d(joined[:, :, half:-half], line[:, :, None], groups=groups).reshape_as(crops)
    share = upright[:, :, None, None]
    return share * vertical + (1 - share) * level
