"""Evaluate single-object trackers: read benchmarks and results, compute the published metrics, report them.

NumPy, OpenCV and matplotlib only: results can be scored without PyTorch and without a compiler.
"""
