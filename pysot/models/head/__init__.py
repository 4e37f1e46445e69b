"""Heads: from template and search features to score maps, boxes and masks."""

from pysot.models.head.base import HEADS, Head, Kernels, Maps
from pysot.models.head.mask import MASK_HEADS, MaskCorr
from pysot.models.head.points import PointHead
from pysot.models.head.refine import REFINERS, Refine
from pysot.models.head.rpn import DepthwiseRPN, DepthwiseXCorr, MultiRPN, UPChannelRPN
from pysot.models.head.siamfc import SiamFCHead

__all__ = [
    "HEADS",
    "MASK_HEADS",
    "REFINERS",
    "DepthwiseRPN",
    "DepthwiseXCorr",
    "Head",
    "Kernels",
    "Maps",
    "MaskCorr",
    "MultiRPN",
    "PointHead",
    "Refine",
    "SiamFCHead",
    "UPChannelRPN",
]
