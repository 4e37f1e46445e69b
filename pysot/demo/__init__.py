"""What ``tools/demo.py`` is thin over: frames in, start boxes, drawing, files out, and the loop."""

from pysot.demo.draw import annotate
from pysot.demo.outputs import Outputs, open_outputs, resolve_output
from pysot.demo.run import Summary, follow
from pysot.demo.sources import FrameSource, open_source, quiet_opencv
from pysot.demo.start import Start, draw_start, missing_start, resolve_start
from pysot.demo.window import Window, can_show

__all__ = [
    "FrameSource",
    "Outputs",
    "Start",
    "Summary",
    "Window",
    "annotate",
    "can_show",
    "draw_start",
    "follow",
    "missing_start",
    "open_outputs",
    "open_source",
    "quiet_opencv",
    "resolve_output",
    "resolve_start",
]
