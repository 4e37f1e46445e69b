"""What the correlations demand of their inputs, and how their batches broadcast.

With B_x search entries and B_k template entries, one number must be a multiple of the other; the output has
B = max(B_x, B_k) entries, and entry b pairs search b // (B / B_x) with template b // (B / B_k):

- B_x = n * B_k: template i serves the n consecutive searches i*n .. i*n+n-1 (the scales of one target);
- B_k = n * B_x: search i is shared by the n consecutive templates i*n .. i*n+n-1 (the targets in one frame).
"""

from __future__ import annotations

import torch
from torch import Tensor


def batch_repeats(n_search: int, n_kernel: int) -> tuple[int, int]:
    """Return how many output entries use each search entry, and how many use each template entry.

    Raises:
        ValueError: neither batch is a multiple of the other.

    Example:
        >>> batch_repeats(6, 2)
        (1, 3)
        >>> batch_repeats(1, 4)
        (4, 1)
    """
    batch = max(n_search, n_kernel)
    if min(n_search, n_kernel) == 0 or batch % n_search or batch % n_kernel:
        raise ValueError(
            f"batch: expected one batch to be a multiple of the other, got {n_search} searches and {n_kernel} kernels"
        )
    return batch // n_search, batch // n_kernel


def prepare(search: Tensor, kernel: Tensor, *, depthwise: bool) -> tuple[Tensor, Tensor]:
    """Check the inputs of a correlation and cast them as autocast would cast those of a convolution.

    Args:
        search: (B_x, C, H, W) floating point.
        kernel: (B_k, C, h, w) if ``depthwise``, else (B_k, O*C, h, w) with O >= 1.
        depthwise: which of the two correlations will follow.

    Raises:
        TypeError: an argument is no floating point tensor, or the two differ in dtype.
        ValueError: shapes, batches or devices do not fit each other.
    """
    for name, value in (("search", search), ("kernel", kernel)):
        if not isinstance(value, Tensor):
            raise TypeError(f"{name}: expected a torch.Tensor, got {type(value).__name__}")
        if not value.is_floating_point():
            raise TypeError(f"{name}: expected a floating point tensor, got {value.dtype}")
        if value.dim() != 4:
            raise ValueError(f"{name}: expected shape (batch, channels, height, width), got {_shape(value)}")
    if search.device != kernel.device:
        raise ValueError(f"kernel device: expected {search.device} as the search, got {kernel.device}")
    _check_channels(search, kernel, depthwise)
    if kernel.shape[2] > search.shape[2] or kernel.shape[3] > search.shape[3]:
        raise ValueError(
            f"kernel size: expected at most the search size {_shape(search)[2:]}, got {_shape(kernel)[2:]}"
        )
    batch_repeats(search.shape[0], kernel.shape[0])
    search, kernel = _autocast(search), _autocast(kernel)
    if search.dtype != kernel.dtype:
        raise TypeError(f"kernel dtype: expected {search.dtype} as the search, got {kernel.dtype}")
    return search, kernel


def _check_channels(search: Tensor, kernel: Tensor, depthwise: bool) -> None:
    channels = search.shape[1]
    if channels == 0 or 0 in kernel.shape[1:]:
        raise ValueError(f"expected no empty dimension, got search {_shape(search)}, kernel {_shape(kernel)}")
    if depthwise and kernel.shape[1] != channels:
        raise ValueError(
            f"kernel channels: expected the {channels} of the search {_shape(search)}, got {_shape(kernel)}"
        )
    if kernel.shape[1] % channels:
        raise ValueError(
            f"kernel channels: expected a multiple of the {channels} of the search {_shape(search)}, "
            f"got {_shape(kernel)}"
        )


def _autocast(tensor: Tensor) -> Tensor:
    """Cast by hand: a custom autograd function is no operator that autocast knows."""
    kind = tensor.device.type
    if tensor.dtype == torch.float64 or not torch.amp.is_autocast_available(kind):  # such as meta tensors
        return tensor
    if not torch.is_autocast_enabled(kind):
        return tensor
    return tensor.to(torch.get_autocast_dtype(kind))


def _shape(tensor: Tensor) -> tuple[int, ...]:
    return tuple(tensor.shape)
