"""Collection rules of the whole repository."""

from __future__ import annotations

import os
from importlib.util import find_spec

# One test process per core (pytest -n auto): more threads in each would only get in each other's way.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# A module that needs a package that is not here is not imported.
collect_ignore = [] if find_spec("triton") else ["pysot/ops/xcorr_triton.py"]
# Fixture files hold no doctests; pytest would import them by their name, which they share.
collect_ignore_glob = ["*conftest.py"]
