import random
from collections import deque
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import cellwright as cw


class Busy(nn.Module):
    """A model that changes whatever a model can change while it runs."""

    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(3)
        self.rnn = nn.GRU(3, 4)
        self.head = nn.Linear(4, 1)
        self.dropout = nn.Dropout(0.5)
        self.hidden: Tensor | None = None
        self.kept = torch.zeros(2)
        self.calls: list[int] = []
        self.recent: deque[int] = deque([1], maxlen=3)
        self.sums = {"all": torch.zeros(2)}
        self.failing = False

    def forward(self, x: Tensor) -> Tensor:
        """Change everything, and fail at the end if it should."""
        self.calls.append(len(self.calls))
        self.recent.append(2)
        self.kept[0] += 1
        self.sums["all"] += 1
        self.later = True
        output, self.hidden = self.rnn(self.norm(x.transpose(1, 2)).transpose(1, 2))
        with torch.no_grad():
            self.head.weight += random.random() + np.random.rand()  # noqa: NPY002
        if self.head.weight.grad is not None:
            self.head.weight.grad += 1
        self.eval()
        if self.failing:
            raise KeyError("in the middle")
        return self.head(self.dropout(output))


def condition(model: Busy) -> dict[str, Any]:
    """Return copies of all that a model has, and of all random numbers to come."""
    found: dict[str, Any] = {f"state {n}": v for n, v in model.state_dict().items()}
    found["gradient"] = model.head.weight.grad
    found["kept"], found["sums"] = model.kept, model.sums["all"]
    found = {n: v.clone() for n, v in found.items()}
    found["plain"] = list(model.calls), list(model.recent), sorted(vars(model))
    found["modes"] = [each.training for each in model.modules()]
    found["hooks"] = [len(each._forward_hooks) for each in model.modules()]
    found["forwards"] = ["forward" in vars(each) for each in model.modules()]
    found["hidden"] = model.hidden
    numpy: Any = np.random.get_state()  # noqa: NPY002
    found["chance"] = random.getstate(), numpy[1].tolist(), numpy[2]
    return {**found, "torch": torch.get_rng_state().clone()}


def same(one: Any, other: Any) -> bool:
    """Compare tensors by their numbers."""
    return torch.equal(one, other) if isinstance(one, Tensor) else one == other


@pytest.mark.parametrize("failing", [False, True], ids=["it runs", "it fails"])
@pytest.mark.parametrize("look", [cw.trace, cw.horizon], ids=["trace", "horizon"])
def test_a_model_is_what_it_was(look: Any, failing: bool):
    """Attributes, values, gradients, modes, hooks and chance are as before the run."""
    torch.manual_seed(1)
    model = Busy()
    model.head.weight.grad = torch.ones_like(model.head.weight)
    model.failing = failing
    calls, gradient = model.calls, model.head.weight.grad
    before = condition(model)
    x = torch.ones(5, 2, 3)
    if failing:
        with pytest.raises(KeyError, match="in the middle"):
            look(model, x)
    else:
        look(model, x)
    after = condition(model)

    assert before.keys() == after.keys()
    assert [name for name in before if not same(before[name], after[name])] == []
    assert model.calls is calls
    assert model.head.weight.grad is gradient
    assert torch.equal(gradient, torch.ones_like(gradient))


def test_a_state_within_a_graph_is_put_back():
    """What a stateful model carries may hang on a graph, and still does afterwards."""

    class Stateful(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn, self.state = nn.GRU(3, 4), None

        def forward(self, x: Tensor) -> Tensor:
            output, self.state = self.rnn(x, self.state)
            return output

    model, x = Stateful(), torch.ones(2, 1, 3)
    model(x)
    state = model.state
    traces = cw.trace(model, x)

    assert model.state is state
    assert state is not None
    assert state.requires_grad
    assert torch.equal(traces["rnn"].first["h"], state)
    state.sum().backward()
