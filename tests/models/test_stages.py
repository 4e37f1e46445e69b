"""A backbone's levels do not depend on which others are used, and later stages are not built."""

from __future__ import annotations

import pytest
import torch

from pysot.models.backbone import BACKBONES
from tests.models.small_networks import images

# Every stage that can be used, and what makes the backbone small.
STAGES = {
    "alexnet": ((2, 3, 4, 5), {"width_mult": 0.1}),
    "alexnetlegacy": ((2, 3, 4, 5), {"width_mult": 0.1}),
    "alexnetsiamfc": ((2, 3, 4, 5), {}),
    "resnet18": ((0, 1, 2, 3, 4), {}),
    "resnet34": ((0, 1, 2, 3, 4), {}),
    "resnet50": ((0, 1, 2, 3, 4), {}),
    "mobilenetv2": ((0, 1, 2, 3, 4, 5, 6, 7), {"width_mult": 0.25}),
}


def test_every_backbone_is_here():
    assert set(STAGES) == set(BACKBONES)


@pytest.mark.parametrize("name", STAGES)
def test_levels_do_not_depend_on_the_levels_used(name):
    stages, kwargs = STAGES[name]
    torch.manual_seed(0)
    whole = BACKBONES[name](used_layers=stages, **kwargs).eval()
    state = whole.state_dict()
    image = images(1, 127)
    with torch.inference_mode():
        levels = dict(zip(stages, whole(image), strict=True))
        for last in stages:
            part = BACKBONES[name](used_layers=(last,), **kwargs).eval()
            later = set(state) - set(part.state_dict())
            assert bool(later) == (last != stages[-1]), "stages after the last used one are not built"
            part.load_state_dict({key: state[key] for key in part.state_dict()})
            (features,) = part(image)
            assert torch.equal(features, levels[last])
            assert part.out_channels == (features.shape[1],)
            assert part.used_layers == (last,)


@pytest.mark.parametrize("name", STAGES)
def test_training_mode_changes_the_statistics_alone(name):
    stages, kwargs = STAGES[name]
    backbone = BACKBONES[name](used_layers=stages[-1:], **kwargs).train()
    before = {key: value.clone() for key, value in backbone.state_dict().items()}
    (features,) = backbone(images(2, 127))
    assert features.requires_grad
    assert torch.isfinite(features).all()
    changed = {key for key, value in backbone.state_dict().items() if not torch.equal(value, before[key])}
    assert {key.rpartition(".")[2] for key in changed} == {"running_mean", "running_var", "num_batches_tracked"}
