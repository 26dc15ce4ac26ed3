"""Reverse a sequence: an encoder reads it, a decoder says it from the end.

All that the decoder learns of the input are the encoder's last states. In training it
reads the right answer one step late, afterwards its own.
"""

import torch
from torch import nn

import cellwright as cw

LETTERS, LENGTH, UNITS = 6, 5, 48
START = LETTERS  # what the decoder reads before it has said anything


class Reverser(nn.Module):
    """Letters in, the same letters from the end out."""

    def __init__(self):
        super().__init__()
        self.letters = nn.Embedding(LETTERS + 1, 16)
        self.layers = cw.nn.EncoderDecoder(
            encoder=cw.nn.GRU(16, UNITS, batch_first=True),
            decoder=cw.nn.Stack.of_cells(
                ["gru", "lstm"], 16, UNITS, "skip", batch_first=True
            ),
            bridge="linear",  # from one state to the three of the decoder
        )
        self.head = nn.Linear(UNITS, LETTERS)

    def forward(self, x, answer):
        """Return scores for each letter of the answer, ``[B, T, LETTERS]``."""
        late = torch.cat([torch.full_like(x[:, :1], START), answer[:, :-1]], 1)
        output, _ = self.layers(self.letters(x), self.letters(late))
        return self.head(output)

    @torch.no_grad()
    def answer(self, x):
        """Return the letters that it says by itself, ``[B, T]``."""
        start = self.letters(torch.full_like(x[:, 0], START))
        output, _ = self.layers.generate(
            self.letters(x),
            start,
            steps=x.shape[1],
            feed=lambda h: self.letters(self.head(h).argmax(-1)),
        )
        return self.head(output).argmax(-1)


torch.manual_seed(0)
model = Reverser()
optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)
losses = []
for _ in range(400):
    x = torch.randint(LETTERS, (64, LENGTH))
    scores = model(x, x.flip(1))
    loss = nn.functional.cross_entropy(scores.flatten(0, 1), x.flip(1).flatten())
    optimiser.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimiser.step()
    losses.append(loss.item())

x = torch.randint(LETTERS, (1000, LENGTH))
right = (model.answer(x) == x.flip(1)).all(1).float().mean()
print(f"reversed by itself, all letters right: {right:.1%}")
print(f"loss {losses[0]:.4f} -> {losses[-1]:.4f}")
