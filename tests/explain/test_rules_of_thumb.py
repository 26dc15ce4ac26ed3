"""Rules of thumb for the number of hidden units say what their authors wrote."""

from typing import Any

import pytest
from torch import nn

import cellwright as cw
from cellwright.explain.rules_of_thumb import of_network, rules_of_thumb


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        # Heaton's own example has 2/3 of 9 inputs and one output.
        ((9, 1, 1000), [(1, 9), (7, 7), (1, 17), (10, 50)]),
        ((1, 20, 807), [(1, 20), (21, 21), (1, 1), (4, 19)]),
        # At fewer examples than numbers there is no unit left, and a net has one.
        ((4, 4, 9), [(4, 4), (7, 7), (1, 7), (1, 1)]),
    ],
)
def test_numbers(sizes: tuple[int, int, int], expected: list[tuple[int, int]]):
    """Each rule has a range of units."""
    assert [(r.fewest, r.most) for r in rules_of_thumb(*sizes)] == expected


def test_hidden_layers_are_those_between():
    """Linear layers but for the last one; what has no units of its own is none."""
    model = nn.Sequential(
        *(nn.Linear(6, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Dropout()),
        *(nn.Linear(5, 4), nn.Linear(4, 2)),
    )
    found = of_network(cw.summary(model, (3, 6)), 100)

    assert found is not None
    assert [(each.path, each.units) for each in found.hidden] == [("0", 5), ("4", 4)]
    assert found.rules == rules_of_thumb(6, 2, 100)


@pytest.mark.parametrize("options", [{}, {"bidirectional": True}])
def test_recurrent_layers_have_their_units(options: dict[str, Any]):
    """Not as many as are handed on, which two directions double."""
    found = of_network(cw.summary(nn.LSTM(6, 5, **options), (3, 4, 6)), 100)
    assert found is not None
    assert [each.units for each in found.hidden] == [5]


def test_without_features_at_the_ends_there_are_none():
    """Tokens and pictures have no number of inputs that a rule could mean."""
    tokens = nn.Sequential(nn.Embedding(9, 4), nn.Linear(4, 2))
    assert of_network(cw.summary(tokens), 100) is None
    assert of_network(cw.summary(nn.ReLU()), 100) is None
