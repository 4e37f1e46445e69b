"""Necks: from the backbone's feature maps to those the heads correlate."""

from pysot.models.neck.adjust import NECKS, AdjustAllLayer, AdjustLayer, AdjustOneLayer, Neck, central_cells

__all__ = ["NECKS", "AdjustAllLayer", "AdjustLayer", "AdjustOneLayer", "Neck", "central_cells"]
