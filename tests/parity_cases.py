"""Layers on kernels against the float64 reference: values and all gradients."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from math import prod
from typing import Any
from unittest import mock

import torch
from torch import Tensor

from any_cell import further_inputs, sizes_for, stacks
from cellwright.backends.c.levels import VARIABLE, runnable_levels
from cellwright.cells import load, names
from cellwright.checks.tolerances import OWN_ERRORS, error, kernel_bound
from cellwright.ir.graph import Graph
from cellwright.nn import Recurrent
from cellwright.nn.regularise import infinite_states

FACTORS: dict[str, Sequence[Any]] = {
    "cell": tuple(names()),
    "dtype": ("float32", "float64"),
    "level": tuple(level.name for level in runnable_levels()),
    "T": (1, 2, 33),
    "B": (1, 2, 5, 64),
    "I": (1, 2, 64),
    "H": (1, 5, 7, 16, 50, 300),
    "num_layers": (1, 2),
    "bidirectional": (False, True),
    "hx": (False, True),
    "lengths": (False, True),
    "reset": (False, True),
    "mask": (False, True),
    "zoneout": (False, True),
    "x_grad": (False, True),
}
MOVES = 32
"""How often `undecided` tries."""
SHARE = 0.3
"""Of zoneout, of steps that do not happen, and of steps that begin a sequence."""


@dataclass(frozen=True)
class Case:
    """One combination of `FACTORS`."""

    cell: str
    dtype: str
    level: str
    T: int
    B: int
    I: int  # noqa: E741  # the axis' name
    H: int
    num_layers: int
    bidirectional: bool
    hx: bool
    lengths: bool
    reset: bool
    mask: bool
    zoneout: bool
    x_grad: bool
    """Whether x asks for a gradient: a backward step may leave it away."""

    def __str__(self) -> str:
        """Return a name, such as ``lstm-float32-plain-T2-B5-I1-H7-mask``."""
        parts: list[str] = []
        for name, value in asdict(self).items():
            if isinstance(value, str):
                parts.append(value)
            elif isinstance(value, bool):
                parts += [name] * value
            elif name != "num_layers" or value > 1:
                parts.append(f"{name}{value}")
        return "-".join(parts)

    @property
    def graph(self) -> Graph:
        """The cell's graph."""
        return load(self.cell).graph

    @property
    def options(self) -> dict[str, Any]:
        """Sizes of the cell's own: none of them divides by lanes where H does not."""
        return sizes_for(self.graph, self.I, self.H).options

    @property
    def width(self) -> int:
        """The size of x: I, or what the cell makes of H."""
        return sizes_for(self.graph, self.I, self.H).input_size

    @property
    def layers(self) -> int:
        """How many, 1 where a layer does not take what another one puts out."""
        high = stacks(self.graph, self.H, 1 + self.bidirectional)
        return self.num_layers if high else 1

    def layer(self, dtype: torch.dtype, backend: str) -> Recurrent:
        """Return the layer, its parameters drawn."""
        return Recurrent(
            self.cell,
            self.width,
            self.H,
            self.layers,
            bidirectional=self.bidirectional,
            zoneout=dict.fromkeys(zoned(self.graph), SHARE) if self.zoneout else 0.0,
            backend=backend,
            dtype=dtype,
            **self.options,
        )


def zoned(graph: Graph) -> list[str]:
    """Return the states that a case with zoneout keeps units of."""
    infinite = infinite_states(graph)
    found = [s.name for s in graph.states if s.name not in infinite]
    # The sLSTM's c and n are written in units of exp(m). One that stays while m goes on
    # is 1e-22 of what it was, and gradients of 1e22 have no digits.
    return found[:1] if infinite else found


@dataclass(frozen=True)
class Arguments:
    """What a layer is called with, and the cotangents' seed."""

    x: Tensor
    hx: list[Tensor]
    x_grad: bool
    call: dict[str, Tensor] = field(default_factory=dict[str, Tensor])

    def to(self, dtype: torch.dtype) -> "Arguments":
        """Return the same numbers in another dtype."""
        states = [state.to(dtype) for state in self.hx]
        return replace(self, x=self.x.to(dtype), hx=states)


def draw_arguments(case: Case) -> Arguments:
    """Return what a case's layers are called with, in float32's numbers."""
    draws = torch.Generator().manual_seed(prod((case.T, case.B, case.I, case.H)))
    lead = (case.T, case.B)
    call: dict[str, Tensor] = {}
    if case.lengths:
        lengths = torch.randint(0, case.T + 1, (case.B,), generator=draws)
        call["lengths"] = lengths.index_fill(0, torch.tensor([case.B - 1]), case.T)
    if case.mask:
        call["mask"] = torch.rand(lead, generator=draws) > SHARE
    if case.reset:
        call["reset"] = torch.rand(lead, generator=draws) < SHARE
    hx = _reached(case, draws) if case.hx else []
    call |= further_inputs(case.graph, case.T, case.B, torch.float32)
    x = torch.randn(*lead, case.width, generator=draws)
    return Arguments(x, hx, case.x_grad, call)


