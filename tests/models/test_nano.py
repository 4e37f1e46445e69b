"""The small tracker's network: its size, its map, and ImageNet's weights in its trimmed trunk."""

from __future__ import annotations

import pytest
import torch

import pysot
from pysot.models import build_model
from tests.engine.foreign_layouts import fill, torchvision_mobilenet
from tests.models.small_networks import calibrated, images


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return build_model(pysot.load_cfg("siamrpn_nano")).eval()


def test_it_is_small_and_keeps_stride_8(network):
    # The head's level is the output of torchvision's features.13; looks are compared in that of features.6.
    assert network.backbone.out_channels == (32, 96)
    assert network.head_levels == 1
    assert network.backbone.strides == (8, 8)
    assert not hasattr(network.backbone, "layer6")
    assert 2 * sum(tensor.numel() for tensor in network.state_dict().values()) < 2e6  # bytes in half precision
    with torch.inference_mode():
        template = network.encode_template(images(1, 127))
        assert [tuple(kernel.shape) for kernel in template.kernels] == [(1, 96, 5, 5)] * 2
        output = network(template, images(1, 255))
    shapes = [tuple(values.shape) for values in (output.cls, output.loc, *output.quality)]
    assert shapes == [(1, 2, 25, 25), (1, 4, 25, 25), (1, 1, 25, 25)]


def test_imagenet_s_file_fills_its_trunk(network, tmp_path):
    torch.save(fill(torchvision_mobilenet()), tmp_path / "mobilenet_v2.pth")
    report = pysot.load_checkpoint(network, tmp_path / "mobilenet_v2.pth")
    assert report.layout == "torchvision MobileNetV2"
    assert report.fits
    assert set(report.unused.values()) == {
        "belongs to a stage that the network does not have",
        "has no place in a tracker's network (torchvision MobileNetV2)",
    }
    own = {name for name in network.state_dict() if name.startswith("backbone.")}
    counters = {name for name in own if name.endswith("num_batches_tracked")}
    assert own - counters <= {*report.loaded, *report.derived}


def test_fresh_boxes_have_the_usual_size():
    torch.manual_seed(0)
    network = calibrated(build_model(pysot.load_cfg("siamrpn_nano")))
    with torch.inference_mode():
        output = network(network.encode_template(images(1, 127)), images(1, 255))
    # Four strides to every side: 64 pixels, what a template's crop makes of a square target.
    distances = output.loc.exp()
    assert distances.mean().item() == pytest.approx(4, rel=0.2)
