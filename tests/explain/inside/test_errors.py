import copy
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import cellwright as cw
from cellwright.errors import CellwrightError
from cellwright.explain.inside.trace_errors import ReplayError

GOLDEN = Path(__file__).parent / "golden"
X = torch.zeros(4, 2, 3)
PRINT: Any = print


def rnn(**options: Any) -> nn.RNN:
    """Return a layer whose weights are 0, so that every number is known."""
    found = nn.RNN(3, 2, **options)
    for weight in found.parameters():
        nn.init.zeros_(weight)
    return found


class Model(nn.Module):
    """Two layers, of which one runs, with what its forward should not return."""

    def __init__(self, returned: str = ""):
        super().__init__()
        self.encoder, self.decoder, self.returned = rnn(), rnn(), returned

    def forward(self, x: Tensor) -> Any:
        """Run the first layer."""
        output, _ = self.encoder(x)
        return {"output": output} if self.returned == "mapping" else output


class Silent(Model):
    """Runs none of its layers as a module."""

    def forward(self, x: Tensor) -> Any:
        """Go past the layer's hooks."""
        return self.encoder.forward(x)[0]


class Shifted(nn.RNN):
    """A forward that adds 1e-3 to one entry."""

    def forward(self, input: Any, hx: Any = None) -> Any:
        """Return something else than torch.nn.RNN does."""
        output, state = super().forward(input, hx)
        output[2, 1, 1] += 1e-3
        return output, state


class Odd(nn.RNN):
    """A forward that returns its output alone."""

    def forward(self, input: Any, hx: Any = None) -> Any:
        """Return no state."""
        return super().forward(input, hx)[0]


def shifted() -> nn.RNN:
    """Return such a layer, with weights of 0."""
    found = Shifted(3, 2)
    for weight in found.parameters():
        nn.init.zeros_(weight)
    return found


def twice(model: nn.Module, x: Tensor) -> Tensor:
    """Go backward within a run, as a training step does."""
    loss = (model(x)[0] + 1).square().mean()
    loss.backward()
    return loss


def without(model: nn.Module, x: Tensor) -> Tensor:
    """Run without gradients."""
    with torch.no_grad():
        return model(x)[0]


def by_name(x: Any) -> Any:
    """Call nothing that is a module."""
    return x


LSTM: Callable[[], nn.LSTM] = lambda: nn.LSTM(3, 2, 2, dropout=0.5)  # noqa: E731
CASES: dict[str, Callable[[], Any]] = {
    "trace_no_module": lambda: cw.trace(PRINT, X),
    "trace_no_layer": lambda: cw.trace(nn.Sequential(nn.Linear(3, 2), nn.ReLU()), X),
    "trace_draws": lambda: cw.trace(nn.ModuleDict({"rnn": LSTM()}), X),
    "trace_draws_ours": lambda: cw.trace(
        cw.nn.Recurrent("lstm", 3, 2, zoneout={"c": 0.1}, weight_dropout=0.2), X
    ),
    "trace_half": lambda: cw.trace(rnn().bfloat16(), X.bfloat16()),
    "trace_returned": lambda: cw.trace(Odd(3, 2), X),
    "trace_nothing_ran": lambda: cw.trace(Silent(), X),
    "trace_layer": lambda: cw.trace(Model(), X)["encodr"],
    "trace_idle": lambda: cw.trace(Model(), X)["decoder"],
    "trace_calls": lambda: cw.trace(Model(), X).calls("encode"),
    "trace_value": lambda: cw.trace(Model(), X)["encoder"]["h_l0"],
    "trace_only": lambda: (
        cw.trace(nn.Sequential(nn.RNNCell(3, 3), nn.RNNCell(3, 3)), X[0]).only
    ),
    "replay": lambda: cw.trace(shifted(), X),
    "horizon_function": lambda: cw.horizon(by_name, X),
    "horizon_no_layer": lambda: cw.horizon(nn.Linear(3, 2), X),
    "horizon_nothing_ran": lambda: cw.horizon(by_name, X, model=Model()),
    "horizon_no_rows": lambda: cw.horizon(rnn(), X[:, :0]),
    "horizon_at": lambda: cw.horizon(rnn(), X, at=4),
    "horizon_at_none": lambda: cw.horizon(rnn(), X, at=()),
    "horizon_at_one_output": lambda: cw.horizon(
        lambda m, x: m(x)[0][-1], m := rnn(), X, model=m, at=2
    ),
    "horizon_twice": lambda: cw.horizon(twice, m := Model(), X, model=m),
    "horizon_no_grad": lambda: cw.horizon(without, m := rnn(), X, model=m),
    "horizon_returned": lambda: cw.horizon(Model("mapping"), X),
    "horizon_loss": lambda: cw.horizon(rnn(), X, loss=lambda result: result[0]),
    "horizon_state": lambda: cw.horizon(rnn(), X)["RNN.h"],
}


@pytest.mark.parametrize("name", CASES)
def test_errors_say_what_was_found(name: str, golden: Callable[[Path, str], None]):
    """Each refusal names where, the rule, what was found and a fix; word for word."""
    with pytest.raises(CellwrightError) as raised:
        CASES[name]()

    golden(GOLDEN / f"{name}.txt", f"{raised.value}\n")


def test_errors_travel_between_processes():
    """An error of a worker arrives as what it is."""
    with pytest.raises(ReplayError) as raised:
        cw.trace(shifted(), X)
    again = pickle.loads(pickle.dumps(raised.value))  # noqa: S301
    for other in (again, copy.copy(raised.value)):
        assert str(other) == str(raised.value)
        assert other.place == {"T": 2, "B": 1, "unit": 1}
        assert other.quantity == "output"
        assert other.difference == raised.value.difference