def _reached(case: Case, draws: torch.Generator) -> list[Tensor]:
    """Return states that the cell reaches: any others may lie beside a division by 0.

    Of a state that begins at an infinity some entries begin there.
    """
    torch.manual_seed(5)
    plain = replace(case, zoneout=False).layer(torch.float64, "reference")
    x = torch.randn(2, case.B, case.width, generator=draws, dtype=torch.float64)
    with torch.no_grad():
        _, last = plain(x, **further_inputs(case.graph, 2, case.B))
    states = [last] if isinstance(last, Tensor) else last
    for state, declared in zip(states, case.graph.states, strict=True):
        if declared.name in infinite_states(case.graph):
            state[torch.rand(state.shape, generator=draws) < SHARE] = -torch.inf
    return [state.float() for state in states]


def outcome(layer: Recurrent, given: Arguments) -> dict[str, Tensor]:
    """Return output, last states and the gradients of all that the layer reads."""
    # Where there are no weights, x is all that can be asked.
    alone = not list(layer.parameters())
    x = given.x.clone().requires_grad_(alone or given.x_grad)
    first = [state.clone().requires_grad_() for state in given.hx]
    call = {
        name: value.to(x.dtype).requires_grad_() if value.is_floating_point() else value
        for name, value in given.call.items()
    }
    torch.manual_seed(7)  # for zoneout's masks, the same in every dtype
    hx = None if not first else first[0] if len(first) == 1 else tuple(first)
    output, state = layer(x, hx, **call)
    found: dict[str, Tensor] = {"output": output}
    states = [state] if isinstance(state, Tensor) else state
    found |= {f"last {i}": each for i, each in enumerate(states)}
    wrt = {f"first {i}": s for i, s in enumerate(first)}
    wrt |= {"x": x} if x.requires_grad else {}
    wrt |= {name: v for name, v in call.items() if v.requires_grad}
    wrt |= dict(layer.named_parameters())
    draws = torch.Generator().manual_seed(11)
    pairs = [
        (value, torch.randn(value.shape, generator=draws).to(value.dtype))
        for value in found.values()
    ]
    # A spike hangs on the state before the step, and at T=1 on nothing learned.
    used = [(value, cotangent) for value, cotangent in pairs if value.requires_grad]
    gradients = torch.autograd.grad(
        [value for value, _ in used],
        list(wrt.values()),
        [cotangent for _, cotangent in used],
        materialize_grads=True,
    )
    found |= {f"gradient of {n}": g for n, g in zip(wrt, gradients, strict=True)}
    return {name: value.detach() for name, value in found.items()}


def compared(case: Case) -> dict[str, tuple[float, float]]:
    """Return how far all that a case gives is from the reference, and its bound."""
    dtype = getattr(torch, case.dtype)
    given = draw_arguments(case)
    torch.manual_seed(3)
    layer = case.layer(dtype, "c")
    assert [row.backend for row in layer.backend_report().rows] == ["c"]
    actual = outcome(layer, given.to(dtype))
    exact = case.layer(torch.float64, "reference")
    exact.load_state_dict(layer.state_dict())
    expected = outcome(exact, given.to(torch.float64))
    own = dict.fromkeys(expected, 0.0)
    if dtype == torch.float32:
        same = case.layer(dtype, "reference")
        same.load_state_dict(layer.state_dict())
        plain = outcome(same, given.to(dtype))
        own = {name: error(plain[name], value) for name, value in expected.items()}
    assert actual.keys() == expected.keys()
    return {
        name: (error(actual[name], value), kernel_bound(case.dtype, own[name]))
        for name, value in expected.items()
    }


def too_far(case: Case) -> dict[str, tuple[float, float]]:
    """Return error and bound of all that is further from the reference than allowed."""
    return {n: (e, bound) for n, (e, bound) in compared(case).items() if not e <= bound}


def undecided(case: Case, far: Mapping[str, tuple[float, float]]) -> bool:
    """Whether what is too far is no further than rounding takes the reference.

    How far the reference in the case's dtype is from float64 is one draw of a rounding
    error. Where numbers hang on it a thousandfold, beside a relu's kink, a neuron about
    to fire or a layer norm of almost equal entries, the next draw is another: that of
    the reference whose arguments move by a unit in their last place.

    Args:
        case: in which something is too far.
        far: error and bound of what is, see `too_far`.
    """
    dtype = getattr(torch, case.dtype)
    given = draw_arguments(case).to(dtype)
    torch.manual_seed(3)
    layer = case.layer(dtype, "reference")
    exact = case.layer(torch.float64, "reference")
    exact.load_state_dict(layer.state_dict())
    expected = outcome(exact, given.to(torch.float64))
    weights = {n: v.clone() for n, v in layer.state_dict().items()}
    draws = torch.Generator().manual_seed(13)
    own = dict.fromkeys(far, 0.0)
    for _ in range(MOVES):
        layer.load_state_dict({n: _moved(v, draws) for n, v in weights.items()})
        first = [_moved(state, draws) for state in given.hx]
        found = outcome(layer, replace(given, x=_moved(given.x, draws), hx=first))
        own = {n: max(e, error(found[n], expected[n])) for n, e in own.items()}
    return all(e <= OWN_ERRORS * own[n] for n, (e, _) in far.items())


def _moved(value: Tensor, draws: torch.Generator) -> Tensor:
    signs = torch.randint(-1, 2, value.shape, generator=draws).to(value.dtype)
    return value * (1 + signs * torch.finfo(value.dtype).eps)


@contextmanager
def at_level(level: str) -> Iterator[None]:
    """Let kernels of a level run."""
    with mock.patch.dict(os.environ, {VARIABLE: level}):
        yield


def case_of(row: Mapping[str, Any]) -> Case:
    """Return the case of a row of values."""
    return Case(**row)
