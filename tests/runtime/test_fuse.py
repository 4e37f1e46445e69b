"""Folding of batch normalisation: which pairs, and that the network given is left alone."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from pysot.models import build_model
from pysot.models.backbone import BACKBONES
from pysot.runtime import fuse_conv_bn
from tests.models.small_networks import calibrated, images, small_cfg


def norms(network):
    return [name for name, module in network.named_modules() if isinstance(module, nn.BatchNorm2d)]


@pytest.mark.parametrize("backbone", sorted(BACKBONES))
def test_no_normalisation_is_left_in_any_network(backbone):
    stage = 5 if backbone.startswith("alexnet") else 3
    keys = {"BACKBONE.KWARGS.used_layers": [stage], "ADJUST.ADJUST": True, "ADJUST.KWARGS.out_channels": [8]}
    network = calibrated(build_model(small_cfg(backbone, "DepthwiseRPN", **keys)))
    state = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    network.train()
    fused = fuse_conv_bn(network)
    assert norms(fused) == []
    assert norms(network) != []
    assert network.training
    assert not any(module.training for module in fused.modules())
    assert all(torch.equal(tensor, state[name]) for name, tensor in network.state_dict().items())
    with torch.inference_mode():
        network.eval()
        for levels, expected in (
            (fused.backbone(images(1, 127, 5)), network.backbone(images(1, 127, 5))),
            (fused.encode_template(images(1, 127, 5)).kernels, network.encode_template(images(1, 127, 5)).kernels),
        ):
            for got, wanted in zip(levels, expected, strict=True):
                torch.testing.assert_close(got, wanted, rtol=0, atol=1e-4 * float(wanted.abs().max()))


class Neighbours(nn.Module):
    """Layers that stand beside each other and must stay: the normalisation is not of the convolution before it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 4, 3)
        self.bn2 = nn.BatchNorm2d(4)
        self.chain = nn.Sequential(nn.Conv2d(4, 4, 1), nn.ReLU(), nn.BatchNorm2d(4), nn.Conv2d(4, 2, 1))

    def forward(self, x):
        return self.chain(self.bn2(torch.relu(self.conv1(x))))


def test_only_pairs_are_folded():
    torch.manual_seed(0)
    network = Neighbours()
    for _ in range(3):
        network(torch.randn(4, 3, 9, 9))
    network.eval()
    fused = fuse_conv_bn(network)
    assert norms(fused) == ["bn2", "chain.2"]
    x = torch.randn(1, 3, 9, 9)
    assert torch.equal(fused(x), network(x))


def test_a_convolution_without_bias_gets_one():
    chain = nn.Sequential(nn.Conv2d(2, 3, 1, bias=False), nn.BatchNorm2d(3)).eval()
    with torch.no_grad():
        chain[1].running_mean.copy_(torch.tensor([1.0, 2.0, 3.0]))
        chain[1].running_var.fill_(4 - chain[1].eps)
        chain[1].weight.fill_(6)
        chain[1].bias.fill_(0.5)
    conv, rest = fuse_conv_bn(chain)
    assert isinstance(rest, nn.Identity)
    torch.testing.assert_close(conv.weight, chain[0].weight * 3)  # 6 / sqrt(4)
    torch.testing.assert_close(conv.bias, torch.tensor([-2.5, -5.5, -8.5]))  # 0.5 - 3 * mean
