"""Every known layout: recognised, renamed as its project's names say, and nothing lost on the way."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from foreign_layouts import check_accounts, dasiamrpn_names, fill, shapes_of, siammask_names, tiny, with_backbone

import pysot
from pysot.engine.legacy import to_native
from pysot.models import SiameseNet
from pysot.models.backbone import AlexNetSiamFC
from pysot.models.head import SiamFCHead
from pysot.utils import CheckpointError

# Networks without memory are enough where names and shapes are the question; PyTorch warns that nothing is copied.
pytestmark = pytest.mark.filterwarnings("ignore:.*copying from a non-meta parameter:UserWarning")
# Where the tensors of SiamRPN's AlexNet lie in its two layouts.
CHAIN = {0: "layer1.0", 1: "layer1.1", 4: "layer2.0", 5: "layer2.1", 8: "layer3.0", 9: "layer3.1"}
CHAIN |= {11: "layer4.0", 12: "layer4.1", 14: "layer5.0", 15: "layer5.1"}


def save(path, state):
    torch.save(state, path)
    return path


def meta_model(name):
    """The network of an experiment without memory for its weights: names and shapes only."""
    with torch.device("meta"):
        return pysot.build_model(pysot.load_cfg(name))


def test_pysot_state_dict_loads_bit_for_bit(tmp_path):
    torch.manual_seed(0)
    source, model = tiny(), tiny()
    report = pysot.load_checkpoint(model, save(tmp_path / "model.pth", source.state_dict()))
    assert report.layout == "native (PySOT)"
    assert report.loaded == tuple(source.state_dict())
    assert not any([report.derived, report.missing, report.unexpected, report.mismatched, report.unused])
    assert report.fits
    assert not report.backbone_only
    for name, tensor in source.state_dict().items():
        assert torch.equal(model.state_dict()[name], tensor), name
    assert str(report) == f"{tmp_path / 'model.pth'}: native (PySOT), 75 tensors loaded"


@pytest.mark.parametrize("wrapped", [False, True])
def test_prefix_of_distributed_training_is_taken_off(tmp_path, wrapped):
    source, model = tiny(), tiny()
    state = {f"module.{name}": tensor for name, tensor in source.state_dict().items()}
    content = {"epoch": 20, "state_dict": state, "optimizer": {"state": {}, "param_groups": []}} if wrapped else state
    report = pysot.load_checkpoint(model, save(tmp_path / "checkpoint_e20.pth", content))
    assert report.loaded == tuple(source.state_dict())
    assert torch.equal(model.backbone.features[0].weight, source.backbone.features[0].weight)


def test_prefix_stays_where_only_some_names_have_it(tmp_path):
    state = {f"module.{name}": tensor for name, tensor in tiny().state_dict().items()} | {"step": torch.tensor(3)}
    with pytest.raises(CheckpointError, match="no known layout"):
        pysot.load_checkpoint(tiny(), save(tmp_path / "model.pth", state))


@pytest.mark.parametrize("legacy", [True, False])
def test_alexnet_loads_in_either_layout(tmp_path, legacy):
    source, model = tiny(legacy), tiny(not legacy)
    path = save(tmp_path / "model.pth", source.state_dict())
    report = pysot.load_checkpoint(model, path)
    check_accounts(report, source.state_dict(), model)
    assert report.fits
    chain, stages = (source, model) if legacy else (model, source)
    for index, layer in CHAIN.items():
        for leaf, tensor in chain.backbone.features[index].state_dict().items():
            assert torch.equal(stages.backbone.get_submodule(layer).state_dict()[leaf], tensor), (index, leaf)
    image = torch.rand(1, 3, 127, 127) * 255
    assert torch.equal(source.eval().backbone(image)[0], model.eval().backbone(image)[0])


def test_alexnet_backbone_alone_loads_in_either_layout(tmp_path):
    source = tiny().backbone
    path = save(tmp_path / "alexnet-bn.pth", source.state_dict())
    for model in (tiny(), tiny(legacy=False)):
        report = pysot.load_checkpoint(model, path)
        check_accounts(report, source.state_dict(), model)
        assert report.backbone_only
        assert report.layout == "backbone alone"
        assert len(report.loaded) == 35
        assert torch.equal(next(model.backbone.parameters()), source.features[0].weight)


def test_file_with_both_alexnet_layouts_loses_no_name(tmp_path):
    state = {**tiny(legacy=False).state_dict(), **tiny().state_dict()}
    for model in (tiny(), tiny(legacy=False)):
        with pytest.raises(CheckpointError, match=r"35 unexpected"):
            pysot.load_checkpoint(model, save(tmp_path / "both.pth", state))
        report = pysot.load_checkpoint(model, tmp_path / "both.pth", strict=False)
        check_accounts(report, state, model)


@pytest.mark.parametrize("experiment", ["siammask_r50_base", "siammask_r50_l3"])
def test_siammask_names(tmp_path, experiment):
    model = meta_model(experiment)
    state = fill(siammask_names(shapes_of(model)))
    assert "features.features.layer1.0.conv1.weight" in state
    assert "features.downsample.downsample.0.weight" in state
    assert "mask_model.mask.head.3.bias" in state
    report = pysot.load_checkpoint(model, save(tmp_path / "SiamMask.pth", {"epoch": 1, "state_dict": state}))
    check_accounts(report, state, model)
    assert report.layout == "foolwood/SiamMask"
    assert set(report.loaded) == set(model.state_dict())
    assert report.fits


def test_siammask_values_arrive_under_their_native_names():
    shapes = {
        "backbone.conv1.weight": (1,),
        "neck.downsample.downsample.0.weight": (2,),
        "rpn_head.cls.head.3.bias": (3,),
    }
    shapes |= {"mask_head.head.0.weight": (4,), "refine_head.v0.0.weight": (5,)}
    converted = to_native(fill(siammask_names(shapes)))
    assert {name: tuple(tensor.shape) for name, tensor in converted.state.items()} == shapes


@pytest.mark.shared
@pytest.mark.parametrize(("kind", "experiment"), [("base", "siammask_r50_base"), ("sharp", "siammask_r50_l3")])
def test_official_siammask_files_fit(tmp_path, shared, kind, experiment):
    shapes = json.loads((shared / f"parity/siammask_official_{kind}.keys.json").read_text())
    model = meta_model(experiment)
    state = fill({f"module.{name}": shape for name, shape in shapes.items()})
    content = {"epoch": 12, "arch": "Custom", "state_dict": state, "best_acc": 0.0, "anchor_cfg": {"ratios": [1]}}
    report = pysot.load_checkpoint(model, save(tmp_path / "SiamMask.pth", content))
    check_accounts(report, shapes, model)
    assert set(report.loaded) == set(model.state_dict())
    assert len(report.loaded) == len(shapes)


def test_sharp_siammask_does_not_fit_the_base_network_unless_asked(tmp_path):
    state = fill(siammask_names(shapes_of(meta_model("siammask_r50_l3"))))
    base, path = meta_model("siammask_r50_base"), save(tmp_path / "SiamMask.pth", state)
    with pytest.raises(CheckpointError, match=r"32 unexpected \(first: refine_model\."):
        pysot.load_checkpoint(base, path)
    report = pysot.load_checkpoint(base, path, strict=False)
    check_accounts(report, state, base)
    assert {name.split(".")[0] for name in report.unexpected} == {"refine_model"}


@pytest.mark.parametrize("width", [0.1, 0.2])
def test_dasiamrpn_loads_bit_for_bit(tmp_path, width):
    source, model = tiny(width=width, up_channel=True), tiny(width=width, up_channel=True)
    native = [name for name in source.state_dict() if "num_batches" not in name]
    names = dict(zip(dasiamrpn_names(shapes_of(source)), native, strict=True))
    assert names["conv_r1.weight"] == "rpn_head.template_loc_conv.weight"
    assert names["regress_adjust.bias"] == "rpn_head.loc_adjust.bias"
    state = {name: source.state_dict()[to] for name, to in names.items()}
    report = pysot.load_checkpoint(model, save(tmp_path / "SiamRPNVOT.model", state))
    check_accounts(report, state, model)
    assert report.layout == "foolwood/DaSiamRPN"
    assert set(report.loaded) == set(native)
    assert report.fits
    for name in native:
        assert torch.equal(model.state_dict()[name], source.state_dict()[name]), name


@pytest.mark.parametrize("kind", ["vot", "otb", "big"])
def test_dasiamrpn_networks_take_their_files(tmp_path, kind):
    model = meta_model(f"dasiamrpn_{kind}")
    shapes = dasiamrpn_names(shapes_of(model))
    assert shapes["featureExtract.0.weight"] == (192 if kind == "big" else 96, 3, 11, 11)
    report = pysot.load_checkpoint(model, save(tmp_path / "SiamRPN.model", fill(shapes)))
    check_accounts(report, shapes, model)
    assert report.fits


@pytest.mark.shared
@pytest.mark.parametrize("kind", ["vot", "otb", "big"])
def test_recorded_dasiamrpn_names_fit(tmp_path, shared, kind):
    with np.load(shared / f"parity/dasiamrpn_{kind}.npz") as record:
        shapes = json.loads(str(record["state_dict_shapes"]))
    model = meta_model(f"dasiamrpn_{kind}")
    report = pysot.load_checkpoint(model, save(tmp_path / "SiamRPN.model", fill(shapes)))
    check_accounts(report, shapes, model)
    assert report.layout == "foolwood/DaSiamRPN"
    assert report.fits


def test_dasiamrpn_of_another_width_is_refused_with_both_shapes(tmp_path):
    wide, model = tiny(width=0.2, up_channel=True), tiny(width=0.1, up_channel=True)
    path = save(tmp_path / "SiamRPNBIG.model", fill(dasiamrpn_names(shapes_of(wide))))
    with pytest.raises(CheckpointError, match=r"first: featureExtract\.0\.weight: \(19, 3, 11, 11\), expected \(9, 3"):
        pysot.load_checkpoint(model, path)


def test_siamfc_pytorch_loads(tmp_path):
    source, model = (SiameseNet(AlexNetSiamFC(), SiamFCHead()) for _ in range(2))
    state = source.state_dict()
    assert {name.split(".")[1] for name in state} == {f"conv{index}" for index in range(1, 6)}
    report = pysot.load_checkpoint(model, save(tmp_path / "siamfc_alexnet_e50.pth", state))
    check_accounts(report, state, model)
    assert report.loaded == tuple(state)
    assert "siamfc-pytorch" in report.layout
    assert torch.equal(model.backbone.conv5[0].weight, source.backbone.conv5[0].weight)


@pytest.mark.parametrize("prefix", ["", "backbone."])
def test_tracker_resnet_alone_is_not_taken_for_torchvisions(tmp_path, prefix):
    model = with_backbone("resnet18")
    source = with_backbone("resnet18").backbone.state_dict()
    state = {prefix + name: tensor for name, tensor in source.items()} | {f"{prefix}fc.weight": torch.zeros(1000, 512)}
    head = {name: tensor.clone() for name, tensor in model.rpn_head.state_dict().items()}
    report = pysot.load_checkpoint(model, save(tmp_path / "resnet18.model", state))
    check_accounts(report, state, model)
    assert "backbone alone" in report.layout
    assert list(report.unused) == [f"{prefix}fc.weight"]
    assert len(report.loaded) == len(source)
    # Raw BGR is what such a file is for: its first layer is taken as it is.
    assert torch.equal(model.backbone.conv1.weight, source["conv1.weight"])
    assert torch.equal(model.backbone.bn1.running_mean, source["bn1.running_mean"])
    assert all(torch.equal(model.rpn_head.state_dict()[name], tensor) for name, tensor in head.items())


def test_mobilenet_of_the_trackers_alone(tmp_path):
    model, source = (with_backbone("mobilenetv2", width_mult=0.35) for _ in range(2))
    state = source.backbone.state_dict()
    report = pysot.load_checkpoint(model, save(tmp_path / "mobilenet_v2.model", state))
    check_accounts(report, state, model)
    assert report.layout == "backbone alone"
    assert torch.equal(model.backbone.layer0[0].weight, source.backbone.layer0[0].weight)


def test_stages_the_network_does_not_build_are_said_to_be_unused(tmp_path):
    model = with_backbone("resnet18", used_layers=[2])
    state = with_backbone("resnet18").backbone.state_dict()
    report = pysot.load_checkpoint(model, save(tmp_path / "resnet18.model", state))
    check_accounts(report, state, model)
    assert {name.split(".")[0] for name in report.unused} == {"layer3", "layer4"}
    assert set(report.unused.values()) == {"belongs to a stage that the network does not have"}


def test_names_of_no_layout_are_refused(tmp_path):
    with pytest.raises(CheckpointError, match=r"of no known layout; see docs/checkpoints\.md"):
        pysot.load_checkpoint(tiny(), save(tmp_path / "gpt.pth", {"transformer.wte.weight": torch.zeros(3, 3)}))
