"""A chain of layers, as one module."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn


class Line(nn.Sequential):
    """Layers one after the other; of a recurrent layer's results the output goes on."""

    def forward(self, input: Tensor) -> Any:  # torch.nn's name
        """Run all layers.

        Returns:
            What the last layer returns, the states of a recurrent one included.
        """
        result: Any = input
        for layer in self:
            result = layer(result[0] if isinstance(result, tuple) else result)
        return result
