"""Your own module and your own data: `cellwright.train.fit` is the whole loop."""

import torch
from torch import nn

import cellwright as cw


class Tagger(nn.Module):
    """A layer, and a number at every step."""

    def __init__(self):
        super().__init__()
        self.layer = cw.nn.GRU(input_size=1, hidden_size=16, batch_first=True)
        self.head = nn.Linear(16, 1)

    def forward(self, x):
        """Return a number for each step, ``[B, T, 1]``."""
        output, _ = self.layer(x)
        return self.head(output)


torch.manual_seed(0)
x = torch.randn(640, 20, 1)
y = x.cumsum(1) / 4
fit = cw.train.fit(
    Tagger(), (x[:512], y[:512]), middle=(x[512:], y[512:]), epochs=8, progress=False
)
print(f"loss {fit.curve[0].decides:.4f} -> {fit.curve[-1].decides:.4f}")
