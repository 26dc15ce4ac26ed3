"""A loop of your own: layers are modules like any others.

The states go from window to window of a long stream, as truncated backpropagation
through time has it.
"""

import torch
from torch import nn

import cellwright as cw

torch.manual_seed(0)
x = torch.randn(2000, 8, 1)  # eight streams of 2,000 steps, [T, B, I]
y = x.roll(3, 0)  # what was seen three steps ago

layer = cw.nn.Recurrent("gru", input_size=1, hidden_size=16)
head = nn.Linear(16, 1)
weights = [*layer.parameters(), *head.parameters()]
optimiser = torch.optim.Adam(weights, lr=1e-2)

losses = []
for _ in range(4):
    state = None
    for window, target in zip(x.split(40), y.split(40), strict=True):
        output, state = layer(window, state)
        loss = nn.functional.mse_loss(head(output), target)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        state = state.detach()  # here the gradient ends
        losses.append(loss.item())
print(f"loss {losses[0]:.4f} -> {losses[-1]:.4f}")
