"""Implementations of cells by others, each as a run over a sequence from given weights.

An oracle gets the weights of a layer by the cell's names, the sequence with its further
inputs, and the first states; it returns the outputs and the last states. The weights of
another library are made of the cell's, gate by gate in that library's order.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import paper_steps

Weights = Mapping[str, Tensor]
Outcome = tuple[Tensor, list[Tensor]]
"""Outputs ``[T, B, ...]`` and the last states ``[B, ...]``."""


@dataclass(frozen=True)
class Given:
    """What a layer has run on.

    Args:
        weights: by the cell's names.
        x: the sequence.
        further: the cell's further inputs, by name.
        states: before the first step, ``[B, ...]``.
    """

    weights: Weights
    x: Tensor
    further: Mapping[str, Tensor]
    states: Sequence[Tensor]


@dataclass(frozen=True)
class Oracle:
    """Somebody else's cell.

    Args:
        by: who wrote it, as a person would look it up.
        run: steps over the sequence.
        options: constants of the cell for which it is that one.
    """

    by: str
    run: Callable[[Given], Outcome]
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])


def stacked(weights: Weights, letter: str, gates: str) -> Tensor:
    """Return the rows of several gates: ``stacked(w, "W", "ifgo")``."""
    return torch.cat([weights[f"{letter}_{gate}"] for gate in gates])


def _load(module: nn.Module, values: Mapping[str, Tensor]) -> None:
    """Set every parameter of a module: those that are not named become 0."""
    named = dict(module.named_parameters())
    assert values.keys() <= named.keys(), (values.keys(), named.keys())
    with torch.no_grad():
        for name, parameter in named.items():
            parameter.copy_(values.get(name, torch.zeros_like(parameter)))


# torch.nn


def torch_nn(
    kind: Callable[..., nn.RNNBase], values: Callable[[Weights], Mapping[str, Tensor]]
) -> Oracle:
    """Return a layer of torch.nn, with the values of its parameters."""

    def run(given: Given) -> Outcome:
        units = given.states[-1].shape[-1]
        layer = kind(given.x.shape[-1], units, dtype=torch.float64)
        _load(layer, values(given.weights))
        first = [state.unsqueeze(0) for state in given.states]
        output, last = layer(given.x, first[0] if len(first) == 1 else tuple(first))
        last = [last] if isinstance(last, Tensor) else list(last)
        return output, [state[0] for state in last]

    return Oracle(f"torch.nn.{getattr(kind, '__name__', 'RNN')}", run)


def lstm_values(w: Weights) -> dict[str, Tensor]:
    """Return the parameters of `torch.nn.LSTM`, whose second bias stays 0."""
    return {
        "weight_ih_l0": stacked(w, "W", "ifgo"),
        "weight_hh_l0": stacked(w, "U", "ifgo"),
        "bias_ih_l0": stacked(w, "b", "ifgo"),
        **({"weight_hr_l0": w["P"]} if "P" in w else {}),
    }


def gru_values(w: Weights) -> dict[str, Tensor]:
    """Return the parameters of `torch.nn.GRU`: of its second biases one stays."""
    zeros = torch.zeros_like(w["d_n"])
    return {
        "weight_ih_l0": stacked(w, "W", "rzn"),
        "weight_hh_l0": stacked(w, "U", "rzn"),
        "bias_ih_l0": stacked(w, "b", "rzn"),
        "bias_hh_l0": torch.cat([zeros, zeros, w["d_n"]]),
    }


def rnn_values(w: Weights) -> dict[str, Tensor]:
    """Return the parameters of `torch.nn.RNN`."""
    return {"weight_ih_l0": w["W"], "weight_hh_l0": w["U"], "bias_ih_l0": w["b"]}


# torchrecurrent


def torchrecurrent(
    kind: Callable[..., nn.Module],
    values: Callable[[Weights], Mapping[str, Tensor]],
    arguments: Mapping[str, Any] | None = None,
    states: Sequence[int] = (),
    options: Mapping[str, Any] | None = None,
) -> Oracle:
    """Return a cell of the package torchrecurrent.

    Args:
        kind: its class.
        values: of its parameters; all others become 0.
        arguments: of its constructor.
        states: which of our states each of its own is, where it has several.
        options: constants of our cell.
    """

    def run(given: Given) -> Outcome:
        units = given.states[0].shape[-1]
        cell = kind(given.x.shape[-1], units, dtype=torch.float64, **(arguments or {}))
        cell = cell.double()
        _load(cell, values(given.weights))
        state: Any = tuple(given.states[i] for i in states) or given.states[0]
        outputs: list[Tensor] = []
        for x in given.x:
            state = cell(x, state)
            outputs.append(state if isinstance(state, Tensor) else state[0])
        last = [state] if isinstance(state, Tensor) else list(state)
        return torch.stack(outputs), last[: len(given.states)]

    name = f"torchrecurrent.{getattr(kind, '__name__', kind)}"
    return Oracle(name, run, options or {})


def gates(order: str, u: str = "U", more: str = "") -> Callable[[Weights], Any]:
    """Return the values of a cell with gates in that order, and peepholes of some."""

    def values(w: Weights) -> dict[str, Tensor]:
        found = {
            "weight_ih": stacked(w, "W", order),
            "weight_hh": stacked(w, u, order),
            "bias_ih": stacked(w, "b", order),
        }
        return found | ({"weight_ph": stacked(w, "p", more)} if more else {})

    return values


# NumPy, from the papers


def from_paper(name: str, **choices: Any) -> Oracle:
    """Return a step of `paper_steps`, written by somebody who had not seen the cell.

    Args:
        name: of the step.
        choices: what the paper leaves open, as the cell has it.
    """
    step = getattr(paper_steps, name)
    assert inspect.isfunction(step), name

    def run(given: Given) -> Outcome:
        weights = {n: value.numpy() for n, value in given.weights.items()}
        states: Any = [state.numpy() for state in given.states]
        outputs: list[Tensor] = []
        for place, x in enumerate(given.x):
            rest = [value[place].numpy() for value in given.further.values()]
            said, states = step(weights, x.numpy(), *rest, *states, **choices)
            outputs.append(torch.as_tensor(np.asarray(said)))
        last = [torch.as_tensor(np.asarray(state)) for state in states]
        return torch.stack(outputs), last

    return Oracle(f"NumPy, from the paper: paper_steps.{name}", run)
