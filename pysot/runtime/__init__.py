"""How a built network is executed: on which device, with folded layers, on crops given as uint8 images."""

from pysot.runtime.executor import Executor, Runtime, choose_device
from pysot.runtime.fuse import fuse_conv_bn

__all__ = ["Executor", "Runtime", "choose_device", "fuse_conv_bn"]
