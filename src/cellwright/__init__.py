"""Write a recurrent cell once, as its equations."""

from . import cells as cells
from . import nn as nn
from .errors import CellwrightError as CellwrightError
