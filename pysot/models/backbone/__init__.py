"""Backbones: from an image batch to a tuple of feature maps, one per used layer.

Every backbone takes (B, 3, S, S) float32 in 0..255 and declares, for its used layers,

* ``out_channels``: channels of each map returned,
* ``strides``: network pixels per cell of each map,
* ``grids``: the strides, and where the first cells lie.
"""

from pysot.models.backbone.alexnet import AlexNet, AlexNetLegacy, AlexNetSiamFC
from pysot.models.backbone.base import BACKBONES, Backbone, Grid
from pysot.models.backbone.mobilenet_v2 import MobileNetV2
from pysot.models.backbone.resnet import ResNet

__all__ = ["BACKBONES", "AlexNet", "AlexNetLegacy", "AlexNetSiamFC", "Backbone", "Grid", "MobileNetV2", "ResNet"]
