"""What is known of each kind of layer: one file a family, one row a class."""

from .table import describe as describe
from .table import is_layer as is_layer
from .table import is_whole as is_whole
