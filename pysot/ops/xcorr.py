"""Cross-correlation of search features with template features, by the fastest path of the device.

Batches broadcast by one rule. With B_x search entries and B_k template entries, one number must be a multiple
of the other and the output has B = max(B_x, B_k) entries:

- B_x = n * B_k: template i serves the n consecutive searches i*n .. i*n+n-1 (the scales of one target);
- B_k = n * B_x: search i is shared by the n consecutive templates i*n .. i*n+n-1 (the targets in one frame).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def xcorr(search: Tensor, kernel: Tensor) -> Tensor:
    """Correlate search features with template kernels over all channels (plain and up-channel).

    With O = 1 this is the correlation of SiamFC, with O = 2*anchors or 4*anchors the up-channel one of SiamRPN.

    Args:
        search: (B_x, C, H, W) search features, floating point.
        kernel: (B_k, O*C, h, w) template features of the same dtype and device, read as O filters of C channels.

    Returns:
        (max(B_x, B_k), O, H-h+1, W-w+1) responses; batches broadcast as the module describes. The scale is that
        of a plain sum of products.

    Raises:
        TypeError: an argument is no tensor, or the two differ in dtype.
        ValueError: shapes or devices do not fit each other.

    Source: Bertinetto et al. 2016, "Fully-Convolutional Siamese Networks for Object Tracking", eq. 2; Li et al. 2018,
    "High Performance Visual Tracking with Siamese Region Proposal Network", eq. 4.

    Example:
        >>> xcorr(torch.ones(1, 2, 3, 3), torch.ones(1, 3 * 2, 2, 2)).shape
        torch.Size([1, 3, 2, 2])
    """
    _check_inputs(search, kernel)
    channels = search.shape[1]
    if kernel.shape[1] == 0 or kernel.shape[1] % channels:
        raise ValueError(
            f"kernel channels: expected a multiple of the {channels} search channels, got {kernel.shape[1]} "
            f"(search {_shape(search)}, kernel {_shape(kernel)})"
        )
    return _conv_xcorr(search, kernel)


def xcorr_depthwise(search: Tensor, kernel: Tensor) -> Tensor:
    """Correlate every channel of the search features with the same channel of the template.

    Args:
        search: (B_x, C, H, W) search features, floating point.
        kernel: (B_k, C, h, w) template features of the same dtype and device.

    Returns:
        (max(B_x, B_k), C, H-h+1, W-w+1) responses; batches broadcast as the module describes.

    Raises:
        TypeError: an argument is no tensor, or the two differ in dtype.
        ValueError: shapes or devices do not fit each other.

    Source: Li et al. 2019, "SiamRPN++: Evolution of Siamese Visual Tracking with Very Deep Networks", section 3.4.

    Example:
        >>> xcorr_depthwise(torch.ones(1, 2, 3, 3), torch.ones(1, 2, 2, 2))[0, 1]
        tensor([[4., 4.],
                [4., 4.]])
    """
    _check_inputs(search, kernel)
    if kernel.shape[1] != search.shape[1]:
        raise ValueError(
            f"kernel channels: expected the {search.shape[1]} search channels, got {kernel.shape[1]} "
            f"(search {_shape(search)}, kernel {_shape(kernel)})"
        )
    return _conv_depthwise(search, kernel)


def _conv_xcorr(search: Tensor, kernel: Tensor) -> Tensor:
    """Run the correlation as convolutions; groups keep batch entries apart where each has its own template."""
    (n_search, channels), n_kernel = search.shape[:2], kernel.shape[0]
    out_channels = kernel.shape[1] // channels
    filters = kernel.reshape(n_kernel * out_channels, channels, *kernel.shape[2:])
    if n_kernel == 1:
        return F.conv2d(search, filters)
    if n_search > n_kernel:
        pairs = zip(search.split(n_search // n_kernel), filters.split(out_channels), strict=True)
        return torch.cat([F.conv2d(x, z) for x, z in pairs])
    row = F.conv2d(search.reshape(1, -1, *search.shape[2:]), filters, groups=n_search)
    return row.reshape(n_kernel, out_channels, *row.shape[2:])


def _conv_depthwise(search: Tensor, kernel: Tensor) -> Tensor:
    """Run the depth-wise correlation as one grouped convolution."""
    channels = search.shape[1]
    if kernel.shape[0] == 1:
        return F.conv2d(search, kernel.transpose(0, 1), groups=channels)
    search, kernel = _expand_batch(search, kernel)
    batch = search.shape[0]
    row = F.conv2d(
        search.reshape(1, batch * channels, *search.shape[2:]),
        kernel.reshape(batch * channels, 1, *kernel.shape[2:]),
        groups=batch * channels,
    )
    return row.reshape(batch, channels, *row.shape[2:])


def _expand_batch(search: Tensor, kernel: Tensor) -> tuple[Tensor, Tensor]:
    """Repeat the shorter batch so that entry b of the one meets entry b of the other."""
    batch = max(search.shape[0], kernel.shape[0])
    if search.shape[0] < batch:
        search = search.repeat_interleave(batch // search.shape[0], dim=0)
    if kernel.shape[0] < batch:
        kernel = kernel.repeat_interleave(batch // kernel.shape[0], dim=0)
    return search, kernel


def _check_inputs(search: Tensor, kernel: Tensor) -> None:
    """Raise unless the two are 4-d float tensors on one device whose sizes and batches fit."""
    for name, value in (("search", search), ("kernel", kernel)):
        if not isinstance(value, Tensor):
            raise TypeError(f"{name}: expected a torch.Tensor, got {type(value).__name__}")
        if not value.is_floating_point():
            raise TypeError(f"{name}: expected a floating point tensor, got {value.dtype}")
        if value.dim() != 4:
            raise ValueError(
                f"{name}: expected 4 dimensions (batch, channels, height, width), got {_shape(value)}"
            )
    if search.device != kernel.device:
        raise ValueError(f"kernel device: expected {search.device} as the search, got {kernel.device}")
    if search.dtype != kernel.dtype and not torch.is_autocast_enabled(search.device.type):
        raise TypeError(f"kernel dtype: expected {search.dtype} as the search, got {kernel.dtype}")
    if kernel.shape[2] > search.shape[2] or kernel.shape[3] > search.shape[3]:
        raise ValueError(
            f"kernel size: expected at most the search size {_shape(search)[2:]}, got {_shape(kernel)[2:]}"
        )
    few, many = sorted((search.shape[0], kernel.shape[0]))
    if few == 0 or many % few:
        raise ValueError(
            "batch: expected one batch to be a multiple of the other, "
            f"got {search.shape[0]} searches and {kernel.shape[0]} kernels"
        )


def _shape(tensor: Tensor) -> tuple[int, ...]:
    return tuple(tensor.shape)
