"""Teach neurons that spike to tell two patterns of spikes apart.

Both patterns have one spike of each input, at other times: to count is no help. Each
time all spikes come some ms early or late, and others come by chance. A spike has no
derivative, so a surrogate takes its place; the cells' files say which.
"""

import torch
from torch import nn
from torch.nn import functional as F

import cellwright as cw

INPUTS, STEPS, NEURONS = 20, 60, 24


class Classifier(nn.Module):
    """Spikes in, a score for each pattern out: a sum over spikes, weighted."""

    def __init__(self, cell, strength, **constants):
        super().__init__()
        init = {"W": f"normal(0, {strength})", "U": 0}
        self.neurons = cw.nn.Recurrent(
            cell, INPUTS, NEURONS, batch_first=True, init=init, **constants
        )
        self.head = nn.Linear(NEURONS, 2)

    def forward(self, x):
        """Return scores ``[B, 2]`` for spikes ``[B, T, INPUTS]``."""
        spikes, _ = self.neurons(x)
        return self.head(spikes.sum(1))


def draw(count, times):
    """Return spikes and which of the patterns is in them."""
    which = torch.randint(2, (count,))
    shifted = (times[which] + 2 * torch.randn(count, INPUTS)).round().long()
    x = torch.zeros(count, STEPS, INPUTS)
    x.scatter_(1, shifted.clamp(0, STEPS - 1)[:, None], 1.0)
    return torch.maximum(x, (torch.rand_like(x) < 0.01).float()), which


def learn(name, model, learning_rate):
    """Train on 512 examples, print how many of 2,000 others are right."""
    data = draw(512, TIMES)
    fit = cw.train.fit(
        model,
        data,
        loss=F.cross_entropy,
        epochs=30,
        learning_rate=learning_rate,
        progress=False,
    )
    x, which = draw(2000, TIMES)
    with torch.no_grad():
        right = (model(x).argmax(-1) == which).float().mean()
    print(f"{name}: {right:.1%} right")
    return fit


torch.manual_seed(0)
TIMES = torch.randint(5, STEPS - 5, (2, INPUTS))  # when each input spikes

left = Classifier("lif", 0.4)
left.neurons.requires_grad_(False)
learn("lif, the readout alone trained", left, 1e-2)
# In mV the neurons of Izhikevich are larger; a steeper surrogate hands less back to
# neurons that are far from a spike, of which there are many at every step.
learn("izhikevich", Classifier("izhikevich", 8, slope=1.0), 0.1)
fit = learn("lif", Classifier("lif", 0.4), 1e-2)
losses = [row.training_loss for row in fit.curve]
print(f"loss {losses[0]:.4f} -> {min(losses):.4f}")
