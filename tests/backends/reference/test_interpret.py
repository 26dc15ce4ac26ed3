"""Running a graph over a sequence."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.func import grad, jvp, vmap

from cellwright.backends.reference.initial import initial_values
from cellwright.backends.reference.interpret import (
    Arguments,
    Result,
    first_states,
    run,
)
from cellwright.cells import find
from cellwright.checks.tolerances import TOLERANCES, error
from cellwright.ir.graph import Graph

REFERENCE = TOLERANCES["reference", "float64"].bound
REWRITTEN = TOLERANCES["rewritten", "float64"].bound
SECOND = TOLERANCES["torch's gradgradcheck", "float64"].bound
SCALARS = """# Scalars wherever one may stand.
input x [input_size]
input gain
state h [hidden_size]
state s = 0.5
weight W [hidden_size, input_size]
weight p
weight q = 2
constant k = 0.25
output y
r  = exp(p) * q + k
h' = tanh(W @ x + r * h + s)
s' = gain * mean(h') + p
y  = s' + sum(x) * r
"""
WEIGHTS_ONLY = """# Results that hang on weights alone.
input x [input_size]
state h [hidden_size]
state s
weight b [hidden_size]
weight p
weight M [hidden_size, hidden_size]
output y
N  = M * 2
h' = tanh(b)
s' = p
y  = sum(N @ h) + s + p + mean(x)
"""


def values(
    graph: Graph, sizes: dict[str, int], batch: int, steps: int = 3, **like: Any
) -> tuple[Arguments, list[Tensor], list[Tensor]]:
    """Return parameters, inputs and declared first states of a graph."""
    torch.manual_seed(0)
    like = {"dtype": torch.float64, **like}
    drawn = initial_values(graph, sizes, {})
    parameters, constants = ({n: v.to(**like) for n, v in d.items()} for d in drawn)
    arguments = Arguments(sizes, parameters, constants)
    inputs = [
        torch.randn(steps, batch, *(s.evaluate(sizes) for s in i.shape)).to(**like)
        for i in graph.inputs
    ]
    first = first_states(graph, arguments, inputs[0])
    return arguments, inputs, [v.expand(batch, *v.shape) for v in first]


@pytest.mark.parametrize("units", [1, 4])
@pytest.mark.parametrize("batch", [0, 1, 3])
def test_scalars_are_scalars(batch: int, units: int):
    """A scalar input, state, weight, constant and output have no axis of their own."""
    graph = find(SCALARS).graph
    a, (x, gain), (h, s) = values(graph, {"input_size": 2, "hidden_size": units}, batch)
    found = run(graph, a, [x, gain], [h, s], trace=("r", "h'"))
    assert found.output.shape == (3, batch)
    assert [v.shape for v in found.states] == [(batch, units), (batch,)]
    assert found.traces["r"].shape == (3, batch)
    assert found.traces["h'"].shape == (3, batch, units)
    w, r = a.parameters["W"], a.parameters["p"].exp() * 2 + 0.25
    for t in range(3):
        h = torch.tanh(x[t] @ w.T + r * h + s.unsqueeze(-1))
        s = gain[t] * h.mean(-1) + a.parameters["p"]
        assert error(found.output[t], s + x[t].sum(-1) * r) <= REFERENCE
    assert error(found.states[0], h) <= REFERENCE


def test_results_without_a_batch_get_one():
    """States and outputs that hang on weights alone have a row for every sample."""
    graph = find(WEIGHTS_ONLY).graph
    a, inputs, first = values(graph, {"input_size": 2, "hidden_size": 3}, 4)
    found = run(graph, a, inputs, first)
    assert [v.shape for v in found.states] == [(4, 3), (4,)]
    assert found.states[0][3].equal(a.parameters["b"].tanh())
    assert found.output.shape == (3, 4)


def test_a_matrix_is_no_trace():
    """A value made of weights is refused, also where its rows look like a batch."""
    graph = find(WEIGHTS_ONLY).graph
    a, inputs, first = values(graph, {"input_size": 2, "hidden_size": 3}, 3)
    with pytest.raises(ValueError, match=r"N is \[hidden_size, hidden_size\]"):
        run(graph, a, inputs, first, trace=("N",))
    with pytest.raises(ValueError, match="no value 'nothing'"):
        run(graph, a, inputs, first, trace=("nothing",))


def slstm(steps: int = 3) -> tuple[Graph, Arguments, list[Tensor], list[Tensor]]:
    """Return a cell with row-wise beginnings, heads and a maximum."""
    graph = find("slstm").graph
    sizes = {"input_size": 2, "hidden_size": 4, "heads": 2}
    return graph, *values(graph, sizes, 3, steps)


def test_nan_stays_in_its_row():
    """One row's NaN leaves the bits of the others alone."""
    graph, a, (x,), first = slstm()
    well = run(graph, a, [x], first)
    ill = x.clone()
    ill[1, 1] = torch.nan
    found = run(graph, a, [ill], first)
    assert found.output[:, [0, 2]].equal(well.output[:, [0, 2]])
    assert found.output[0, 1].equal(well.output[0, 1])
    assert found.output[1:, 1].isnan().all()


