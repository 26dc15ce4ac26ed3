"""A line of layers is parsed, never evaluated, and its sizes have to go together."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from cellwright.explain.stacks import StackError, is_stack, read_stack
from cellwright.explain.summary import summary

GOLDEN = Path(__file__).parent / "golden"

WRONG = {
    "another width in Keras": "Dense(6, input_dim=3); Dense(6, input_dim=3)",
    "another width in torch": "nn.LSTM(1, 300); nn.Linear(200, 3)",
    "no width": "LSTM(4); LSTM(2)",
    "no layer": "nn.Lstm(3, 4)",
    "a computation": "Dense(__import__('os').getpid())",
    "a name": "Dense(n)",
    "no call": "Dense",
    "a broken bracket": "LSTM(3",
    "two stars": "Dense(**{'units': 3})",
    "too few arguments": "nn.LSTM(1)",
    "an unknown argument": "Dense(3, input_dim=2, kernel='x')",
    "an unknown activation": "Dense(3, input_dim=2, activation='softmx')",
    "nothing": " ; ",
}


def test_what_is_wrong_is_told(golden: Callable[[Path, str], None]):
    """With the layer, both sizes where there are two, and the likely fix."""
    texts: list[str] = []
    for name, line in WRONG.items():
        with pytest.raises(StackError) as caught:
            read_stack(line)
        texts.append(f"-- {name}: {line}\n{caught.value}\n")
    golden(GOLDEN / "stacks.txt", "\n".join(texts))


def shapes(line: str, *size: int, width: int | None = None) -> list[tuple[int, ...]]:
    """Return the shape of every layer's first result."""
    stack = read_stack(line, width)
    found = summary(stack.module, input_size=size or (1, *(stack.example or ())))
    return [tuple(axis.size for axis in layer.gives[0]) for layer in found.layers]


@pytest.mark.parametrize("units", [3, 8])
@pytest.mark.parametrize("steps", [4, 20])
def test_keras_words_give_keras_shapes(units: int, steps: int):
    """The last step alone goes on, unless sequences are asked for."""
    line = f"LSTM({units}, input_shape=({steps}, 1)); Dense(20)"
    assert shapes(line) == [(1, steps, units), (1, units), (1, 20)]
    line = f"LSTM({units}, return_sequences=True, input_shape=({steps}, 2)); GRU(5)"
    assert shapes(line) == [(1, steps, units), (1, steps, 5), (1, 5)]


@pytest.mark.parametrize(
    ("line", "parameters"),
    [
        ("LSTM(300, input_shape=(20, 1))", 362_400),
        ("SimpleRNN(7, input_shape=(5, 3))", 7 * 3 + 7 * 7 + 7),
        ("GRU(7, input_shape=(5, 3))", 3 * (7 * 3 + 7 * 7 + 2 * 7)),
        ("Dense(64, input_dim=20)", 64 * 20 + 64),
        ("Embedding(50000, 5)", 250_000),
        ("nn.LSTM(1, 300)", 363_600),
        ("LSTM(1, 300)", 363_600),
        ("keras.layers.LSTM(3, input_shape=(4, 2))", 4 * (3 * 2 + 3 * 3 + 3)),
    ],
)
def test_counts_are_those_of_the_words_library(line: str, parameters: int):
    """Keras has one bias in its LSTM, torch two, and both have two in a GRU."""
    module = read_stack(line).module
    assert sum(p.numel() for p in module.parameters()) == parameters


def test_torch_words_make_torchs_layers():
    """With all their arguments, one after the other."""
    stack = read_stack(
        "torch.nn.GRU(3, 4, num_layers=2, bidirectional=True); Linear(8, 2)"
    )
    gru, linear = stack.module
    assert isinstance(gru, nn.GRU)
    assert (gru.num_layers, gru.bidirectional) == (2, True)
    output = stack.module(torch.zeros(5, 1, 3))
    assert torch.equal(output, linear(gru(torch.zeros(5, 1, 3))[0]))


@pytest.mark.parametrize(
    ("text", "is_one"),
    [("LSTM(3)", True), ("lstm", False), ("my(1).cell", False), ("a.py:Net", False)],
)
def test_names_and_paths_are_no_lines(text: str, is_one: bool):
    """A line has brackets."""
    assert is_stack(text) == is_one
