"""A compiled cell as an operator of torch: differentiable, traceable, transformable.

`function` is what layers call, `operators` are the two that torch.compile sees.
"""

from .function import run as run
