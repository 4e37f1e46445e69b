"""Collection rule of the whole repository: modules that need a package that is not here are not imported."""

from __future__ import annotations

from importlib.util import find_spec

collect_ignore = [] if find_spec("triton") else ["pysot/ops/xcorr_triton.py"]
