"""Every network against the recording of its reference: names, shapes, outputs, and both ways of running it."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

import pysot
from pysot.runtime import Executor
from tests.parity import NAMES, Recording

pytestmark = pytest.mark.shared

# Relative to the largest value of a map.
TOLERANCE = {"eager": 1e-4, "fused": 1e-3}
# Recordings whose names are another project's; they are converted on loading.
FOREIGN = {"dasiamrpn_vot", "dasiamrpn_otb", "dasiamrpn_big"}


@pytest.fixture(scope="module", params=NAMES)
def recording(request, shared):
    return Recording.read(shared / "parity", request.param)


@pytest.fixture(scope="module")
def network(recording, tmp_path_factory):
    return recording.network(tmp_path_factory.mktemp("weights"))


def compare(output, masks, recording, tolerance):
    """Hold everything the recording has of a network against what ours answered."""
    got = {"net/cls": output.cls, "net/loc": output.loc, "net/response": output.cls, **masks}
    recorded = [key for key in recording.arrays if key.startswith("net/")]
    assert recorded
    for key in recorded:
        difference = np.abs(got[key].numpy() - recording.arrays[key]).max()
        assert difference <= tolerance * np.abs(recording.arrays[key]).max(), key


def masks_of(network, output):
    """The coarse and the refined mask that were recorded."""
    if network.mask_head is None:
        return {}
    coarse = network.mask_head.at(output.mask_correlation[0], torch.tensor([[0, 12, 12]]))
    refined = network.masks_at(output, torch.tensor([[0, 12, 7]]))
    return {"net/mask_at_row12_col12": coarse.flatten(1), "net/refine_at_row12_col7": refined.flatten(1)}


def test_names_and_shapes_are_the_public_ones(recording):
    shapes = {name: tuple(shape) for name, shape in json.loads(str(recording.arrays["state_dict_shapes"])).items()}
    with torch.device("meta"):
        model = pysot.build_model(pysot.load_cfg(recording.experiment))
    ours = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    if recording.name in FOREIGN:
        assert sorted(ours.values()) == sorted(shapes.values())
    else:
        assert ours == shapes


@pytest.mark.parametrize("runtime", ["eager", "fused"])
def test_outputs_are_the_references(recording, network, runtime):
    color = pysot.load_cfg(recording.experiment).INPUT.COLOR
    crops = []
    for key in ("crop_template", "crop_search"):
        pixels = recording.arrays[key][0].transpose(1, 2, 0)
        assert (pixels == pixels.astype(np.uint8)).all()
        # The executor takes BGR whatever the network takes.
        crops.append(np.ascontiguousarray(pixels.astype(np.uint8)[..., :: -1 if color == "RGB" else 1]))
    executor = Executor(network, torch.device("cpu"), color, runtime)
    output = executor.search(executor.encode_template(crops[:1]), crops[1:])
    with torch.inference_mode():
        masks = masks_of(executor.network, output)
    compare(output, masks, recording, TOLERANCE[runtime])
    if masks:
        probabilities = executor.masks_at(output, torch.tensor([[0, 12, 7]]))
        torch.testing.assert_close(probabilities.flatten(1), masks["net/refine_at_row12_col7"].sigmoid())