def test_minus_infinity_begins_a_row():
    """A state of -inf and zeros gives finite values and gradients."""
    graph, a, (x,), first = slstm()
    for parameter in a.parameters.values():
        parameter.requires_grad_()
    found = run(graph, a, [x], first)
    slopes = torch.autograd.grad(found.output.sum(), list(a.parameters.values()))
    assert found.output.isfinite().all()
    assert all(slope.isfinite().all() for slope in slopes)


def test_a_long_sequence():
    """Five hundred steps run, forward and backward."""
    graph, a, (x,), first = slstm(500)
    x.requires_grad_()
    (slope,) = torch.autograd.grad(run(graph, a, [x], first).output.sum(), x)
    assert slope.isfinite().all()


@pytest.mark.parametrize("cell", ["slstm", "izhikevich", "lstm_norm_joint", "rhn"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_dtypes_are_kept(cell: str, dtype: torch.dtype):
    """Nothing is promoted: every result has the dtype of the inputs."""
    graph = find(cell).graph
    sizes = {"input_size": 2, "hidden_size": 4, "heads": 2}
    found = run(graph, *values(graph, sizes, 3, dtype=dtype))
    assert {v.dtype for v in (found.output, *found.states)} == {dtype}


@pytest.mark.parametrize("cell", ["slstm", "izhikevich", "lstm_norm_joint", "rhn"])
def test_devices_are_kept(cell: str):
    """Nothing is made on another device than the inputs'."""
    graph = find(cell).graph
    sizes = {"input_size": 2, "hidden_size": 4, "heads": 2}
    found = run(graph, *values(graph, sizes, 3, device="meta"))
    assert {v.device.type for v in (found.output, *found.states)} == {"meta"}
    assert found.output.shape == (3, 3, 4)


def shifted(cell: str) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
    """Return an input and the cell as a function of it."""
    graph = find(cell).graph
    sizes = {"input_size": 2, "hidden_size": 4, "heads": 2}
    a, (x,), first = values(graph, sizes, 2)

    def output(x: Tensor) -> Tensor:
        result: Result = run(graph, a, [x], first)
        return result.output.sin().sum()

    return x, output


@pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:DeprecationWarning")
@pytest.mark.parametrize("cell", ["slstm", "lstm_norm_joint", "rhn", "elman_relu"])
def test_function_transforms(cell: str):
    """Forward mode, vmap and second derivatives agree with plain autograd."""
    x, output = shifted(cell)
    slope = grad(output)(x)
    direction = torch.randn_like(x)
    along = jvp(output, (x,), (direction,))[1]
    assert error(along, (slope * direction).sum()) <= REWRITTEN
    several = torch.stack([x, 2 * x])
    both = torch.stack([slope, grad(output)(2 * x)])
    assert error(vmap(grad(output))(several), both) <= REWRITTEN
    assert torch.autograd.gradgradcheck(
        output, x.clone().requires_grad_(), atol=SECOND, rtol=0
    )


def test_first_value_of_a_scalar_state_may_be_a_sum():
    """What a row op leaves of a vector fills a state that is a number."""
    text = """input x [input_size]
state h [hidden_size]
state s = sum(w)
weight w [hidden_size]
output h'
h' = tanh(w + h + s + sum(x))
s' = mean(h')
"""
    graph = find(text).graph
    a, xs, _ = values(graph, {"input_size": 2, "hidden_size": 4}, 2)
    _, s = first_states(graph, a, xs[0])
    assert s.shape == ()
    assert error(s, a.parameters["w"].sum()) <= REFERENCE
