"""Training data: annotations, pairs, augmentation, targets and their batches.

`build_pair_loader` gives the batches that a configuration asks for. What lies below it, each of it usable alone:
`index` (annotations as arrays), `sources` (where the images are), `pairs` (which two make pair number n), `augment`
(how a crop is changed), `samples` (a pair as arrays), `targets` (what the network should answer), `loading` (workers,
ranks, unreadable images).
"""

from pysot.datasets.build import build_device_augment, build_pair_dataset, build_pair_loader, build_targets
from pysot.datasets.index import TrackIndex, read_index
from pysot.datasets.loading import EpochSampler, PairLoader
from pysot.datasets.samples import PairDataset, PairKey

__all__ = [
    "EpochSampler",
    "PairDataset",
    "PairKey",
    "PairLoader",
    "TrackIndex",
    "build_device_augment",
    "build_pair_dataset",
    "build_pair_loader",
    "build_targets",
    "read_index",
]
