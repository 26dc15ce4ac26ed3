"""What is computed from a graph: its class, and later its rewrites and its gradient.

No torch; a pass takes a graph and returns a new one or a fact about it.
"""

from .classify import CellClass as CellClass
from .classify import classify as classify
