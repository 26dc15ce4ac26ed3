"""Modules of torch.nn with inputs, for what holds of all of them."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

MODULES: dict[str, tuple[Callable[[], nn.Module], Callable[[], Tensor]]] = {
    "linear": (lambda: nn.Linear(7, 5), lambda: torch.zeros(3, 7)),
    "linear, no bias": (
        lambda: nn.Linear(4, 9, bias=False),
        lambda: torch.zeros(2, 6, 4),
    ),
    "embedding": (lambda: nn.Embedding(50, 5), lambda: torch.zeros(2, 7).long()),
    "conv1d": (lambda: nn.Conv1d(3, 8, 5), lambda: torch.zeros(2, 3, 20)),
    "conv2d": (lambda: nn.Conv2d(1, 32, 5), lambda: torch.zeros(2, 1, 28, 28)),
    "conv2d, grouped": (
        lambda: nn.Conv2d(4, 8, 3, groups=2, padding=1, stride=2),
        lambda: torch.zeros(2, 4, 9, 9),
    ),
    "conv3d": (
        lambda: nn.Conv3d(2, 4, 3, bias=False),
        lambda: torch.zeros(1, 2, 5, 6, 7),
    ),
    "max pool": (lambda: nn.MaxPool2d(2), lambda: torch.zeros(1, 3, 8, 8)),
    "mean pool": (lambda: nn.AvgPool1d(2), lambda: torch.zeros(1, 3, 8)),
    "dropout": (lambda: nn.Dropout(0.25), lambda: torch.zeros(2, 10, 10)),
    "channel dropout": (lambda: nn.Dropout2d(0.5), lambda: torch.zeros(2, 10, 4, 4)),
    "layer norm": (lambda: nn.LayerNorm(6), lambda: torch.zeros(2, 6)),
    "batch norm": (lambda: nn.BatchNorm2d(3), lambda: torch.zeros(2, 3, 4, 4)),
    "group norm": (lambda: nn.GroupNorm(2, 4), lambda: torch.zeros(2, 4, 5)),
    "prelu": (nn.PReLU, lambda: torch.zeros(2, 3)),
    "prelu, channels": (lambda: nn.PReLU(3), lambda: torch.zeros(2, 3, 4)),
    "relu": (nn.ReLU, lambda: torch.zeros(2, 3)),
    "flatten": (nn.Flatten, lambda: torch.zeros(2, 32, 4, 4)),
    "lstm, two layers": (lambda: nn.LSTM(3, 4, 2), lambda: torch.zeros(6, 2, 3)),
    "lstm": (lambda: nn.LSTM(1, 300), lambda: torch.zeros(20, 1, 1)),
    "lstm, both ways": (
        lambda: nn.LSTM(3, 4, 3, bidirectional=True, batch_first=True),
        lambda: torch.zeros(2, 6, 3),
    ),
    "lstm, projected": (
        lambda: nn.LSTM(3, 8, 2, proj_size=4),
        lambda: torch.zeros(6, 2, 3),
    ),
    "lstm, no bias": (lambda: nn.LSTM(3, 4, bias=False), lambda: torch.zeros(6, 2, 3)),
    "gru": (lambda: nn.GRU(3, 4, 2), lambda: torch.zeros(6, 2, 3)),
    "gru, unbatched": (lambda: nn.GRU(3, 4), lambda: torch.zeros(6, 3)),
    "rnn": (lambda: nn.RNN(3, 4, bidirectional=True), lambda: torch.zeros(6, 2, 3)),
    "rnn, relu": (
        lambda: nn.RNN(3, 4, 2, nonlinearity="relu"),
        lambda: torch.zeros(6, 2, 3),
    ),
    "lstm cell": (lambda: nn.LSTMCell(3, 4), lambda: torch.zeros(2, 3)),
    "gru cell": (lambda: nn.GRUCell(3, 4), lambda: torch.zeros(2, 3)),
    "rnn cell": (lambda: nn.RNNCell(3, 4), lambda: torch.zeros(2, 3)),
    "transformer": (
        lambda: nn.TransformerEncoderLayer(8, 2, 16, batch_first=True),
        lambda: torch.zeros(2, 5, 8),
    ),
    "cnn": (
        lambda: nn.Sequential(
            nn.Conv2d(1, 4, 3),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(144, 3),
        ),
        lambda: torch.zeros(2, 1, 14, 14),
    ),
}
