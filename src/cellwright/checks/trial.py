"""One trial of a module against a cell: random tensors, both runs, both gradients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.func import functional_call

from cellwright.nn.recurrent import Recurrent

from .calls import Call, CompareError, Values, module_call
from .matching import Match

BATCH = 3
"""Rows of every trial; a fault that mixes rows shows with two, an odd one with three.
"""


@dataclass(frozen=True)
class Trial:
    """A module, a layer of the cell, how their weights belong together, and an input.

    Args:
        module: in float64, on the CPU, in evaluation.
        cell: a layer of the cell, whose own weights are not used.
        matched: the cell's weights as parts of the module's.
        batch_first: whether the module reads ``[B, T, I]``.
        step: whether it is one step; None to see it from its arguments.
        x: the input, ``[T, B, I]``.
        further: the cell's further inputs by name.
        states: first states, ``[L*D, B, H]``.
        seed: of the cotangents.
    """

    module: nn.Module
    cell: Recurrent
    matched: Match
    batch_first: bool
    step: bool | None
    x: Tensor
    further: Mapping[str, Tensor]
    states: Sequence[Tensor]
    seed: int

    @property
    def leaves(self) -> dict[str, Tensor]:
        """The module's parameters that the cell has."""
        sources = [s for each in self.matched.values() for s in each]
        used = {source.piece.source for source in sources}
        return {n: p for n, p in self.module.named_parameters() if n in used}

    @property
    def module_call(self) -> Call:
        """How the module is run."""
        return module_call(
            self.module,
            self.cell.graph,
            self.x,
            self.further,
            batch_first=self.batch_first,
            step=self.step,
        )

    def cell_call(self, leaves: Mapping[str, Tensor]) -> Call:
        """Return how the cell is run with the module's weights."""
        shapes = {name: p.shape for name, p in self.cell.named_parameters()}
        weights: dict[str, Tensor] = {}
        for to, sources in self.matched.items():
            first, *rest = (source.of(leaves, shapes) for source in sources)
            weights[to] = sum(rest, start=first)

        def run(x: Tensor, states: Sequence[Tensor] | None) -> Values:
            hx = None if states is None else tuple(states)
            arguments = (x, hx)
            output, last = functional_call(
                self.cell, weights, arguments, dict(self.further)
            )
            return output, list(last) if isinstance(last, tuple) else [last]

        return Call(run)

    def transposed(self) -> Trial:
        """Return the trial with the other reading of the module's axes."""
        return replace(self, batch_first=not self.batch_first)

    def read_as(self, matched: Match) -> Trial:
        """Return the trial with weights that belong together otherwise."""
        return replace(self, matched=matched)


def new_trial(
    module: nn.Module,
    cell: Recurrent,
    matched: Match,
    sizes: Mapping[str, int],
    *,
    batch_first: bool,
    step: bool | None,
    steps: int,
    seed: int,
) -> Trial:
    """Return a trial with random tensors; the module's weights are moved a little.

    Raises:
        CompareError: when `steps` is below 1.
    """
    if steps < 1:
        raise CompareError(f"steps: a sequence has at least 1 step, got {steps}")
    draws = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, generator=draws, dtype=torch.float64)

    with torch.no_grad():
        for weight in module.parameters():
            # So that a weight that starts as 0 counts too.
            weight.add_(0.1 * draw(*weight.shape))
    rows = cell.num_layers * (1 + cell.bidirectional)
    inputs, states = (
        [[size.evaluate(sizes) for size in each.shape] for each in declared]
        for declared in (cell.graph.inputs, cell.graph.states)
    )
    names = [declared.name for declared in cell.graph.inputs]
    further = {
        name: draw(steps, BATCH, *shape)
        for name, shape in zip(names[1:], inputs[1:], strict=True)
    }
    return Trial(
        module,
        cell,
        matched,
        batch_first,
        step,
        draw(steps, BATCH, cell.input_size),
        further,
        [draw(rows, BATCH, *shape) / 2 for shape in states],
        seed,
    )


def values(
    trial: Trial, call: Call, x: Tensor, states: Sequence[Tensor] | None
) -> dict[str, Tensor]:
    """Return what a call gives, by name."""
    output, last = call.run(x, states)
    found = {} if output is None else {"output": output}
    if last is not None:
        names = [f"last {state.name}" for state in trial.cell.graph.states]
        found |= zip(names, last, strict=True)
    return found


def both(trial: Trial) -> list[tuple[str, Tensor, Tensor]]:
    """Return every quantity of the module beside the cell's.

    Raises:
        CompareError: when the module does not run.
    """
    theirs = trial.module_call
    given = theirs.takes_states
    leaves = trial.leaves
    copies = {n: p.detach().clone().requires_grad_() for n, p in leaves.items()}
    sides: list[tuple[dict[str, Tensor], dict[str, Tensor]]] = []
    for call, weights in ((theirs, leaves), (trial.cell_call(copies), copies)):
        x = trial.x.clone().requires_grad_()
        states = [s.clone().requires_grad_() for s in trial.states] if given else []
        found = values(trial, call, x, states if given else None)
        names = [f"first {s.name}" for s in trial.cell.graph.states][: len(states)]
        wrt = {"x": x, **dict(zip(names, states, strict=True)), **weights}
        sides.append((found, wrt))
    (ours, _), (cells, _) = sides
    shared = [name for name in ours if name in cells]
    draws = torch.Generator().manual_seed(trial.seed + 1)
    cotangents = {
        name: torch.randn(cells[name].shape, generator=draws, dtype=torch.float64)
        for name in shared
        if ours[name].shape == cells[name].shape
    }
    grads = [_gradients(found, wrt, cotangents) for found, wrt in sides]
    result = [(name, ours[name].detach(), cells[name].detach()) for name in shared]
    if given and not theirs.needs_states:
        result += _from_own_start(trial, theirs, copies)
    result += [(f"gradient of {n}", g, grads[1][n]) for n, g in grads[0].items()]
    return result


def _from_own_start(
    trial: Trial, theirs: Call, copies: Mapping[str, Tensor]
) -> list[tuple[str, Tensor, Tensor]]:
    with torch.no_grad():
        mine = values(trial, theirs, trial.x, None)
        cells = values(trial, trial.cell_call(copies), trial.x, None)
    return [(f"{name}, hx=None", mine[name], cells[name]) for name in mine]


def _gradients(
    found: Mapping[str, Tensor],
    wrt: Mapping[str, Tensor],
    cotangents: Mapping[str, Tensor],
) -> dict[str, Tensor]:
    loss = torch.zeros((), dtype=torch.float64)
    for name, cotangent in cotangents.items():
        loss = loss + (found[name] * cotangent).sum()
    if not loss.requires_grad:
        return {name: torch.zeros_like(value) for name, value in wrt.items()}
    grads = torch.autograd.grad(
        loss, list(wrt.values()), allow_unused=True, materialize_grads=True
    )
    return dict(zip(wrt, grads, strict=True))
