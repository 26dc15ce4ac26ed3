"""One call gives the facts; printed, in a notebook and as JSON they are the same."""

import json
import re
from collections.abc import Callable
from html import unescape
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import cellwright as cw
from cellwright.explain.summary import SummaryError

GOLDEN = Path(__file__).parent / "golden"


class Two(nn.Module):
    """Takes tokens and a number beside them."""

    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(10, 3)
        self.layer = nn.GRU(3, 4, batch_first=True)
        self.out = nn.Linear(5, 2)

    def forward(self, tokens: Tensor, scale: Tensor) -> Tensor:
        """Return two numbers a row."""
        output, _ = self.layer(self.table(tokens))
        return self.out(torch.cat([output[:, -1], scale], -1))


def test_a_summary_shows_itself(golden: Callable[[Path, str], None]):
    """The text that people read."""
    found = cw.summary(Two(), [(2, 7), (2, 1)], dtypes=[torch.int64, torch.float32])
    golden(GOLDEN / "summary.txt", f"{found}\n")
    assert found._repr_html_().startswith("<pre")
    words = unescape(re.sub("<[^>]*>", "", found._repr_html_()))
    assert words.strip("\n") == str(found)


def test_plain_data_has_everything():
    """It goes through JSON, and the totals are in it."""
    found = cw.summary(nn.LSTM(3, 4), (5, 2, 3))
    data = json.loads(json.dumps(found.to_json()))
    assert data["parameters"] == found.parameters == 144
    assert data["layers"][0]["recurrence"]["gates"][0]["name"] == "i"
    assert data["layers"][0]["takes"][0][0] == {"name": "time", "size": 5}


def test_input_may_be_given_in_any_of_torchinfos_ways():
    """A shape, several, a tensor, a list, names."""
    tokens, scale = torch.zeros(2, 7).long(), torch.zeros(2, 1)
    ways = [
        cw.summary(Two(), [(2, 7), (2, 1)], dtypes=[torch.int64, torch.float32]),
        cw.summary(Two(), input_data=[tokens, scale]),
        cw.summary(Two(), input_data={"tokens": tokens, "scale": scale}),
    ]
    assert ways[0] == ways[1] == ways[2]
    assert cw.summary(nn.Linear(3, 2), (4, 3)) == cw.summary(
        nn.Linear(3, 2), input_data=torch.zeros(4, 3)
    )


def test_without_an_input_nothing_is_run():
    """What hangs on one is not told, the rest is."""
    found = cw.summary(Two())
    assert found.parameters == sum(p.numel() for p in Two().parameters())
    assert found.gives == ()
    assert all(layer.takes == () for layer in found.layers)


def test_what_does_not_fit_is_told():
    """Both ways at once, a shape that is none, a dtype too many."""
    linear = nn.Linear(3, 2)
    with pytest.raises(SummaryError, match="found both"):
        cw.summary(linear, (4, 3), input_data=torch.zeros(4, 3))
    for given in (torch.zeros(4, 3), [torch.zeros(4, 3)], torch.tensor(4)):
        with pytest.raises(SummaryError, match="input_data=x"):
            cw.summary(linear, given)  # pyright: ignore[reportArgumentType]
    for given in (5, "4, 3", {4, 3}, [("a", 3)], [(4, 3), 5]):
        with pytest.raises(SummaryError, match="whole numbers"):
            cw.summary(linear, given)  # pyright: ignore[reportArgumentType]
    with pytest.raises(SummaryError, match="2 for 1"):
        cw.summary(linear, (4, 3), dtypes=[torch.float32] * 2)
