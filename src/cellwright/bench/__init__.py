"""How fast the layers are: cases, peers and rules as rows, measured in turn."""

from .errors import BenchError
from .folder import write
from .progress import reporting
from .run import bench, plan
from .text import lines

__all__ = ["BenchError", "bench", "lines", "plan", "reporting", "write"]
