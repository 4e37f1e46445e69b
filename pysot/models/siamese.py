"""The network of every tracker here: a stateless function of template and search crops."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar, cast

import torch
from torch import Tensor, nn

from pysot.models.backbone import Backbone
from pysot.models.head import Head, Kernels, MaskCorr, Refine
from pysot.models.neck import Neck

Nested = TypeVar("Nested")


class Template(NamedTuple):
    """What the network keeps of a target. The first dimension of every tensor is the target.

    Attributes:
        features: Template features of each head level, (B, C_i, h, w).
        kernels: The head's share, see `Head.encode`.
        mask_kernel: The mask head's kernel (B, hidden, h, w), or () without a mask head.
        early_features: Template features of the levels before the head's, (B, C_i, h_i, w_i). The search does not need
            them.
    """

    features: tuple[Tensor, ...]
    kernels: Kernels
    mask_kernel: tuple[Tensor, ...]
    early_features: tuple[Tensor, ...] = ()


class NetworkOutput(NamedTuple):
    """The network's answer for a batch of search crops.

    Attributes:
        cls: (B, 2k, S, S) logits, channel = class * k + anchor, class 1 is the target; (B, 1, S, S) for SiamFC.
        loc: (B, 4k, S, S) offsets from the anchors, channel = coordinate * k + anchor; or (B, 4, S, S) logarithms of
            the distances left, top, right, bottom in strides (`PointHead`); or None.
        features: Search features of each head level, (B_x, C_i, H, W).
        mask_correlation: (B, hidden, S, S), or () without a mask head.
        early_features: Search features of the levels before the head's, (B_x, C_i, H_i, W_i), in the network's own
            precision.
        quality: (B, k, S, S) logits of the boxes' overlap with the target, or () where the head has none.
    """

    cls: Tensor
    loc: Tensor | None
    features: tuple[Tensor, ...]
    mask_correlation: tuple[Tensor, ...]
    early_features: tuple[Tensor, ...]
    quality: tuple[Tensor, ...] = ()


class SiameseNet(nn.Module):
    """Backbone, neck and heads, under the names of the public checkpoints.

    Args:
        backbone: Shared by template and search region.
        rpn_head: Compares the two.
        neck: Adjusts the head's levels, or None.
        mask_head: Draws masks, or None.
        refine_head: Sharpens the masks with the levels before the head's, or None.
        head_levels: How many of the backbone's last levels neck and heads read, those before are early ones; None:
            `default_head_levels`.

    Inputs are (B, 3, S, S) float32 in 0..255, in the channel order the weights expect (BGR for all but SiamFC's).

    Example:
        >>> import torch
        >>> from pysot.models.backbone import AlexNet
        >>> from pysot.models.head import UPChannelRPN
        >>> network = SiameseNet(AlexNet(width_mult=0.1), UPChannelRPN(25)).eval()
        >>> template = network.encode_template(torch.zeros(2, 3, 127, 127))
        >>> network(template, torch.zeros(2, 3, 287, 287)).cls.shape
        torch.Size([2, 10, 21, 21])
    """

    def __init__(
        self,
        backbone: Backbone,
        rpn_head: Head,
        neck: Neck | None = None,
        mask_head: MaskCorr | None = None,
        refine_head: Refine | None = None,
        head_levels: int | None = None,
    ) -> None:
        super().__init__()
        self.head_levels = head_levels or default_head_levels(backbone, has_mask=mask_head is not None)
        self.backbone = backbone
        self.neck = neck
        self.rpn_head = rpn_head
        self.mask_head = mask_head
        self.refine_head = refine_head

    @property
    def mask_size(self) -> int | None:
        """Side of the masks that `masks_at` returns, network pixels, or None without a mask head."""
        if self.refine_head is not None:
            return self.refine_head.mask_size
        return None if self.mask_head is None else self.mask_head.mask_size

    @property
    def early_stride(self) -> int | None:
        """Network pixels per cell of the last early level, or None without early levels."""
        strides = self.backbone.strides[: -self.head_levels]
        return strides[-1] if strides else None

    def _split(self, features: tuple[Tensor, ...]) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """Return the early levels and the head's levels."""
        return features[: -self.head_levels], features[-self.head_levels :]

    def encode_template(self, image: Tensor) -> Template:
        """Return what is kept of templates (B, 3, 127, 127)."""
        early, levels = self._split(self.backbone(image))
        if self.neck is not None:
            levels = self.neck.encode_template(levels)
        mask_kernel = () if self.mask_head is None else (self.mask_head.conv_kernel(levels[0]),)
        return Template(levels, self.rpn_head.encode(levels), mask_kernel, early)

    def forward(self, template: Template, image: Tensor) -> NetworkOutput:
        """Return the maps for search crops (B_x, 3, S, S).

        The number of templates and of search crops may differ; the broadcasting rule is `pysot.ops.xcorr`'s.
        """
        early, levels = self._split(self.backbone(image))
        if self.neck is not None:
            levels = self.neck(levels)
        maps = self.rpn_head(template.kernels, levels)
        correlation: tuple[Tensor, ...] = ()
        if self.mask_head is not None:
            correlation = (self.mask_head.correlate(template.mask_kernel[0], levels[0]),)
        return NetworkOutput(
            maps.cls,
            maps.loc,
            levels,
            correlation,
            early,
            () if maps.quality is None else (maps.quality,),
        )

    def masks_at(self, output: NetworkOutput, cells: Tensor) -> Tensor:
        """Return the mask logits (N, M, M) of single score-map cells, refined where the network can.

        Args:
            output: From `forward`.
            cells: (N, 3) int64: index into the output's batch, row, column.

        Raises:
            ValueError: The network has no mask head.
        """
        if self.mask_head is None:
            raise ValueError("this network has no mask head (MASK.MASK is False)")
        if self.refine_head is None:
            return self.mask_head.at(output.mask_correlation[0], cells)
        return self.refine_head(output.mask_correlation[0], output.early_features, cells)


def default_head_levels(backbone: Backbone, *, has_mask: bool) -> int:
    """Return how many levels neck and heads read unless told otherwise: the last one with a mask head, else all."""
    return 1 if has_mask else len(backbone.out_channels)


def map_tensors(function: Callable[..., Tensor], *trees: Nested) -> Nested:
    """Apply ``function`` to the tensors at each place of equally built (named) tuples of tensors."""
    first = trees[0]
    if isinstance(first, Tensor):
        return cast(Nested, function(*trees))
    parts = [map_tensors(function, *items) for items in zip(*cast(Any, trees), strict=True)]
    return cast(Any, type(first))._make(parts) if hasattr(first, "_make") else cast(Nested, tuple(parts))


def stack_templates(templates: Sequence[Template]) -> Template:
    """Return one template whose batch is the given templates' batches, in order."""
    if len(templates) == 1:
        return templates[0]
    return map_tensors(lambda *tensors: torch.cat(tensors), *templates)
