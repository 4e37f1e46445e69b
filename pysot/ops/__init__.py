"""Tensor operations of Siamese tracking: correlations and a convolution. Imports torch alone, Triton only to run it."""

from pysot.ops.backend import depthwise_backend, set_depthwise_backend
from pysot.ops.dilated import dilated_depthwise_conv
from pysot.ops.reference import xcorr_depthwise_reference, xcorr_reference
from pysot.ops.xcorr import xcorr, xcorr_depthwise

__all__ = [
    "depthwise_backend",
    "dilated_depthwise_conv",
    "set_depthwise_backend",
    "xcorr",
    "xcorr_depthwise",
    "xcorr_depthwise_reference",
    "xcorr_reference",
]
