"""Slopes by central differences in float64, with an estimate of their own noise.

Two steps, ``D(s)`` and ``D(s/2)``, extrapolate to ``(4 D(s/2) - D(s)) / 3`` with an
error of s**4, and their difference bounds what is left. An entry that crosses a kink
between its two sides, or that stays noisy, is tried again with a smaller step and then
counted, never dropped in silence. From the second try on, what is left is bounded by
how far the extrapolation itself has moved (Ridders, Advances in Engineering Software
4(2), 1982): the two steps of one try differ by s**2, far more than the result is wrong
by, and at the smallest steps they can agree by chance of rounding.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.func import vmap

from cellwright.backends.reference.frozen import Frozen, moving_nodes
from cellwright.backends.reference.interpret import Arguments, first_states, run
from cellwright.ir.graph import Graph

STEPS = (2e-4, 5e-5, 1.25e-5, 3e-6, 8e-7)
"""The first is the best for a smooth cell: s**4 = 2e-15 against rounding of 1e-16 / s
= 5e-13. The others reach cells whose slopes change within 1e-4, at up to 1e-10 of
rounding."""

ROWS_AT_ONCE = 1024
"""Perturbed copies in one vectorised run; bounds the memory, changes no number."""

Values = Mapping[str, Tensor]


@dataclass(frozen=True)
class Point:
    """Where slopes are asked for: a graph, its values, and a cotangent for each result.

    Args:
        graph: the cell.
        sizes: every named size.
        values: tensors by key: ``input x``, ``state h``, ``parameter W``. Without
            states, the declared first values are used.
        constants: tensors by name.
        cotangents: of the output at every step and of each final state.
    """

    graph: Graph
    sizes: Mapping[str, int]
    values: Values
    constants: Values
    cotangents: tuple[Tensor, ...]

    def results(self, values: Values, frozen: Frozen | None) -> list[Tensor]:
        """Return the output and the final states for other values."""
        graph = self.graph
        parameters = {p.name: values[f"parameter {p.name}"] for p in graph.parameters}
        arguments = Arguments(self.sizes, parameters, self.constants)
        inputs = [values[f"input {i.name}"] for i in graph.inputs]
        if all(f"state {s.name}" in values for s in graph.states):
            first = [values[f"state {s.name}"] for s in graph.states]
        else:
            declared = first_states(graph, arguments, inputs[0], frozen)
            first = [s.expand(inputs[0].shape[1], *s.shape) for s in declared]
        result = run(graph, arguments, inputs, first, frozen=frozen)
        return [result.output, *result.states]


@dataclass(frozen=True)
class Slopes:
    """Slopes along some directions; ``decided`` says which of them are worth comparing.

    Args:
        slope: one number a direction, NaN where it is not decided.
        crossed: which directions cross a kink, at every step size.
        noise: what two estimates still differ by, as a share of the largest slope.
    """

    slope: Tensor
    crossed: Tensor
    noise: Tensor


class Differences:
    """Central differences at one point.

    Args:
        point: where.
    """

    def __init__(self, point: Point):
        self._point = point
        self._frozen = Frozen(moving_nodes(point.graph))
        self._base = point.results(point.values, self._frozen)

    def slopes(self, directions: Values, bound: float) -> Slopes:
        """Return the slopes along directions, given as ``[N, ...]`` for each key.

        Args:
            directions: what to add to each value, one row a direction.
            bound: the noise below which a slope is decided.
        """
        number = len(next(iter(directions.values())))
        slope = torch.full((number,), torch.nan, dtype=torch.float64)
        noise = torch.full_like(slope, torch.inf)
        crossed = torch.ones(number, dtype=torch.bool)
        before = slope.clone()
        for step in STEPS:
            left = slope.isnan().nonzero().squeeze(-1)
            if not len(left):
                break
            some = {key: rows[left] for key, rows in directions.items()}
            wide, wide_crossed = self._central(some, step)
            near, near_crossed = self._central(some, step / 2)
            best = (4 * near - wide) / 3
            # The first step's crossing is the larger one, so the smaller is kept.
            crossed[left] = wide_crossed | near_crossed
            moved = near - wide if step == STEPS[0] else best - before[left]
            spread = moved.abs()
            fine, noise[left] = quiet(best, spread, ~crossed[left], bound)
            slope[left[fine]] = best[fine]
            before[left] = torch.where(crossed[left], torch.nan, best)
        return Slopes(slope, crossed, noise)

    def _central(self, directions: Values, step: float) -> tuple[Tensor, Tensor]:
        moved = {
            key: torch.cat([step * rows, -step * rows])
            for key, rows in directions.items()
        }
        change, crossed = vmap(self._change, chunk_size=ROWS_AT_ONCE)(moved)
        up, down = change.chunk(2)
        either = torch.stack(crossed.chunk(2)).any(0)
        return (up - down) / (2 * step), either

    def _change(self, moved: Values) -> tuple[Tensor, Tensor]:
        """Return how far the weighted sum of the results moves."""
        values = dict(self._point.values)
        for key, by in moved.items():
            values[key] = values[key] + by
        self._frozen.again()
        results = self._point.results(values, self._frozen)
        total = torch.zeros((), dtype=torch.float64)
        for result, base, weight in zip(
            results, self._base, self._point.cotangents, strict=True
        ):
            # Differences come first: a sum would round away what they differ by.
            moved_by = torch.where(result == base, 0.0, result - base)
            total = total + (moved_by * weight).sum()
        return total, self._frozen.crossed


def quiet(
    slope: Tensor, spread: Tensor, smooth: Tensor, bound: float
) -> tuple[Tensor, Tensor]:
    """Return which slopes are decided, and the noise of each as a share of the largest.

    The largest of the decided ones, that is: noise itself makes the largest slopes, and
    must not excuse the noise of the others. So whatever is too noisy leaves, and the
    rest is measured again.

    Args:
        slope: ``[N]``.
        spread: ``[N]``, what two estimates differ by.
        smooth: ``[N]``, which of them crossed no kink.
        bound: the noise below which a slope is decided.
    """
    decided = smooth & slope.isfinite()
    while True:
        largest = torch.where(decided, slope.abs(), 0.0).max().clamp(min=1.0)
        noise = (spread / largest).nan_to_num(nan=torch.inf)
        fewer = decided & (noise <= bound)
        if torch.equal(fewer, decided):
            return decided, noise
        decided = fewer


def single_entries(value: Tensor) -> Tensor:
    """Return one direction for each entry of a value, as long as the entry is large.

    Its length is 1, or the entry's size where that is larger; slopes come out times it.
    """
    length = value.abs().clamp(min=1.0).nan_to_num(posinf=1.0).flatten()
    return torch.diag(length).reshape(-1, *value.shape)


def random_directions(
    values: Values, keys: Sequence[str], number: int, generator: torch.Generator
) -> dict[str, Tensor]:
    """Return directions over several values at once, each of length 1."""
    drawn = {
        key: torch.randn(
            number, *values[key].shape, dtype=torch.float64, generator=generator
        )
        for key in keys
    }
    squares = [rows.reshape(number, -1).square().sum(1) for rows in drawn.values()]
    length = torch.stack(squares).sum(0).sqrt()
    return {
        key: rows / length.reshape(-1, *[1] * (rows.dim() - 1))
        for key, rows in drawn.items()
    }
