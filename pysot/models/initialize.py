"""Fresh weights for a training that does not start from others'."""

from __future__ import annotations

from torch import nn

from pysot.models.siamese import SiameseNet


def initialize_backbone(network: SiameseNet) -> None:
    """Draw the backbone's weights anew, in place: convolutions after He (fan-out), biases 0, normalisations 1 and 0.

    PyTorch's own default for convolutions is smaller. Where a normalisation follows, that does not matter; the last
    convolution of SiamFC's backbone has none, and its correlation would start several times too small. Neck and heads
    keep PyTorch's default, as in PySOT.

    Source: He et al. 2015, arXiv:1502.01852, section 2.2; ResNet and siamfc-pytorch.
    """
    for module in network.backbone.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            module.reset_parameters()
