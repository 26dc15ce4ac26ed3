"""`explain`: facts, traces and horizon of one network, as it is in evaluation."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import cellwright as cw
from cellwright.explain.opened import ExplainError
from cellwright.tolerances import TOLERANCES, error


class Noisy(nn.Module):
    """A network that draws in training, and may leave the graph."""

    def __init__(self, numpy: bool = False) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(3)
        self.drop = nn.Dropout(0.5)
        self.rnn = nn.LSTM(3, 4, 2, dropout=0.5)
        self.numpy = numpy

    def forward(self, x: Tensor) -> Tensor:
        """Return the output of all steps."""
        given = self.drop(self.norm(x.transpose(1, 2)).transpose(1, 2))
        output, _ = self.rnn(given)
        return torch.as_tensor(output.numpy()) if self.numpy else output


def test_a_network_is_opened_in_evaluation():
    """Whatever its mode; it is in that mode again, with the same running means."""
    torch.manual_seed(1)
    network = Noisy().train()
    x = torch.randn(5, 2, 3)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    found = cw.explain(network, x)

    assert found.inside.missing == ()
    assert found.traces is not None
    assert all(each.training for each in network.modules())
    after = network.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())
    expected = network.eval()(x).detach()
    bound = TOLERANCES["replay at its best", "float32"].bound
    assert error(found.traces["rnn"].output, expected) <= bound
    assert found.horizon is not None


def test_a_network_without_gradients_has_its_traces():
    """The horizon alone is missing, and it is said why."""
    found = cw.explain(Noisy(numpy=True), torch.randn(5, 2, 3))

    assert found.traces is not None
    assert found.horizon is None
    (why,) = found.inside.missing
    assert "numpy" in why
    assert why.splitlines()[0] in found.html()


def test_labels_are_of_steps():
    """Anything with words for each step; a wrong count is refused with both."""
    layer, x = nn.GRU(2, 3), torch.randn(4, 1, 2)
    found = cw.explain(layer, x, labels="word")
    assert found.inside.labels == ("w", "o", "r", "d")
    with pytest.raises(ExplainError, match="found 3 labels, and layers of 4 steps"):
        cw.explain(layer, x, labels=list("abc"))


def test_a_call_of_nothing_is_told():
    """A page without a row has nothing to draw."""
    found = cw.explain(cw.nn.LSTM(3, 2), torch.randn(4, 0, 3))
    assert "without a row" in found.html()


def test_what_a_unit_sees_hangs_on_the_cell():
    """All of its layer, its head, or itself."""
    sees = {
        name: cw.summary(cw.nn.Recurrent(name, 4, 8)).layers[0].recurrence
        for name in ("lstm", "slstm", "indrnn", "min_gru")
    }
    assert {n: r.sees for n, r in sees.items() if r is not None} == {
        "lstm": "all",
        "slstm": "head",
        "indrnn": "own",
        "min_gru": "own",
    }


def test_facts_are_the_summarys(tmp_path: Path):
    """As data too, whatever was seen inside; a page is written whole."""
    layer, x = nn.GRU(2, 3), torch.randn(4, 1, 2)
    found = cw.explain(layer, x)
    assert found.to_json() == cw.summary(layer, input_data=x).to_json()
    found.save_html(tmp_path / "page.html")
    assert [each.name for each in tmp_path.iterdir()] == ["page.html"]
