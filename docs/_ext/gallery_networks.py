"""The trained networks of the gallery, and what they are shown with."""

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

import cellwright as cw

FOLDER = Path(__file__).parents[1] / "gallery"
"""What `studies/gallery.py` leaves: small trained weights."""
ALPHABET = "\n abcdefghijklmnopqrstuvwxyz.,;:'-()"
SENTENCE = "a recurrent cell is written once, as its equations, in a text file"


class Speller(nn.Module):
    """Reads characters, and says at each which one comes next.

    Shape:
        - tokens: ``[B, T]``
        - returned: ``[B, T, 37]``, before the softmax.
    """

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(len(ALPHABET), 12)
        self.rnn = nn.GRU(12, 40, batch_first=True)
        self.head = nn.Linear(40, len(ALPHABET))

    def forward(self, tokens: Tensor) -> Tensor:
        """Return a score for every character, at every step."""
        return self.head(self.rnn(self.table(tokens))[0])


def tokens(text: str) -> Tensor:
    """Return the numbers of a text's characters, without those that have none."""
    return torch.tensor([ALPHABET.index(c) for c in text.lower() if c in ALPHABET])


def speller() -> nn.Module:
    """Return the trained GRU on text."""
    network = Speller()
    network.load_state_dict(load_file(FOLDER / "speller.safetensors"))
    return network.eval()


def forecaster() -> nn.Module:
    """Return the trained LSTM on sunspots."""
    return cw.load(FOLDER / "sunspots")
