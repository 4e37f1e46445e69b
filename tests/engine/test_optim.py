"""What is trained when, at which learning rate, with which momentum; averages and memory, against their definitions."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn

import pysot
from pysot.engine.build import build_optimizer, build_plan, build_schedule, estimate_phases
from pysot.engine.optim import (
    WeightAverage,
    clip_gradients,
    describe_learning_rates,
    estimate_memory,
    make_optimizer,
    plan_training,
    reduction_factor,
    set_learning_rates,
)
from pysot.models import build_model
from pysot.models.initialize import initialize_backbone
from pysot.utils import ConfigError

ALEXNET = [
    *["BACKBONE.TYPE", "alexnet", "BACKBONE.KWARGS.width_mult", 0.1],
    *["RPN.KWARGS.in_channels", 25, "RPN.KWARGS.out_channels", 8, "BACKBONE.TRAIN_LAYERS", ["layer4", "layer5"]],
]
RESNET_MASK = [
    *["BACKBONE.TYPE", "resnet18", "ADJUST.KWARGS.in_channels", [256], "ADJUST.KWARGS.out_channels", [8]],
    *["RPN.KWARGS.in_channels", 8, "RPN.KWARGS.out_channels", 8, "MASK.KWARGS.in_channels", 8],
    *["MASK.KWARGS.hidden", 8],
]


def small(*overrides, experiment="siamrpn_alex_dwxcorr_16gpu", sizes=ALEXNET):
    cfg = pysot.load_cfg(experiment, [*sizes, *overrides])
    torch.manual_seed(0)
    return cfg, build_model(cfg)


def step(network, optimizer, seed):
    """Take a step towards smaller outputs."""
    generator = torch.Generator().manual_seed(seed)
    template, search = (torch.rand(2, 3, size, size, generator=generator) * 255 for size in (127, 143))
    output = network(network.encode_template(template), search)
    optimizer.zero_grad()
    (output.cls.square().mean() + output.loc.square().mean()).backward()
    optimizer.step()


def state_of(network):
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def changed(before, after):
    return {name for name in before if not torch.equal(before[name], after[name])}


# The plan


def test_blocks_of_a_layer_are_trained_alone():
    blocks = ["layer3.2", "layer4"]
    mobilenet = ["BACKBONE.TYPE", "mobilenetv2", "BACKBONE.KWARGS.used_layers", [4], "BACKBONE.TRAIN_LAYERS", blocks]
    channels = ["RPN.KWARGS.in_channels", 16, "RPN.KWARGS.out_channels", 8, "BACKBONE.KWARGS.width_mult", 0.25]
    cfg, network = small("BACKBONE.TRAIN_EPOCH", 0, sizes=[*mobilenet, *channels])
    plan = build_plan(cfg, network)
    plan.apply(0)
    assert plan.trained(0) == ("backbone.layer3.2", "backbone.layer4", "rpn_head")
    modes = {name.split(".conv.")[0] for name, module in network.backbone.named_modules() if module.training}
    assert {mode.split(".")[0] for mode in modes} == {"layer3", "layer4"}
    assert not network.backbone.layer3[1].training
    before, optimizer = state_of(network), build_optimizer(cfg, plan)
    step(network, optimizer, 0)
    moved = {name for name in changed(before, state_of(network)) if name.startswith("backbone.")}
    assert moved
    assert all(name.startswith(("backbone.layer3.2.", "backbone.layer4.")) for name in moved)
    with pytest.raises(ConfigError, match=r"layer4.1 is a part of layer4; name one of them"):
        plan_training(network, ["layer4", "layer4.1"])


def test_from_its_epoch_on_normalisations_keep_their_statistics_and_use_them():
    cfg, network = small("BACKBONE.TRAIN_EPOCH", 0, "TRAIN.FREEZE_NORM_EPOCH", 2)
    plan = build_plan(cfg, network)
    optimizer = build_optimizer(cfg, plan)
    statistics = {name for name, _ in network.named_buffers() if "running" in name}
    for epoch, frozen in ((1, False), (2, True), (3, True)):
        plan.apply(epoch)
        before = state_of(network)
        step(network, optimizer, epoch)
        moved = changed(before, state_of(network))
        assert bool(moved & statistics) is not frozen
        assert {"rpn_head.cls.conv_kernel.1.weight", "backbone.layer5.1.weight"} <= moved
        assert network.rpn_head.training


def test_with_frozen_statistics_the_network_that_is_trained_is_the_one_that_tracks():
    cfg, network = small("TRAIN.FREEZE_NORM_EPOCH", 2)
    plan, crop = build_plan(cfg, network), torch.rand(1, 3, 143, 143) * 255
    plan.apply(2)
    trained = network(network.encode_template(crop[..., :127, :127]), crop).cls
    network.eval()
    torch.testing.assert_close(trained, network(network.encode_template(crop[..., :127, :127]), crop).cls)


def test_layers_are_unfrozen_at_their_epoch_and_normalisations_with_them():
    cfg, network = small("BACKBONE.TRAIN_EPOCH", 3)
    plan = build_plan(cfg, network)
    optimizer = build_optimizer(cfg, plan)
    assert plan.trained(2) == ("rpn_head",)
    assert plan.trained(3) == ("backbone.layer4", "backbone.layer5", "rpn_head")
    assert plan.phases(10) == [0, 3]
    assert plan.phases(3) == [0]
    for epoch, layers in ((2, ()), (3, ("layer4", "layer5"))):
        plan.apply(epoch)
        before = state_of(network)
        step(network, optimizer, epoch)
        expected = {
            name for name in before if name.startswith(("rpn_head.", *(f"backbone.{layer}." for layer in layers)))
        }
        assert changed(before, network.state_dict()) == expected
        # What changes includes the running statistics; in frozen layers they stay.
        assert any("running_mean" in name for name in expected)


def test_frozen_parts_stay_as_they_are_also_after_train_was_called():
    cfg, network = small("TRAIN.FROZEN", ["rpn_head"], "BACKBONE.TRAIN_EPOCH", 0)
    plan = build_plan(cfg, network)
    optimizer = build_optimizer(cfg, plan)
    network.train()
    plan.apply(0)
    before = state_of(network)
    step(network, optimizer, 0)
    assert {name.split(".")[1] for name in changed(before, network.state_dict())} == {"layer4", "layer5"}


def test_momentum_survives_the_unfreezing():
    cfg, network = small("BACKBONE.TRAIN_EPOCH", 1)
    plan = build_plan(cfg, network)
    optimizer = build_optimizer(cfg, plan)
    plan.apply(0)
    step(network, optimizer, 0)
    weight = network.rpn_head.cls.head[0].weight
    before = optimizer.state[weight]["momentum_buffer"].clone()
    assert before.abs().sum() > 0
    plan.apply(1)
    layer = network.backbone.get_submodule("layer5")[0].weight
    old, old_layer = weight.detach().clone(), layer.detach().clone()
    step(network, optimizer, 1)
    velocity = 0.9 * before + weight.grad + 1e-4 * old
    torch.testing.assert_close(optimizer.state[weight]["momentum_buffer"], velocity)
    group = {group["name"]: group for group in optimizer.param_groups}["rpn_head"]
    torch.testing.assert_close(weight.detach(), old - group["lr"] * velocity)
    # The layer that joins has its first gradient alone as its momentum.
    torch.testing.assert_close(optimizer.state[layer]["momentum_buffer"], layer.grad + 1e-4 * old_layer)


def test_an_optimizer_resumes_before_at_and_after_the_unfreezing():
    cfg, network = small("BACKBONE.TRAIN_EPOCH", 2)
    plan = build_plan(cfg, network)
    optimizer = build_optimizer(cfg, plan)
    saved = []
    for epoch in range(4):
        plan.apply(epoch)
        saved.append((state_of(network), copy.deepcopy(optimizer.state_dict())))
        step(network, optimizer, epoch)
    for start, (weights, state) in enumerate(saved):
        _, again = small("BACKBONE.TRAIN_EPOCH", 2)
        plan_again = build_plan(cfg, again)
        optimizer_again = build_optimizer(cfg, plan_again)
        again.load_state_dict(weights)
        optimizer_again.load_state_dict(state)
        for epoch in range(start, 4):
            plan_again.apply(epoch)
            step(again, optimizer_again, epoch)
        assert not changed(network.state_dict(), again.state_dict())


def test_parts_have_their_groups_and_learning_rates():
    cfg, network = small(experiment="siammask_r50_l3", sizes=RESNET_MASK)
    plan = build_plan(cfg, network)
    optimizer = build_optimizer(cfg, plan)
    rates = {group["name"]: group["initial_lr"] for group in optimizer.param_groups}
    assert rates == {
        "backbone.layer2": pytest.approx(0.0005),
        "backbone.layer3": pytest.approx(0.0005),
        "neck": 0.005,
        "rpn_head": 0.005,
        "mask_head.conv_kernel": 0.005,  # its own masks have no loss where they are refined
        "mask_head.conv_search": 0.005,
        "refine_head": 0.005,
    }
    set_learning_rates(optimizer, 0.5)
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([rate / 2 for rate in rates.values()])
    assert {group["momentum"] for group in optimizer.param_groups} == {0.9}
    assert {group["weight_decay"] for group in optimizer.param_groups} == {1e-4}


def test_layers_that_the_backbone_lacks_are_noted():
    cfg, network = small(experiment="siammask_r50_l3", sizes=RESNET_MASK)
    assert build_plan(cfg, network).notes == ("BACKBONE.TRAIN_LAYERS: this ResNet has no layer4, it is passed over",)


def test_a_backbone_with_none_of_the_layers_is_refused():
    cfg, network = small("BACKBONE.TYPE", "alexnetlegacy")
    message = r"\['layer4', 'layer5'\]: this AlexNetLegacy has none of them, it has \['features'\]"
    with pytest.raises(ConfigError, match=message):
        build_plan(cfg, network)


def test_no_layers_keep_the_backbone_frozen():
    cfg, network = small("BACKBONE.TRAIN_LAYERS", [])
    assert build_plan(cfg, network).trained(99) == ("rpn_head",)


def test_siamfc_s_head_has_nothing_to_train():
    cfg = pysot.load_cfg("siamfc_alex")
    plan = build_plan(cfg, build_model(cfg))
    assert plan.trained(0) == tuple(f"backbone.conv{i}" for i in range(1, 6))


def test_nothing_to_train_is_refused():
    _, network = small()
    with pytest.raises(ConfigError, match=r"nothing is trained: TRAIN.FROZEN and BACKBONE.TRAIN_LAYERS"):
        plan_training(network, [], frozen=["rpn_head"])


def test_a_frozen_part_that_is_not_there_is_noted():
    _, network = small()
    assert plan_training(network, [], frozen=["neck"]).notes == ("TRAIN.FROZEN: the network has no neck",)


# Learning rates


def test_the_description_says_what_a_step_uses():
    cfg, network = small("BACKBONE.TRAIN_EPOCH", 10, "BACKBONE.LAYERS_LR", 0.1)
    plan, schedule = build_plan(cfg, network), build_schedule(cfg)
    text = describe_learning_rates(plan, schedule, cfg.TRAIN.BASE_LR, "sum", 16, 128)
    # BASE_LR .005; the schedule names .005 to .01, then .01 to .0005: half of that is used.
    between = 0.005 * (0.0005 / 0.01) ** (5 / 44) * 0.1
    assert text.splitlines() == [
        f"learning rate of backbone.layer4, backbone.layer5: {between:.3g} in epoch 10, 2.5e-05 in epoch 49",
        "learning rate of rpn_head: 0.0025 in epoch 0, 0.005 in epoch 5, 0.00025 in epoch 49",
        "TRAIN.LR names 0.01 where TRAIN.BASE_LR is 0.005: the schedule gives the course, BASE_LR the height, so the "
        "learning rates are 0.5 of those it names",
        "effective learning rate: 16 x these, for the mean gradient of the 2048 pairs of a step (TRAIN.GRAD_REDUCE "
        "sum, 16 x 128 pairs)",
    ]


def test_an_ordinary_description_has_no_word_too_many():
    cfg, network = small("BACKBONE.TRAIN_EPOCH", 50, "TRAIN.BASE_LR", 0.01)
    plan, schedule = build_plan(cfg, network), build_schedule(cfg)
    lines = describe_learning_rates(plan, schedule, cfg.TRAIN.BASE_LR, "mean", 2, 4).splitlines()
    assert [line.split(":")[0] for line in lines] == [
        "never trained",
        "learning rate of rpn_head",
        "effective learning rate",
    ]
    assert lines[-1].startswith("effective learning rate: 1 x these, for the mean gradient of the 8 pairs of a step")


def test_a_sum_is_the_mean_with_a_larger_loss():
    losses = torch.tensor([1.0, 5.0, 6.0])
    assert (losses * reduction_factor("mean", 3)).mean() == losses.mean()
    assert (losses * reduction_factor("sum", 3)).mean() == losses.sum()


@pytest.mark.parametrize(("most", "expected"), [(0, [3.0, 4.0]), (10, [3.0, 4.0]), (2.5, [1.5, 2.0])])
def test_gradients_are_clipped_by_their_common_norm(most, expected):
    first, second, frozen = (nn.Parameter(torch.zeros(1)) for _ in range(3))
    first.grad, second.grad = torch.tensor([3.0]), torch.tensor([4.0])
    optimizer = torch.optim.SGD([{"params": [first, frozen]}, {"params": [second]}], lr=1.0)
    assert clip_gradients(optimizer, most).item() == pytest.approx(5.0)
    assert [first.grad.item(), second.grad.item()] == pytest.approx(expected, rel=1e-5)
    first.grad = torch.tensor([torch.nan])
    assert not torch.isfinite(clip_gradients(optimizer, most))


# Averaged weights


def test_the_average_follows_its_recursion():
    _, network = small()
    average = WeightAverage(network, decay=0.3)
    expected = network.rpn_head.cls.head[3].bias.detach().clone()
    for n in range(1, 6):
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.add_(n)
        network.backbone.get_submodule("layer1")[1].num_batches_tracked += 1
        average.update(network)
        decay = min(0.3, (1 + n) / (10 + n))
        expected = decay * expected + (1 - decay) * network.rpn_head.cls.head[3].bias.detach()
    torch.testing.assert_close(average.network.rpn_head.cls.head[3].bias, expected)
    assert average.network.backbone.get_submodule("layer1")[1].num_batches_tracked == 5
    assert not average.network.training
    assert not any(parameter.requires_grad for parameter in average.network.parameters())


def test_the_average_resumes_exactly():
    _, network = small()
    average, again = WeightAverage(network, 0.9), WeightAverage(network, 0.9)
    for n in range(4):
        with torch.no_grad():
            network.rpn_head.cls.head[3].bias.add_(n)
        average.update(network)
        if n == 1:
            again.load_state_dict(copy.deepcopy(average.state_dict()))
        if n > 1:
            again.update(network)
    assert not changed(average.network.state_dict(), again.network.state_dict())


# Memory


def kept_by_a_real_pass(network, batch):
    """Bytes that a forward pass on the CPU keeps for its backward pass, parameters aside."""
    own = {tensor.untyped_storage().data_ptr() for tensor in network.state_dict().values()}
    kept = {}

    def keep(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        network(network.encode_template(torch.rand(batch, 3, 127, 127)), torch.rand(batch, 3, 143, 143))
    return sum(tensor.untyped_storage().nbytes() for tensor in kept.values())


@pytest.mark.parametrize("epoch", [0, 1])
def test_the_estimate_is_what_a_real_pass_keeps(epoch):
    cfg, network = small("BACKBONE.TRAIN_EPOCH", 1)
    plan = build_plan(cfg, network)
    need = estimate_memory(plan, epoch, 2, 127, 143, average=True)
    plan.apply(epoch)
    assert need.activations == pytest.approx(kept_by_a_real_pass(network, 2), rel=0.02)
    weights = sum(tensor.numel() * tensor.element_size() for tensor in network.state_dict().values())
    trained = 4 * sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)
    assert (need.weights, need.average) == (weights, weights)
    assert (need.gradients, need.momentum) == (trained, trained)
    assert need.total == 2 * weights + 2 * trained + need.activations


def test_the_estimate_leaves_the_network_alone_and_grows_with_the_batch():
    cfg, network = small("BACKBONE.TRAIN_EPOCH", 1)
    plan = build_plan(cfg, network)
    plan.apply(0)
    before = state_of(network), [parameter.requires_grad for parameter in network.parameters()]
    one, four = (estimate_memory(plan, 1, batch, 127, 255).activations for batch in (2, 8))
    assert four == pytest.approx(4 * one, rel=0.01)
    assert not changed(before[0], network.state_dict())
    assert before[1] == [parameter.requires_grad for parameter in network.parameters()]


def test_every_phase_of_a_configuration_is_estimated():
    cfg, network = small(experiment="siammask_r50_l3", sizes=[*RESNET_MASK, "TRAIN.BATCH_SIZE", 2])
    phases = estimate_phases(cfg, build_plan(cfg, network))
    assert list(phases) == [0, 10]
    assert phases[10].total > 1.2 * phases[0].total
    # A refined mask alone keeps 16 maps of 61 x 61 and 4 of 127 x 127, in single precision.
    assert phases[0].activations > 2 * 16 * 4 * (16 * 61**2 + 4 * 127**2)
    assert str(phases[0]).startswith("at least 0.")
    assert str(phases[0]).count(",") == 4


# Fresh weights


def test_siamfc_s_last_convolution_keeps_the_scale_of_its_input():
    cfg = pysot.load_cfg("siamfc_alex")
    torch.manual_seed(0)
    network = build_model(cfg)
    nn.init.constant_(network.backbone.get_submodule("conv1")[1].weight, 5.0)
    initialize_backbone(network)
    for name, module in network.backbone.named_modules():
        if isinstance(module, nn.Conv2d):
            fan_out = module.out_channels * module.kernel_size[0] ** 2
            assert module.weight.std().item() == pytest.approx(np.sqrt(2 / fan_out), rel=0.02), name
            assert module.bias.eq(0).all()
        elif isinstance(module, nn.BatchNorm2d):
            assert module.weight.eq(1).all()


def test_neck_and_heads_keep_their_weights():
    _, network = small(experiment="siammask_r50_l3", sizes=RESNET_MASK)
    before = state_of(network)
    initialize_backbone(network)
    assert {name.split(".")[0] for name in changed(before, network.state_dict())} == {"backbone"}


def test_groups_are_there_from_the_start():
    _, network = small()
    plan = plan_training(network, ["layer5"], train_epoch=7)
    assert [group["name"] for group in make_optimizer(plan, 0.1).param_groups] == ["backbone.layer5", "rpn_head"]
