"""What Keras' layers do with `return_sequences=False`, as a layer of its own."""

from __future__ import annotations

from torch import Tensor, nn


class LastStep(nn.Module):
    """Hands on the output after the last step alone (return_sequences=False)."""

    def forward(self, output: Tensor) -> Tensor:
        """Return ``[B, n]`` of ``[B, T, n]``."""
        return output[:, -1]
