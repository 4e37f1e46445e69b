"""Pictures of a network's answers: boxes, scores and masks are where the network says, and drawing changes nothing."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tiny_training as tiny
import torch

from pysot.datasets import PairKey
from pysot.datasets.contact_sheet import Answers, answer_sheet
from pysot.engine.pictures import AnswerPictures, paste_masks
from pysot.geometry import anchor_grid, base_anchors_wh
from pysot.models.losses import MaskTerm, mask_windows
from pysot.trackers.postprocess import decode_boxes, target_probability

CPU = torch.device("cpu")
GREEN, RED, BLUE = (80, 200, 60), (70, 70, 235), (255, 170, 60)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write_training_set(tmp_path_factory.mktemp("pictures") / "set")


def batch_of(data: Path, system: str, *options, pairs: int = 4):
    """Return a configuration and its first pairs."""
    cfg = tiny.small_cfg(data, *options, system=system)
    trainer = tiny.small_trainer(data, *options, system=system)
    return cfg, trainer, trainer.loader.dataset.__getitems__([PairKey(0, number) for number in range(pairs)])


class Teacher(torch.nn.Module):
    """Answers what the labels of a batch ask for."""

    def __init__(self, cls, loc=None):
        super().__init__()
        self.output = SimpleNamespace(cls=cls, loc=loc)

    def encode_template(self, crops):
        return crops

    def forward(self, template, search):
        assert template.dtype == search.dtype == torch.float32
        return self.output


def test_the_labels_as_answer_give_the_true_boxes(data):
    cfg, _, batch = batch_of(data, "siamrpn++", "DATASET.NEG", 0.0)
    positive = torch.where(batch["cls"] == 1, 8.0, -8.0)  # (B, K, S, S)
    network = Teacher(torch.cat([-positive, positive], dim=1), batch["loc"].flatten(1, 2))
    sizes = base_anchors_wh(8, cfg.ANCHOR.RATIOS, cfg.ANCHOR.SCALES)
    anchors = torch.from_numpy(anchor_grid(sizes, 8, cfg.TRAIN.OUTPUT_SIZE).boxes_cxcywh.T.copy())

    def propose(output):
        return decode_boxes(output.loc, anchors), target_probability(output.cls)

    answers = AnswerPictures(batch, CPU, 8, propose=propose).answers(network)
    np.testing.assert_allclose(answers.box_xyxy, batch["box_xyxy"], atol=0.01)
    asked = (batch["cls"] == 1).any(dim=1).numpy()
    assert (answers.score[asked] > 0.99).all()
    assert (answers.score[~asked] < 0.01).all()


def test_without_a_box_map_the_box_is_where_the_score_is_and_as_large_as_in_the_template(data):
    cfg, _, batch = batch_of(data, "siamfc", "DATASET.NEG", 0.0)
    side, stride = cfg.TRAIN.OUTPUT_SIZE, cfg.ANCHOR.STRIDE
    cls = torch.full((4, 1, side, side), -5.0)
    cls[:, 0, 2, 0] = 3.0  # below and left of the centre
    answers = AnswerPictures(batch, CPU, stride).answers(Teacher(cls))
    wide = batch["template_box_xyxy"][:, 2:] - batch["template_box_xyxy"][:, :2]
    np.testing.assert_allclose(answers.box_xyxy[:, 2:] - answers.box_xyxy[:, :2], wide, rtol=1e-5)
    middle = cfg.TRAIN.SEARCH_SIZE // 2
    center = (answers.box_xyxy[:, 2:] + answers.box_xyxy[:, :2]) / 2
    np.testing.assert_allclose(center, [[middle - stride, middle + stride]] * 4, rtol=1e-5)
    assert answers.score[:, 2, 0] == pytest.approx(1 / (1 + np.exp(-3)))
    assert answers.mask is None


@pytest.mark.parametrize("cell", [(0, 0), (4, 6), (10, 10)])
def test_a_pasted_mask_is_what_its_window_shows(cell):
    term = MaskTerm(stride=8, padding=32, size=127)
    logits = torch.randn(1, 127, 127, generator=torch.Generator().manual_seed(0))
    cells = torch.tensor([[0, *cell]])
    pasted = paste_masks(logits, cells, term, 143)
    window = mask_windows(pasted, cells, term.stride, term.padding, term.size)
    inside = mask_windows(torch.ones(1, 143, 143), cells, term.stride, term.padding, term.size) > 0
    torch.testing.assert_close(window[inside], logits.sigmoid()[inside])
    assert inside.float().mean() > 0.5
    assert pasted.count_nonzero() == inside.sum()


@pytest.mark.parametrize("system", ["siammask", "siammask-refined"])
def test_masks_are_drawn_for_networks_that_have_them(data, system):
    cfg, trainer, batch = batch_of(data, system)

    def propose(output):
        boxes = torch.tensor([70.0, 70, 30, 30]).reshape(1, 4, 1).expand(4, 4, output.loc[0].numel() // 4)
        return boxes, target_probability(output.cls)

    pictures = AnswerPictures(batch, CPU, 8, propose=propose, mask=trainer.criterion.mask)
    answers = pictures.answers(trainer.network.eval())
    assert answers.mask.shape == (4, cfg.TRAIN.SEARCH_SIZE, cfg.TRAIN.SEARCH_SIZE)
    assert ((answers.mask >= 0) & (answers.mask <= 1)).all()
    sheet = pictures(trainer.network)
    assert sheet.dtype == np.uint8
    assert sheet.shape[1] == 2 * (127 + 2 * 143 + 3 * 8) + 8


def colored(image, color):
    return int((np.abs(image.astype(int) - color).max(axis=2) <= 2).sum())


def test_truth_answer_and_score_are_drawn(data):
    _, _, batch = batch_of(data, "siamrpn++", "DATASET.NEG", 0.0, pairs=2)
    box = np.array([[20.0, 20, 60, 80]] * 2)
    cold = answer_sheet(batch, Answers(np.zeros((2, 5, 5)), box), 8, columns=1)
    hot = answer_sheet(batch, Answers(np.ones((2, 5, 5)), box), 8, columns=1)
    around = 2 * (40 + 60) * 2  # two boxes, of which another box or the caption hides little
    assert 0.7 * around < colored(cold, BLUE) < 1.3 * around
    assert colored(cold, GREEN) > 400
    assert colored(cold, RED) == 0
    changed = (cold != hot).any(axis=2).any(axis=0).nonzero()[0]
    # The map of 40 pixels in the middle of the third picture, and the score in the caption under the first.
    third = 8 + 127 + 8 + 159 + 8
    assert changed.max() == third + (159 - 40) // 2 + 39
    assert (changed[changed > 127 + 8].min(), changed.min() > 8) == (third + (159 - 40) // 2, True)


def test_a_negative_pair_is_red_and_has_no_overlap(data):
    _, _, batch = batch_of(data, "siamrpn++", "DATASET.NEG", 1.0, pairs=2)
    sheet = answer_sheet(batch, Answers(np.zeros((2, 5, 5)), np.array([[20.0, 20, 60, 80]] * 2)), 8)
    assert colored(sheet, RED) > 200
