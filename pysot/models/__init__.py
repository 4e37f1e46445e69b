"""Networks. `build_model` is the only reader of network keys; below it there are only arguments."""

from pysot.models.build import build_model
from pysot.models.siamese import NetworkOutput, SiameseNet, Template, map_tensors, stack_templates

__all__ = ["NetworkOutput", "SiameseNet", "Template", "build_model", "map_tensors", "stack_templates"]
