"""With Accelerate: its loop, our layers; ``accelerate launch`` runs it anywhere."""

import torch
from accelerate import Accelerator
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import cellwright as cw

torch.manual_seed(0)
drawn = cw.tasks.Adding(steps=10).draw(64 * 300)
rows = TensorDataset(drawn.x.transpose(0, 1), drawn.target)  # a sequence a row

accelerator = Accelerator(cpu=True)
layer = cw.nn.LSTM(input_size=2, hidden_size=16, forget_bias=3.0)
model = cw.train.Readout(layer, units=16, output_size=1)
optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)
model, optimiser, batches = accelerator.prepare(
    model, optimiser, DataLoader(rows, batch_size=64, shuffle=True)
)

losses = []
for x, target in batches:
    loss = nn.functional.mse_loss(model(x.transpose(0, 1)), target)
    optimiser.zero_grad()
    accelerator.backward(loss)
    accelerator.clip_grad_norm_(model.parameters(), 1.0)
    optimiser.step()
    losses.append(loss.item())
print(f"loss {losses[0]:.4f} -> {losses[-1]:.4f}")
