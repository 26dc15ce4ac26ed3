"""The published cells, one file each, and how any cell is found."""

from .library import files as files
from .library import find as find
from .library import load as load
from .library import names as names
