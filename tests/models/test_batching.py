"""Any number of templates against any number of search crops is as one at a time; the batch rule is xcorr's."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pysot.models import NetworkOutput, SiameseNet, Template, build_model, map_tensors, stack_templates
from tests.models.small_networks import calibrated, images, small_cfg

# A head, and what else its network has.
NETWORKS = {
    "SiamFCHead": {},
    "DepthwiseRPN": {"RPN.KWARGS.out_channels": 8},
    "UPChannelRPN": {},
    "MultiRPN": {"BACKBONE.KWARGS.used_layers": [3, 4, 5], "RPN.KWARGS.weighted": True},
}
# Templates, search crops; one number must be a multiple of the other.
BATCHES = [(1, 1), (1, 3), (3, 1), (3, 3), (2, 4), (4, 2)]


@pytest.fixture(scope="module")
def networks():
    """Small networks by head, with normalisation fitted to their inputs."""
    cfgs = {head: small_cfg("alexnet", head, **more) for head, more in NETWORKS.items()}
    return {head: calibrated(build_model(cfg)) for head, cfg in cfgs.items()}


@pytest.fixture(scope="module")
def mask_networks():
    """A network with coarse masks and one with refined masks."""
    mask = {"RPN.KWARGS.out_channels": 8, "MASK.MASK": True, "MASK.KWARGS.hidden": 8, "ADJUST.ADJUST": True}
    mask |= {"ADJUST.KWARGS.out_channels": [8], "BACKBONE.KWARGS.used_layers": [0, 1, 2, 3]}
    cfgs = {
        refine: small_cfg("resnet18", "DepthwiseRPN", **mask, **{"REFINE.REFINE": refine}) for refine in (False, True)
    }
    return {refine: calibrated(build_model(cfg)) for refine, cfg in cfgs.items()}


def close(got, expected):
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))


@pytest.mark.parametrize(("templates", "searches"), BATCHES)
@pytest.mark.parametrize("head", NETWORKS)
def test_batches_equal_one_by_one(networks, head, templates, searches):
    network = networks[head]
    z, x = images(templates, 127), images(searches, 191, seed=1)
    count = max(templates, searches)
    with torch.inference_mode():
        together = network(network.encode_template(z), x)
        assert len(together.cls) == count
        for index in range(count):
            one_z, one_x = index * templates // count, index * searches // count
            alone = network(network.encode_template(z[one_z : one_z + 1]), x[one_x : one_x + 1])
            close(together.cls[index], alone.cls[0])
            assert (together.loc is None) == (alone.loc is None) == (head == "SiamFCHead")
            if together.loc is not None:
                close(together.loc[index], alone.loc[0])


@pytest.mark.parametrize(("templates", "searches"), BATCHES)
@pytest.mark.parametrize("refine", [False, True], ids=["coarse", "refined"])
def test_masks_of_batches_equal_one_by_one(mask_networks, refine, templates, searches):
    network = mask_networks[refine]
    z, x = images(templates, 127), images(searches, 191, seed=1)
    count = max(templates, searches)
    rng = np.random.default_rng(2)
    cells = torch.tensor([[index, *rng.integers(0, 17, 2)] for index in reversed(range(count))])
    with torch.inference_mode():
        masks = network.masks_at(network(network.encode_template(z), x), cells)
        assert masks.shape == (count, network.mask_size, network.mask_size)
        assert network.mask_size == (127 if refine else 63)
        for mask, (index, row, column) in zip(masks, cells.tolist(), strict=True):
            one_z, one_x = index * templates // count, index * searches // count
            alone = network(network.encode_template(z[one_z : one_z + 1]), x[one_x : one_x + 1])
            close(mask, network.masks_at(alone, torch.tensor([[0, row, column]]))[0])


def test_two_targets_in_flight_do_not_disturb_each_other(networks):
    for network in networks.values():
        with torch.inference_mode():
            first, second = (network.encode_template(images(1, 127, seed)) for seed in (0, 1))
            kept = map_tensors(torch.clone, first)
            before = network(first, images(1, 191, 2))
            other = network(second, images(1, 191, 2))
            after = network(first, images(1, 191, 2))
        assert torch.equal(before.cls, after.cls)
        assert not torch.equal(before.cls, other.cls)
        map_tensors(lambda one, two: torch.testing.assert_close(one, two, rtol=0, atol=0) or one, first, kept)


@pytest.mark.parametrize("head", NETWORKS)
def test_stacked_templates_answer_as_those_encoded_together(networks, head):
    network = networks[head]
    with torch.inference_mode():
        z, x = images(3, 127), images(3, 191, seed=1)
        stacked = stack_templates([network.encode_template(z[:1]), network.encode_template(z[1:])])
        assert isinstance(stacked, Template)
        close(network(stacked, x).cls, network(network.encode_template(z), x).cls)
        only = network.encode_template(z)
        assert stack_templates([only]) is only


def test_map_tensors_keeps_the_build():
    output = NetworkOutput(torch.ones(1), torch.zeros(1), (torch.ones(2), torch.ones(3)), (), ())
    doubled = map_tensors(torch.add, output, output)
    assert type(doubled) is NetworkOutput
    assert [tensor.tolist() for tensor in doubled.features] == [[2, 2], [2, 2, 2]]
    assert doubled.mask_correlation == ()
    assert map_tensors(torch.neg, (torch.ones(1), (torch.ones(1),)))[1][0].item() == -1
    with pytest.raises(ValueError, match="zip"):
        map_tensors(torch.add, (torch.ones(1),), (torch.ones(1), torch.ones(1)))


def test_the_network_holds_parameters_and_nothing_else(networks):
    for network in networks.values():
        before = set(vars(network))
        with torch.inference_mode():
            network(network.encode_template(images(1, 127)), images(1, 191))
        assert isinstance(network, SiameseNet)
        assert set(vars(network)) == before
        assert not [value for value in vars(network).values() if isinstance(value, torch.Tensor)]
