"""Losses: values worked out by hand, PyTorch's own functions, numeric gradients, and joined against split batches."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import pysot
from pysot.datasets.targets import AnchorTargets, PairTargets, PointTargets, ScoreTargets
from pysot.engine.build import build_criterion
from pysot.geometry import anchor_grid, base_anchors_wh
from pysot.models import build_model
from pysot.models.losses import (
    BOX_LOSSES,
    Criterion,
    MaskTerm,
    TrainingNetwork,
    anchor_logits,
    balanced_logistic_loss,
    box_loss,
    mask_loss,
    mask_windows,
    point_losses,
)
from pysot.utils import ConfigError


def random(*shape, seed=0, scale=1.0):
    values = np.random.default_rng(seed).normal(0, scale, shape)
    return torch.tensor(values, dtype=torch.float64)


def random_labels(*shape, seed=1):
    return torch.tensor(np.random.default_rng(seed).integers(-1, 2, shape), dtype=torch.int8)


# Classification


def test_each_class_is_half_of_the_loss():
    # Positives 0 and 2: log 2 and log(1 + e^-2); negative 1: log(1 + e); 9 is ignored.
    logits, labels = torch.tensor([0.0, 2.0, 1.0, 9.0]).double(), torch.tensor([1, 1, 0, -1])
    expected = (math.log(2) + math.log1p(math.exp(-2))) / 4 + math.log1p(math.e) / 2
    assert balanced_logistic_loss(logits, labels).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("label", [0, 1])
def test_exactly_one_member_of_a_class_counts(label):
    logits = torch.tensor([0.3, -0.2, 0.1], dtype=torch.float64, requires_grad=True)
    loss = balanced_logistic_loss(logits, torch.tensor([-1, label, -1]))
    sign = 1 if label else -1
    assert loss.item() == pytest.approx(math.log1p(math.exp(0.2 * sign)) / 2)
    loss.backward()
    # d/dx log(1 + exp(-s x)) = -s / (1 + exp(s x)), halved.
    assert logits.grad.tolist() == [0, pytest.approx(-sign / (1 + math.exp(-0.2 * sign)) / 2), 0]


@pytest.mark.parametrize("labels", [[-1, -1, -1], [1, 1, -1], [0, -1, 0]])
def test_a_class_without_members_adds_zero_and_keeps_the_graph(labels):
    logits = torch.tensor([0.0, 0.0, 0.0], requires_grad=True)
    loss = balanced_logistic_loss(logits, torch.tensor(labels))
    assert loss.item() == pytest.approx(0 if set(labels) == {-1} else math.log(2) / 2)
    loss.backward()
    assert torch.isfinite(logits.grad).all()
    assert logits.grad[torch.tensor(labels) == -1].eq(0).all()


def test_two_logits_per_anchor_are_log_softmax():
    cls, labels = random(3, 2 * 5, 7, 7), random_labels(3, 5, 7, 7)
    log_p = F.log_softmax(cls.reshape(3, 2, 5, 7, 7), dim=1)
    expected = -0.5 * log_p[:, 1][labels == 1].mean() - 0.5 * log_p[:, 0][labels == 0].mean()
    torch.testing.assert_close(balanced_logistic_loss(anchor_logits(cls), labels), expected)


def test_smoothing_is_cross_entropy_s():
    cls = random(2, 2 * 3, 4, 4)
    pairs = cls.reshape(2, 2, 3, 4, 4).movedim(1, -1)
    for label in (0, 1):
        labels = torch.full((2, 3, 4, 4), label)
        expected = F.cross_entropy(pairs.reshape(-1, 2), labels.reshape(-1), label_smoothing=0.1)
        got = balanced_logistic_loss(anchor_logits(cls), labels, smoothing=0.1)
        torch.testing.assert_close(got, expected / 2)


def test_large_logits_stay_finite():
    logits = torch.tensor([1e4, -1e4, 1e4, -1e4], requires_grad=True)
    loss = balanced_logistic_loss(logits, torch.tensor([1, 1, 0, 0]))
    assert loss.item() == pytest.approx(1e4 / 2)
    loss.backward()
    assert logits.grad.tolist() == [0, -0.25, 0.25, 0]


def test_half_precision_is_read_as_single():
    logits, labels = random(64).bfloat16(), random_labels(64)
    assert balanced_logistic_loss(logits, labels).dtype == torch.float32
    assert balanced_logistic_loss(logits, labels) == balanced_logistic_loss(logits.float(), labels)
    assert mask_loss(torch.zeros(1, 3, 3).half(), torch.ones(1, 5, 5, dtype=torch.int8)).dtype == torch.float32


# Boxes


def one_anchor(predicted, wanted, kind):
    shape = (1, 4, 1, 1, 1)
    weights = torch.ones(1, 1, 1, 1)
    given = torch.tensor(predicted, dtype=torch.float64).reshape(1, 4, 1, 1)
    return box_loss(given, torch.tensor(wanted, dtype=torch.float64).reshape(shape), weights, kind=kind).item()


def test_box_losses_by_hand():
    predicted, wanted = [0.5, 0.0, math.log(2), 0.0], [0.0, 0.05, 0.0, 0.0]
    assert one_anchor(predicted, wanted, "l1") == pytest.approx(0.55 + math.log(2))
    expected = (0.5 - 1 / 18) + 4.5 * 0.05**2 + (math.log(2) - 1 / 18)
    assert one_anchor(predicted, wanted, "smooth_l1") == pytest.approx(expected)
    # x: [-0.5, 1.5] and [-0.5, 0.5]; y: the same unit side: overlap 1 / 2, and nothing around both is empty.
    for kind in ("iou", "giou"):
        assert one_anchor([0.5, 0.3, math.log(2), 0.0], [0.0, 0.3, 0.0, 0.0], kind) == pytest.approx(0.5)


def test_boxes_apart_have_a_distance_only_in_the_generalised_overlap():
    # Unit squares 3 apart: the box around both has area 4, of which 2 are covered.
    assert one_anchor([3.0, 0, 0, 0], [0.0, 0, 0, 0], "iou") == pytest.approx(1)
    assert one_anchor([3.0, 0, 0, 0], [0.0, 0, 0, 0], "giou") == pytest.approx(1.5)


def test_overlaps_in_units_of_the_anchor_are_those_in_pixels():
    predicted, wanted = random(1, 4, 40, 1, 1, scale=0.4), random(1, 4, 40, 1, 1, scale=0.4, seed=9)
    anchors = torch.tensor(np.random.default_rng(2).uniform(10, 100, (4, 40)))
    corners = []
    for offsets in (predicted, wanted):
        dx, dy, dw, dh = offsets.reshape(4, 40)
        cx, cy = dx * anchors[2] + anchors[0], dy * anchors[3] + anchors[1]
        w, h = dw.exp() * anchors[2], dh.exp() * anchors[3]
        corners.append(np.stack([cx - w / 2, cy - h / 2, w, h], axis=1))
    expected = 1 - pysot.geometry.iou_xywh(corners[0], corners[1])
    np.testing.assert_allclose(BOX_LOSSES["iou"](predicted, wanted).reshape(40), expected, rtol=1e-12)


@pytest.mark.parametrize("kind", BOX_LOSSES)
def test_a_perfect_box_loses_nothing_and_an_absurd_one_stays_finite(kind):
    assert one_anchor([0.1, 0.2, 0.3, -0.4], [0.1, 0.2, 0.3, -0.4], kind) == pytest.approx(0, abs=1e-12)
    assert math.isfinite(one_anchor([0.0, 0.0, 500.0, -500.0], [0.0, 0.0, 0.0, 0.0], kind))


@pytest.mark.parametrize("kind", BOX_LOSSES)
def test_a_pair_s_anchors_are_averaged_and_pairs_too(kind):
    loc, wanted = random(3, 4 * 2, 3, 3, scale=0.3), random(3, 4, 2, 3, 3, scale=0.3, seed=5)
    weights = torch.zeros(3, 2, 3, 3)
    weights[0, 1, 2, 0] = 1.0
    weights[2, 0, 1, 1] = weights[2, 1, 1, 1] = 0.5

    def of(b, k, row, column):
        own = loc.reshape(3, 4, 2, 3, 3)[b, :, k, row, column].tolist()
        return one_anchor(own, wanted[b, :, k, row, column].tolist(), kind)

    expected = (of(0, 1, 2, 0) + (of(2, 0, 1, 1) + of(2, 1, 1, 1)) / 2) / 3
    assert box_loss(loc, wanted, weights, kind=kind).item() == pytest.approx(expected)
    assert box_loss(loc, wanted, weights, 6, kind=kind).item() == pytest.approx(expected / 2)


def test_no_positive_anchor_is_zero_with_a_graph():
    loc = torch.full((1, 4, 2, 2), math.inf, requires_grad=True)
    loss = box_loss(loc, torch.zeros(1, 4, 1, 2, 2), torch.zeros(1, 1, 2, 2))
    assert loss.item() == 0
    loss.backward()
    assert loc.grad.eq(0).all()


def one_point(distances, wanted, quality=None, kind="iou"):
    shape = (1, 4, 1, 1)
    rated = None if quality is None else torch.tensor(quality, dtype=torch.float64).reshape(1, 1, 1, 1)
    return {
        name: loss.item()
        for name, loss in point_losses(
            torch.tensor(distances, dtype=torch.float64).log().reshape(shape),
            rated,
            torch.tensor(wanted, dtype=torch.float64).reshape(1, 4, 1, 1, 1),
            torch.ones(1, 1, 1, 1),
            kind=kind,
        ).items()
    }


def test_losses_of_a_box_around_a_point_by_hand():
    # 2 x 2 and 4 x 2 around one point: 4 of 8 are common, nothing else is around both.
    assert one_point([1, 1, 1, 1], [2, 1, 2, 1]) == {"loc": pytest.approx(0.5)}
    assert one_point([1, 1, 1, 1], [2, 1, 2, 1], kind="giou") == {"loc": pytest.approx(0.5)}
    # x from -1 to 1 and from 2 to 3, the same y: around both 8, of which 6 are covered.
    assert one_point([1, 1, 1, 1], [-2, 1, 3, 1], kind="giou") == {"loc": pytest.approx(1 + 2 / 8)}
    # The overlap is 1 / 2, the quality says 3 / 4.
    both = one_point([1, 1, 1, 1], [2, 1, 2, 1], quality=math.log(3))
    assert both["quality"] == pytest.approx(-0.5 * math.log(0.75) - 0.5 * math.log(0.25))


@pytest.mark.parametrize("kind", ["iou", "giou"])
def test_points_and_anchors_agree_on_the_overlap(kind):
    # An anchor of one stride at the point: dx = (r - l) / 2, dw = log(l + r).
    draw = np.random.default_rng(3)
    for _ in range(20):
        distances, wanted = draw.uniform(0.2, 3, (2, 4))
        offsets = [
            [(r - left) / 2, (b - t) / 2, math.log(left + r), math.log(t + b)] for left, t, r, b in (distances, wanted)
        ]
        expected = one_anchor(*offsets, kind)
        assert one_point(distances, wanted, kind=kind)["loc"] == pytest.approx(expected, rel=1e-9)


def test_quality_is_right_at_the_overlap_and_teaches_the_box_nothing():
    loc = torch.zeros(1, 4, 1, 1, dtype=torch.float64, requires_grad=True)
    quality = torch.tensor(math.log(0.5 / 0.5), dtype=torch.float64).reshape(1, 1, 1, 1).requires_grad_()
    wanted = torch.tensor([2.0, 1, 2, 1], dtype=torch.float64).reshape(1, 4, 1, 1, 1)
    point_losses(loc, quality, wanted, torch.ones(1, 1, 1, 1))["quality"].backward()
    assert quality.grad.abs().max() < 1e-12
    assert loc.grad is None or not loc.grad.any()


def test_no_positive_point_is_zero_with_a_graph():
    loc = torch.tensor([math.inf, -math.inf, 1e9, -1e9]).reshape(1, 4, 1, 1).requires_grad_()
    quality = torch.full((1, 1, 1, 1), 1e9, requires_grad=True)
    losses = point_losses(loc, quality, torch.zeros(1, 4, 1, 1, 1), torch.zeros(1, 1, 1, 1))
    assert [loss.item() for loss in losses.values()] == [0, 0]
    sum(losses.values()).backward()
    assert loc.grad.eq(0).all()
    assert quality.grad.eq(0).all()


# Masks


def test_mask_loss_is_pytorch_s_soft_margin_where_every_pixel_is_known():
    logits = random(3, 7, 7)
    wanted = torch.where(random(3, 7, 7, seed=4) > 0, 1, -1)
    torch.testing.assert_close(mask_loss(logits, wanted), F.soft_margin_loss(logits, wanted.double()))


def test_unknown_pixels_have_no_gradient_and_change_no_other_s():
    logits = random(1, 4, 4).requires_grad_()
    wanted = torch.ones(1, 4, 4, dtype=torch.int8)
    whole = torch.autograd.grad(mask_loss(logits, wanted), logits)[0]
    wanted[:, :2] = 0
    part = torch.autograd.grad(mask_loss(logits, wanted), logits)[0]
    assert part[:, :2].eq(0).all()
    torch.testing.assert_close(part[:, 2:], whole[:, 2:])


def test_small_masks_are_enlarged_corner_to_corner():
    # 2 x 2 to 3 x 3: the middles are the means of their neighbours.
    logits = torch.tensor([[[0.0, 2.0], [4.0, 6.0]]])
    large = torch.tensor([[[0.0, 1.0, 2.0], [2.0, 3.0, 4.0], [4.0, 5.0, 6.0]]])
    wanted = torch.tensor([[[1, -1, 1], [-1, 1, 0], [1, 1, -1]]])
    torch.testing.assert_close(mask_loss(logits, wanted), mask_loss(large, wanted))


def test_no_mask_is_zero_with_a_graph():
    logits = torch.zeros(2, 3, 3, requires_grad=True)
    loss = mask_loss(logits, torch.zeros(2, 3, 3, dtype=torch.int8), 0)
    loss.backward()
    assert loss.item() == 0
    assert logits.grad.eq(0).all()


@pytest.mark.parametrize(("search", "padding", "size"), [(255, 32, 25), (143, 0, 3), (255, 0, 17)])
def test_windows_are_the_unfolded_mask(search, padding, size):
    mask = torch.tensor(np.random.default_rng(0).choice([-1, 1], (2, search, search)).astype(np.float32))
    unfolded = F.unfold(mask[:, None], (127, 127), padding=padding, stride=8).transpose(1, 2)
    assert unfolded.shape[1] == size * size
    cells = torch.tensor([[1, 0, 0], [0, size // 2, 1], [1, size - 1, size - 2], [0, 0, size - 1]])
    expected = unfolded.reshape(2, size, size, 127, 127)[cells[:, 0], cells[:, 1], cells[:, 2]]
    torch.testing.assert_close(mask_windows(mask.to(torch.int8), cells, 8, padding, 127).float(), expected)


def test_the_middle_cell_s_window_is_the_template_s_place():
    mask = torch.full((1, 255, 255), -1, dtype=torch.int8)
    mask[:, 64:191, 64:191] = 1  # 127 - 63 to 127 + 63
    cells = torch.tensor([[0, 12, 12], [0, 0, 0]])
    middle, corner = mask_windows(mask, cells, 8, 32, 127)
    assert middle.eq(1).all()
    assert corner[:32].eq(0).all()
    assert corner[:, :32].eq(0).all()
    assert corner[32:95, 32:95].eq(-1)[:60, :60].all()


def test_cells_with_a_positive_anchor_are_drawn_or_all_within_the_crop():
    cls = torch.full((3, 2, 4, 4), -1, dtype=torch.int8)
    cls[0, :, 1, 2] = 1
    cls[0, 1, 3, 3] = 1
    cls[1, 0, 0, 0] = 1
    cls[2, 0, 0, 0] = 0
    targets = {"cls": cls, "has_mask": torch.tensor([True, False, True]), "mask": torch.zeros(3, 135, 135)}
    assert MaskTerm(8, 8, 127).cells(targets).tolist() == [[0, 1, 2], [0, 3, 3]]
    # Windows of 127 begin at -8, 0, 8 and 16 of 135 pixels.
    expected = [[pair, row, column] for pair in (0, 2) for row in (1, 2) for column in (1, 2)]
    assert MaskTerm(8, 8, 127, all_inside=True).cells(targets).tolist() == expected


def test_siammask_s_refinement_has_nine_cells():
    targets = {"cls": torch.zeros(1, 5, 11, 11), "has_mask": torch.tensor([True]), "mask": torch.zeros(1, 143, 143)}
    cells = MaskTerm(8, 32, 127, all_inside=True).cells(targets)
    assert cells[:, 1:].tolist() == [[row, column] for row in (4, 5, 6) for column in (4, 5, 6)]


# Gradients

GRADIENTS = {
    "classification": lambda x: balanced_logistic_loss(x[:, :3], random_labels(2, 3, 4, 4), smoothing=0.1),
    "anchors": lambda x: balanced_logistic_loss(anchor_logits(x), random_labels(2, 2, 4, 4)),
    "masks": lambda x: mask_loss(x[0], torch.where(random(4, 4, 4) > 0, 1, -1)),
    "small masks": lambda x: mask_loss(x[0], torch.sign(random(4, 7, 7)).clamp(min=-1)),
    **{
        kind: lambda x, kind=kind: box_loss(
            x, random(2, 4, 1, 4, 4, seed=3), random_labels(2, 1, 4, 4).clamp(min=0) / 3, kind=kind
        )
        for kind in BOX_LOSSES
    },
    **{
        f"points, {kind}": lambda x, kind=kind: sum(
            point_losses(
                x, None, random(2, 4, 1, 4, 4, seed=3).exp(), random_labels(2, 1, 4, 4).clamp(min=0) / 3, kind=kind
            ).values()
        )
        for kind in ("iou", "giou")
    },
    "quality": lambda x: point_losses(
        random(2, 4, 4, 4), x[:, :1], random(2, 4, 1, 4, 4, seed=3).exp(), random_labels(2, 1, 4, 4).clamp(min=0) / 3
    )["quality"],
}


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients_are_the_numeric_ones(name):
    x = random(2, 4, 4, 4, seed=8).requires_grad_()
    assert GRADIENTS[name](x).item() > 0
    assert torch.autograd.gradcheck(GRADIENTS[name], (x,))


# Whole systems

ANCHORS = AnchorTargets(anchor_grid(base_anchors_wh(8, [0.33, 0.5, 1, 2, 3], [8]), 8, 17), 255, 8)
SMALL = ["BACKBONE.TYPE", "alexnet", "BACKBONE.KWARGS.width_mult", 0.1, "RPN.KWARGS.in_channels", 25]
SMALL_RPN = ("siamrpn_alex_dwxcorr_16gpu", [*SMALL, "RPN.KWARGS.out_channels", 8])
SMALL_MASK = [
    *["BACKBONE.TYPE", "resnet18", "ADJUST.KWARGS.in_channels", [256], "ADJUST.KWARGS.out_channels", [8]],
    *["RPN.KWARGS.in_channels", 8, "RPN.KWARGS.out_channels", 8, "MASK.KWARGS.in_channels", 8],
    *["MASK.KWARGS.hidden", 8],
]
REFINED = ["TRAIN.SEARCH_SIZE", 143, "TRAIN.OUTPUT_SIZE", 11, "TRAIN.MASK_CELLS", "inside"]


def stack(samples):
    return {name: torch.from_numpy(np.stack([sample[name] for sample in samples])) for name in samples[0]}


def crops(count, size, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).uniform(0, 255, (count, 3, size, size)).astype(np.float32))


def training_network(experiment, overrides):
    cfg = pysot.load_cfg(experiment, overrides)
    torch.manual_seed(0)
    return cfg, TrainingNetwork(build_model(cfg), build_criterion(cfg))


def rpn_targets(boxes, negative=()):
    generator = np.random.default_rng(0)
    return [ANCHORS(box, generator, negative=i in negative) for i, box in enumerate(boxes)]


def test_a_region_proposal_network_s_losses_and_their_weighted_sum():
    _, training = training_network(*SMALL_RPN)
    targets = stack(rpn_targets([[90, 90, 160, 150], [80, 100, 140, 160], [90, 90, 150, 190]], negative=(1,)))
    losses = training(crops(3, 127), crops(3, 255), targets)
    assert set(losses) == {"total", "cls", "loc"}
    torch.testing.assert_close(losses["total"], losses["cls"] + 1.2 * losses["loc"])
    losses["total"].backward()
    assert all(parameter.grad is not None for parameter in training.parameters())


SMALL_POINTS = (
    "siamrpn_alex_dwxcorr_16gpu",
    [*SMALL, "RPN.TYPE", "PointHead", "RPN.KWARGS.out_channels", 8, "TRAIN.LOC_LOSS", "giou"],
)


def point_targets(boxes, negative=()):
    generator, make = np.random.default_rng(0), PointTargets(17, 255, 8)
    return [make(box, generator, negative=i in negative) for i, box in enumerate(boxes)]


def test_a_point_network_s_losses_and_their_weighted_sum():
    _, training = training_network(SMALL_POINTS[0], [*SMALL_POINTS[1], "TRAIN.QUALITY_WEIGHT", 0.5])
    targets = stack(point_targets([[90, 90, 160, 150], [80, 100, 140, 160], [90, 90, 150, 190]], negative=(1,)))
    losses = training(crops(3, 127), crops(3, 255), targets)
    assert set(losses) == {"total", "cls", "loc", "quality"}
    weighted = losses["cls"] + 1.2 * losses["loc"] + 0.5 * losses["quality"]
    torch.testing.assert_close(losses["total"], weighted)
    losses["total"].backward()
    assert all(parameter.grad is not None for parameter in training.parameters())


def test_siamfc_s_loss():
    cfg, training = training_network("siamfc_alex", ["TRAIN.CLS_WEIGHT", 2.0])
    make = ScoreTargets(15, 239, 8, cfg.TRAIN.LABEL_RADIUS)
    targets = stack([make(box, np.random.default_rng(0)) for box in ([99, 99, 139, 139], [50, 80, 140, 120])])
    with torch.no_grad():
        losses = training(crops(2, 127), crops(2, 239), targets)
    assert set(losses) == {"total", "cls"}
    torch.testing.assert_close(losses["total"], 2 * losses["cls"])


@pytest.mark.parametrize(
    ("experiment", "overrides"), [("siammask_r50_base", []), ("siammask_r50_l3", REFINED)], ids=["base", "refined"]
)
def test_siammask_trains_its_masks(experiment, overrides):
    cfg, training = training_network(experiment, [*SMALL_MASK, *overrides])
    train = cfg.TRAIN
    grid = anchor_grid(base_anchors_wh(8, cfg.ANCHOR.RATIOS, cfg.ANCHOR.SCALES), 8, train.OUTPUT_SIZE)
    make = PairTargets(AnchorTargets(grid, train.SEARCH_SIZE, 8))
    middle = train.SEARCH_SIZE // 2
    mask = np.zeros((train.SEARCH_SIZE,) * 2, dtype=bool)
    mask[middle - 30 : middle + 30, middle - 30 : middle + 30] = True
    box, generator = [middle - 30, middle - 30, middle + 30, middle + 30], np.random.default_rng(0)
    samples = [make(box, generator, mask=mask), make(box, generator), make(box, generator, negative=True, mask=mask)]
    template, search = crops(3, 127), crops(3, train.SEARCH_SIZE)
    losses = training(template, search, stack(samples))
    assert set(losses) == {"total", "cls", "loc", "mask"}
    weighted = losses["cls"] + 1.2 * losses["loc"] + train.MASK_WEIGHT * losses["mask"]
    torch.testing.assert_close(losses["total"], weighted)
    # Fresh weights draw nothing: every known pixel costs about log 2.
    assert 0.2 < losses["mask"].item() < 1.5
    losses["mask"].backward(retain_graph=True)
    drawing = training.network.refine_head if cfg.REFINE.REFINE else training.network.mask_head
    assert all(parameter.grad.abs().sum() > 0 for parameter in drawing.parameters())
    # Without any mask, the loss is zero and every parameter that a mask passes through still has a gradient.
    training.zero_grad()
    losses = training(template, search, stack([samples[1], *samples[1:]]))
    assert losses["mask"].item() == 0
    losses["mask"].backward()
    assert all(parameter.grad is not None for parameter in drawing.parameters())


def test_labels_for_another_score_map_are_refused():
    _, training = training_network(*SMALL_RPN)
    targets = stack(rpn_targets([[90, 90, 160, 150]]))
    with pytest.raises(ConfigError, match=r"\(1, 5, 21, 21\), the labels \(1, 5, 17, 17\): TRAIN.SEARCH_SIZE"):
        training(crops(1, 127), crops(1, 287), targets)


def test_counts_are_those_of_the_labels():
    cls = torch.full((2, 5, 3, 3), -1, dtype=torch.int8)
    cls[0, :2, 0, 0] = 1
    cls[1, :, 1, :] = 0
    targets = {"cls": cls, "has_mask": torch.tensor([True, True]), "mask": torch.zeros(2, 143, 143)}
    assert Criterion().counts(targets).tolist() == [2, 15, 2, 0]
    assert Criterion(mask=MaskTerm(8, 0, 127)).counts(targets).tolist() == [2, 15, 2, 1]
    assert Criterion(mask=MaskTerm(8, 0, 127, all_inside=True)).counts(targets).tolist() == [2, 15, 2, 18]


@pytest.mark.parametrize(("system", "make"), [(SMALL_RPN, rpn_targets), (SMALL_POINTS, point_targets)])
def test_parts_of_a_batch_with_joint_counts_have_the_gradients_of_the_whole(system, make):
    _, training = training_network(*system)
    training.eval()  # normalisation by batch statistics would tell the parts apart
    # The last part has no positive at all, the first most of them.
    samples = make([[90, 90, 160, 150], [80, 100, 140, 160], [90, 90, 150, 190], [100, 100, 104, 104]], (1,))
    template, search, targets = crops(4, 127), crops(4, 255), stack(samples)
    whole = training(template, search, targets)["total"]
    expected = torch.autograd.grad(whole, list(training.parameters()))
    parts = [{name: value[chunk] for name, value in targets.items()} for chunk in (slice(0, 1), slice(1, 4))]
    counts = torch.stack([training.criterion.counts(part) for part in parts]).mean(dim=0)
    losses = [
        training(template[chunk], search[chunk], part, counts)["total"]
        for chunk, part in zip((slice(0, 1), slice(1, 4)), parts, strict=True)
    ]
    torch.testing.assert_close(sum(losses) / 2, whole)
    got = torch.autograd.grad(sum(losses) / 2, list(training.parameters()))
    torch.testing.assert_close(got, expected, rtol=1e-3, atol=1e-6)


def test_the_configuration_s_values_arrive():
    overrides = [
        *["TRAIN.CLS_WEIGHT", 3.0, "TRAIN.LOC_WEIGHT", 4.0, "TRAIN.LOC_LOSS", "giou", "TRAIN.LABEL_SMOOTHING", 0.2],
        *["TRAIN.MASK_WEIGHT", 5.0, "TRAIN.MASK_CELLS", "inside"],
    ]
    assert build_criterion(pysot.load_cfg("siammask_r50_base", overrides)) == Criterion(
        3.0, 4.0, 5.0, "giou", 0.2, MaskTerm(stride=8, padding=32, size=127, all_inside=True)
    )
    assert build_criterion(pysot.load_cfg("siamrpn_r50")) == Criterion()
    points = ["RPN.KWARGS.branch", "PointHead", "TRAIN.LOC_LOSS", "iou", "TRAIN.QUALITY_WEIGHT", 0.5]
    expected = Criterion(box_loss="iou", points=True, quality_weight=0.5)
    assert build_criterion(pysot.load_cfg("siamrpn_r50", points)) == expected
