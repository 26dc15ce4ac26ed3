"""A compiled cell as an operator of torch: differentiable, traceable, transformable.

`function` runs one cell, `whole` all layers of a call; `differentiable` is how torch
differentiates either; `operators` are the two that torch.compile sees.
"""

from .autocast import is_autocast as is_autocast
from .autocast import without_autocast as without_autocast
from .differentiable import is_transformed as is_transformed
from .doors import are_plain as are_plain
from .doors import is_recorded as is_recorded
from .function import run as run
from .kernels import Memory as Memory
from .packed import Packed as Packed
from .planned import Planned as Planned
from .steps import stepper as stepper
