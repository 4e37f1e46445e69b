"""Training and checkpoints."""

from pysot.engine.checkpoint import LoadReport, load_checkpoint

__all__ = ["LoadReport", "load_checkpoint"]
