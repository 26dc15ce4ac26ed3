"""Write a recurrent cell once, as its equations."""

from . import cells as cells
from . import nn as nn
from . import tasks as tasks
from . import train as train
from .checks.compare import compare as compare
from .checks.gradients import check_gradients as check_gradients
from .errors import CellwrightError as CellwrightError
from .language.cell import Cell as Cell
from .nn.convert import convert as convert
from .nn.stream import Stream as Stream
from .train import load as load
