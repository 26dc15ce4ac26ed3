"""An input that asks for no gradient costs none, and changes no other gradient."""

from collections.abc import Callable, Mapping
from functools import partial
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor

import cellwright as cw
from any_cell import sizes_for
from cellwright.autograd import function, planned
from cellwright.cells import find, load, names
from cellwright.checks.tolerances import TOLERANCES, error
from cellwright.passes.pipeline import compile_graph

CELLS = ("lstm", "slstm", "clockwork", "phased_lstm")
OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "layers": {"num_layers": 3},
    "both ways": {"bidirectional": True, "num_layers": 2},
    "batch first": {"batch_first": True},
    "recompute": {"memory": "recompute"},
}
B, T = 3, 7


def results(
    layer: Any, call: Callable[..., Any], x: Tensor, more: Mapping[str, Tensor]
) -> list[Any]:
    """Return a call's output, and the gradients of first states and weights."""
    with torch.no_grad():
        last = layer(x, **more)[1]
    ones = last if isinstance(last, tuple) else (last,)
    first = [torch.zeros_like(each).requires_grad_() for each in ones]
    hx = tuple(first) if isinstance(last, tuple) else first[0]
    output = call(x, hx, **more)[0]
    (output.square().sum() + output.sum()).backward()
    learned = [p.grad for p in layer.parameters() if p.requires_grad]
    layer.zero_grad()
    return [output, *(state.grad for state in first), *learned]


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("name", CELLS)
def test_other_gradients_keep_their_bits(name: str, options: dict[str, Any]):
    """Whether x asks changes no bit of those of weights and states, in these cells."""
    torch.manual_seed(1)
    wide, high, more = sizes_for(load(name).graph, 5, 9)
    layer = cw.nn.Recurrent(name, wide, high, backend="c", **more, **options)
    lead = (B, T) if options.get("batch_first") else (T, B)
    given = {i.name: torch.rand(lead) for i in layer.graph.inputs[1:]}
    own = [torch.randn(*lead, wide), *given.values()]
    asks = [x.clone().requires_grad_() for x in own]
    for call in (layer, partial(layer, trace=[])):
        for _ in range(3):
            found, expected = (
                results(layer, call, x, dict(zip(given, rest, strict=True)))
                for x, *rest in (own, asks)
            )
            assert all(map(torch.equal, found, expected))
        assert all(x.grad is not None for x in asks)


@pytest.mark.parametrize("name", names())
def test_no_step_computes_what_nobody_asks_for(name: str):
    """The step without gradients of inputs is the other one without their part."""
    graph = load(name).graph
    whole, part = (compile_graph(graph, (), asked) for asked in ("all", "weights"))
    assert part.forward == whole.forward
    assert part.backward is not None
    assert whole.backward is not None
    inputs = {i.name for i in graph.inputs}
    left = {n for n in whole.backward.gradients if n not in inputs}
    assert set(part.backward.gradients) == left
    assert part.backward.whole == []
    if name in ("lstm", "gru"):
        transposed = [part.backward.names[n] for n in part.backward.schedule.roots]
        assert transposed
        assert not [each for each in transposed if "W_" in each]


SHARED = """
size input_size = hidden_size
input x [input_size]
state h [hidden_size]
state c [hidden_size]
bias w [hidden_size]
output h'
h' = h + x + c
c' = w * c * h
"""
"""Here the gradient of x is a part of those of the states."""


@pytest.mark.parametrize("text", [SHARED, "lstm", "lif"], ids=("shared", "lstm", "lif"))
def test_without_x_all_are_the_reference_s(text: str):
    """First and second derivatives, where x asks for none."""
    bound = TOLERANCES["c", "float64"].bound
    found: dict[str, list[Tensor]] = {}
    for backend in ("c", "reference"):
        torch.manual_seed(3)
        layer = cw.nn.Recurrent(find(text), 4, 4, backend=backend).double()
        x = torch.randn(T, B, 4, dtype=torch.float64)
        wrt = list(layer.parameters())
        first = torch.autograd.grad(layer(x)[0].square().sum(), wrt, create_graph=True)
        penalty = torch.stack([each.square().sum() for each in first]).sum()
        second = torch.autograd.grad(penalty, wrt, allow_unused=True)
        found[backend] = [*first, *(each for each in second if each is not None)]
    assert len(found["c"]) == len(found["reference"]) > len(wrt)
    for one, other in zip(found["c"], found["reference"], strict=True):
        assert error(one, other) <= bound


@pytest.mark.parametrize(
    ("module", "call"), [(planned, {}), (function, {"trace": ("i",)})]
)
def test_who_asks_for_what(
    monkeypatch: pytest.MonkeyPatch, module: ModuleType, call: dict[str, Any]
):
    """Nothing more is built than what is asked for, planned or not."""
    asked: list[str] = []
    program = module.program

    def noted(graph: Any, trace: Any, gradients: Any, dtype: Any) -> Any:
        asked.append(gradients)
        return program(graph, trace, gradients, dtype)

    monkeypatch.setattr(module, "program", noted)
    layer, x = cw.nn.Recurrent("lstm", 5, 9, backend="c"), torch.randn(T, B, 5)
    with torch.no_grad():
        layer(x, **call)
    assert asked == ["none"]
    layer(x, **call)
    layer(x.clone().requires_grad_(), **call)
    assert asked == ["none", "weights", "all"]
    layer.requires_grad_(requires_grad=False)
    layer(x, **call)
    assert "weights" not in asked[3:]
    assert "all" not in asked[3:]
