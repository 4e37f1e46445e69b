"""Cross-correlation of search features with template features, by the fastest path of the device.

How the batches of the two broadcast is described in :mod:`pysot.ops.inputs`.
"""

from __future__ import annotations

import torch
from torch import Tensor

from pysot.ops.backend import depthwise_cuda
from pysot.ops.conv import (
    MAX_FOLD_FILTERS,
    DepthwiseCorrelation,
    depthwise_conv,
    is_traced,
    xcorr_conv,
    xcorr_fold,
)
from pysot.ops.inputs import prepare


def xcorr(search: Tensor, kernel: Tensor) -> Tensor:
    """Correlate search features with template kernels over all channels (plain and up-channel).

    O = 1 is the plain correlation of SiamFC; O = 2 or 4 per anchor is the up-channel one of SiamRPN.

    Args:
        search: (B_x, C, H, W) search features, floating point.
        kernel: (B_k, O*C, h, w) template features of the same dtype and device: O filters of C channels.

    Returns:
        (max(B_x, B_k), O, H-h+1, W-w+1): plain sums of products. Batches broadcast, see the module.

    Raises:
        TypeError: an argument is no floating point tensor, or the two differ in dtype.
        ValueError: shapes, batches or devices do not fit each other.

    Source: Bertinetto et al. 2016, "Fully-Convolutional Siamese Networks for Object Tracking", eq. 2;
    Li et al. 2018, "High Performance Visual Tracking with Siamese Region Proposal Network", eq. 4.

    Example:
        >>> xcorr(torch.ones(1, 2, 3, 3), torch.ones(1, 3 * 2, 2, 2)).shape
        torch.Size([1, 3, 2, 2])
    """
    search, kernel = prepare(search, kernel, depthwise=False)
    few = kernel.shape[1] <= MAX_FOLD_FILTERS * search.shape[1]
    # A fold would round every tap to half precision; a recorded graph keeps the operator runtimes know.
    precise = search.dtype in (torch.float32, torch.float64)
    if few and precise and search.device.type == "cpu" and not is_traced():
        return xcorr_fold(search, kernel)
    return xcorr_conv(search, kernel)


def xcorr_depthwise(search: Tensor, kernel: Tensor) -> Tensor:
    """Correlate every channel of the search features with the same channel of the template.

    On CUDA :func:`pysot.ops.set_depthwise_backend` says which implementation runs.

    Args:
        search: (B_x, C, H, W) search features, floating point.
        kernel: (B_k, C, h, w) template features of the same dtype and device.

    Returns:
        (max(B_x, B_k), C, H-h+1, W-w+1): plain sums of products. Batches broadcast, see the module.

    Raises:
        TypeError: an argument is no floating point tensor, or the two differ in dtype.
        ValueError: shapes, batches or devices do not fit each other.

    Source: Li et al. 2019, "SiamRPN++: Evolution of Siamese Visual Tracking with Very Deep Networks",
    section 3.4.

    Example:
        >>> xcorr_depthwise(torch.ones(1, 2, 3, 3), torch.ones(1, 2, 2, 2))[0, 1]
        tensor([[4., 4.],
                [4., 4.]])
    """
    search, kernel = prepare(search, kernel, depthwise=True)
    if is_traced():
        return depthwise_conv(search, kernel)
    if search.device.type == "cuda":
        return depthwise_cuda(search, kernel)
    wants_gradient = torch.is_grad_enabled() and (search.requires_grad or kernel.requires_grad)
    if search.device.type == "cpu" and wants_gradient:
        return DepthwiseCorrelation.apply(search, kernel, (0, 0))
    return depthwise_conv(search, kernel)
