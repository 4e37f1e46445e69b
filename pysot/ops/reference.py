"""Cross-correlation as loops: the specification that every faster path is tested against."""

from __future__ import annotations

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
    batch = max(len(search), len(kernel))
    channels, (height, width) = search.shape[1], kernel.shape[2:]
    responses = []
    for b in range(batch):
        x = search[b * len(search) // batch]
        filters = kernel[b * len(kernel) // batch].reshape(-1, channels, height, width)
        rows = []
        for i in range(x.shape[1] - height + 1):
            columns = []
            for j in range(x.shape[2] - width + 1):
                window = x[:, i : i + height, j : j + width]
                columns.append((window * filters).sum(dim=(1, 2, 3)))
            rows.append(torch.stack(columns, dim=-1))
        responses.append(torch.stack(rows, dim=-2))
    return torch.stack(responses)


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
    batch = max(len(search), len(kernel))
    height, width = kernel.shape[2:]
    responses = []
    for b in range(batch):
        x = search[b * len(search) // batch]
        z = kernel[b * len(kernel) // batch]
        rows = []
        for i in range(x.shape[1] - height + 1):
            columns = []
            for j in range(x.shape[2] - width + 1):
                window = x[:, i : i + height, j : j + width]
                columns.append((window * z).sum(dim=(1, 2)))
            rows.append(torch.stack(columns, dim=-1))
        responses.append(torch.stack(rows, dim=-2))
    return torch.stack(responses)
