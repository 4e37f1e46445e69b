"""Cross-correlation as loops: the specification that every faster path is tested against."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def xcorr_reference(search: Tensor, kernel: Tensor) -> Tensor:
    """Correlate search features with template kernels, one batch entry and one output position at a time.

    Args:
        search: (B_x, C, H, W) search features.
        kernel: (B_k, O*C, h, w) template features, read as O filters of C channels each.

    Returns:
        (max(B_x, B_k), O, H-h+1, W-w+1); batches broadcast as :func:`pysot.ops.xcorr` describes.

    Example:
        >>> xcorr_reference(torch.ones(1, 2, 3, 3), torch.ones(1, 2, 2, 2))
        tensor([[[[8., 8.],
                  [8., 8.]]]])
    """
    channels, size = search.shape[1], kernel.shape[2:]

    def respond(window: Tensor, template: Tensor) -> Tensor:
        return (window * template.reshape(-1, channels, *size)).sum(dim=(1, 2, 3))

    return _slide(search, kernel, respond)


def xcorr_depthwise_reference(search: Tensor, kernel: Tensor) -> Tensor:
    """Correlate every channel of the search features with the same channel of the template.

    Args:
        search: (B_x, C, H, W) search features.
        kernel: (B_k, C, h, w) template features.

    Returns:
        (max(B_x, B_k), C, H-h+1, W-w+1); batches broadcast as :func:`pysot.ops.xcorr` describes.

    Example:
        >>> xcorr_depthwise_reference(torch.ones(1, 2, 2, 3), torch.ones(1, 2, 2, 2))
        tensor([[[[4., 4.]],
        <BLANKLINE>
                 [[4., 4.]]]])
    """
    return _slide(search, kernel, lambda window, template: (window * template).sum(dim=(1, 2)))


def _slide(search: Tensor, kernel: Tensor, respond: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """Lay the template of every batch entry on each window of its search features and collect the responses."""
    batch = max(len(search), len(kernel))
    height, width = kernel.shape[2:]
    maps = []
    for b in range(batch):
        x = search[b * len(search) // batch]
        z = kernel[b * len(kernel) // batch]
        rows = []
        for i in range(x.shape[1] - height + 1):
            columns = []
            for j in range(x.shape[2] - width + 1):
                columns.append(respond(x[:, i : i + height, j : j + width], z))
            rows.append(torch.stack(columns, dim=-1))
        maps.append(torch.stack(rows, dim=-2))
    return torch.stack(maps)
