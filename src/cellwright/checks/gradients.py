"""Are a layer's gradients right? Compare them with central differences.

The gradients are the layer's own, from whatever backend runs it; the differences are
taken on the reference in float64, frozen, see `cellwright.backends.reference.frozen`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from cellwright.cells import find
from cellwright.language.cell import Cell
from cellwright.nn.errors import OptionError
from cellwright.nn.options import Option, resolve_sizes, sort_options, whole_number
from cellwright.nn.recurrent import Recurrent

from .differences import Differences, Point, Slopes, random_directions, single_entries
from .tolerances import TOLERANCES

EVERY_ENTRY_UP_TO = 7
"""The largest hidden size at which each entry is checked by itself."""

DIRECTIONS = 20
"""Random directions beyond: a wrong gradient is orthogonal to none of them."""

SKIPPED_AT_MOST = 0.05
"""The share of entries that may be undecided before the whole check has failed."""

WARM_UP = 3
"""Steps before the check begins, so that states are such as the cell really has."""


@dataclass(frozen=True, slots=True)
class GradientRow:
    """One quantity's gradient against its differences.

    Args:
        quantity: ``W_i``, ``x``, ``first h``; with ``from the declared first states``
            where the layer was given none.
        compared: entries whose slope is decided.
        at_kinks: entries that cross a kink (of relu, abs, maximum, minimum or max).
        noisy: entries whose differences do not settle.
        error: largest difference, relative to the largest slope above 1.
        entry: where it is, ``W_i[2, 0]``.
        gradient: the layer's number there.
        difference: the slope there.
        flat: whether all slopes are 0 on both sides, which says little.
    """

    quantity: str
    compared: int
    at_kinks: int
    noisy: int
    error: float
    entry: str
    gradient: float
    difference: float
    flat: bool


@dataclass(frozen=True, slots=True)
class GradientReport:
    """What `check_gradients` found; true when every gradient is right.

    Args:
        cell: the cell's name.
        backend: which backend computed the gradients.
        rows: one a quantity.
        bound: the largest error that counts as right.
    """

    cell: str
    backend: str
    rows: tuple[GradientRow, ...]
    bound: float

    @property
    def worst(self) -> GradientRow:
        """The row with the largest error."""
        return max(self.rows, key=lambda row: row.error)

    @property
    def compared(self) -> int:
        """How many entries were compared."""
        return sum(row.compared for row in self.rows)

    @property
    def skipped(self) -> int:
        """How many entries lie at a kink or stay noisy."""
        return sum(row.at_kinks + row.noisy for row in self.rows)

    def __bool__(self) -> bool:
        enough = self.skipped <= SKIPPED_AT_MOST * (self.skipped + self.compared)
        return self.compared > 0 and enough and self.worst.error <= self.bound

    def __str__(self) -> str:
        verdict, worst = "right" if self else "WRONG", self.worst
        lines = [f"gradients of {self.cell} ({self.backend}): {verdict}"]
        lines.append(
            f"  {self.compared} entries compared, {self.skipped} skipped "
            f"(at most {SKIPPED_AT_MOST:.0%} may be)"
        )
        lines.append(
            f"  worst: {worst.entry}: {worst.gradient:.12g}, differences say "
            f"{worst.difference:.12g}: error {worst.error:.1e} of {self.bound:.0e}"
        )
        width = max(len(row.quantity) for row in self.rows)
        for row in self.rows:
            skipped = f", {row.at_kinks} at kinks, {row.noisy} noisy"
            skipped = skipped if row.at_kinks + row.noisy else ""
            flat = ", all 0 here" if row.flat else ""
            name = f"{row.quantity:<{width}}"
            lines.append(f"  {name}  {row.error:.1e}  {row.compared}{skipped}{flat}")
        return "\n".join(lines)


def check_gradients(
    cell: str | os.PathLike[str] | Cell,
    input_size: int = 3,
    hidden_size: int = 5,
    *,
    steps: int = 4,
    batch_size: int = 2,
    bias: bool = True,
    hx: Sequence[Tensor] | None = None,
    backend: str = "auto",
    dtype: torch.dtype = torch.float64,
    seed: int = 0,
    **sizes_and_constants: Option,
) -> GradientReport:
    """Compare every gradient of a cell with central differences.

    Inputs, first states and every parameter are moved; the output at every step and the
    final states pull on them with random cotangents. Once from states that the cell
    reaches by itself, and once from those that its file declares.

    Args:
        cell: as `cellwright.nn.Recurrent` takes it.
        input_size: number of features of the input.
        hidden_size: number of units; up to 7 each entry is checked, beyond 20 random
            directions are.
        steps: length of the sequence.
        batch_size: rows of the batch.
        bias: as in `Recurrent`.
        hx: first states, one ``[B, H]`` or ``[B]`` each, in place of reached ones.
        backend: as in `Recurrent`.
        dtype: of the layer, float32 or float64; the differences are in float64.
        seed: of every random number.
        **sizes_and_constants: as in `Recurrent`.

    Returns:
        A report, true when right and printable, with the worst entry named.

    Raises:
        OptionError: for a length, a seed or a dtype that is none, or a name that the
            cell has not.

    Example:
        >>> import cellwright as cw
        >>> report = cw.check_gradients("gru", hidden_size=2)
        >>> bool(report), report.skipped
        (True, 0)
    """
    cell = find(cell)
    for name, value in (("steps", steps), ("batch_size", batch_size)):
        whole_number("check_gradients", name, value)
    whole_number("check_gradients", "seed", seed, 0)
    bound = _bound(dtype)
    given = sort_options(cell, sizes_and_constants, check_gradients).sizes
    options: dict[str, Any] = dict(sizes_and_constants)
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        layer = Recurrent(
            cell,
            input_size,
            hidden_size,
            bias=bias,
            backend=backend,
            dtype=dtype,
            **options,
        )
    _off_the_defaults(layer, generator)
    sizes = resolve_sizes(cell, layer.graph, input_size, hidden_size, given)
    point = _point(layer, sizes, (steps, batch_size), hx, generator)
    declared = {k: v for k, v in point.values.items() if not k.startswith("state ")}
    rows: list[GradientRow] = []
    for values, note in (
        (point.values, ""),
        (declared, " from the declared first states"),
    ):
        here = Point(
            point.graph, point.sizes, values, point.constants, point.cotangents
        )
        gradients = layer_gradients(layer, here)
        differences = Differences(here)
        if hidden_size <= EVERY_ENTRY_UP_TO:
            compared = _each_entry(here, differences, gradients, bound)
        else:
            compared = _directions(here, differences, gradients, bound, generator)
        rows += [_row(name + note, *found) for name, found in compared.items()]
    return GradientReport(cell.name, layer.backend, tuple(rows), bound)


def _bound(dtype: object) -> float:
    """Return the largest error that counts as right."""
    known = [name for kind, name in TOLERANCES if kind == "differences"]
    name = str(dtype).removeprefix("torch.")
    if not isinstance(dtype, torch.dtype) or name not in known:
        listed = " or ".join(f"torch.{each}" for each in known)
        raise OptionError(f"check_gradients: dtype is {listed}; found {dtype!r}")
    return TOLERANCES["differences", name].bound


def layer_gradients(layer: Recurrent, point: Point) -> dict[str, Tensor]:
    """Return the layer's gradients at a point, by the point's keys, in float64."""
    graph = layer.graph
    like = next(iter([*layer.parameters(), *layer.buffers()])).detach()
    leaves = {
        key: value.to(like).clone().requires_grad_()
        for key, value in point.values.items()
        if not key.startswith("parameter ")
    }
    inputs = {i.name: leaves[f"input {i.name}"] for i in graph.inputs}
    x = inputs.pop(graph.inputs[0].name)
    states = [leaves.get(f"state {s.name}") for s in graph.states]
    known = [state.unsqueeze(0) for state in states if state is not None]
    output, last = layer(
        x if graph.inputs[0].shape else x.unsqueeze(-1),
        (known[0] if len(known) == 1 else known) if known else None,
        **inputs,
    )
    output = output if graph.output_shape else output.squeeze(-1)
    last = [last] if isinstance(last, Tensor) else list(last)
    results = [output, *(state.squeeze(0) for state in last)]
    for p in graph.parameters:
        leaves[f"parameter {p.name}"] = getattr(layer, f"{p.name}_l0")
    pairs = [
        (result, cotangent.to(like))
        for result, cotangent in zip(results, point.cotangents, strict=True)
        if result.requires_grad
    ]
    found = torch.autograd.grad(
        [result for result, _ in pairs],
        list(leaves.values()),
        [cotangent for _, cotangent in pairs],
        allow_unused=True,
        materialize_grads=True,
    )
    return {key: g.double() for key, g in zip(leaves, found, strict=True)}


def _off_the_defaults(layer: Recurrent, generator: torch.Generator) -> None:
    """Move parameters off round values like 0 and 1, at which a fault may hide."""
    with torch.no_grad():
        for parameter in layer.parameters():
            noise = torch.randn(
                parameter.shape, generator=generator, dtype=torch.float64
            )
            noise = 0.1 * noise.to(parameter)
            parameter.add_(torch.where(parameter == 0, noise, noise * parameter))


def _point(
    layer: Recurrent,
    sizes: Mapping[str, int],
    length: tuple[int, int],
    hx: Sequence[Tensor] | None,
    generator: torch.Generator,
) -> Point:
    graph = layer.graph
    steps, batch = length

    def random(*shape: int) -> Tensor:
        return torch.randn(*shape, dtype=torch.float64, generator=generator)

    def inputs(number: int) -> dict[str, Tensor]:
        return {
            f"input {i.name}": random(
                number, batch, *(size.evaluate(sizes) for size in i.shape)
            )
            for i in graph.inputs
        }

    parameters = {
        f"parameter {p.name}": getattr(layer, f"{p.name}_l0").detach().double()
        for p in graph.parameters
    }
    constants = {
        c.name: getattr(layer, f"{c.name}_l0").double() for c in graph.constants
    }
    warm = Point(graph, sizes, {**inputs(WARM_UP), **parameters}, constants, ())
    reached = list(hx) if hx else warm.results(warm.values, None)[1:]
    states = {
        f"state {s.name}": value.double()
        for s, value in zip(graph.states, reached, strict=True)
    }
    values = {**inputs(steps), **states, **parameters}
    point = Point(graph, sizes, values, constants, ())
    shapes = [result.shape for result in point.results(values, None)]
    cotangents = tuple(random(*shape) for shape in shapes)
    return Point(graph, sizes, values, constants, cotangents)


Compared = tuple[Slopes, Tensor, list[str]]


def _each_entry(
    point: Point,
    differences: Differences,
    gradients: Mapping[str, Tensor],
    bound: float,
) -> dict[str, Compared]:
    found: dict[str, Compared] = {}
    for key, value in point.values.items():
        rows = single_entries(value)
        name = key.partition(" ")[2]
        name = f"first {name}" if key.startswith("state ") else name
        if not len(rows):
            continue
        slopes = differences.slopes({key: rows}, bound)
        length = rows.reshape(len(rows), -1).sum(1)
        places = [_place(name, value, i) for i in range(value.numel())]
        found[name] = slopes, gradients[key].flatten() * length, places
    return found


def _directions(
    point: Point,
    differences: Differences,
    gradients: Mapping[str, Tensor],
    bound: float,
    generator: torch.Generator,
) -> dict[str, Compared]:
    keys = list(point.values)
    rows = random_directions(point.values, keys, DIRECTIONS, generator)
    slopes = differences.slopes(rows, bound)
    along = [(rows[k] * gradients[k]).reshape(DIRECTIONS, -1).sum(1) for k in keys]
    places = [f"direction {i}" for i in range(DIRECTIONS)]
    name = f"{DIRECTIONS} random directions"
    return {name: (slopes, torch.stack(along).sum(0), places)}


def _place(name: str, value: Tensor, position: int) -> str:
    if not value.dim():
        return name
    index = torch.unravel_index(torch.tensor(position), value.shape)
    return f"{name}[{', '.join(str(int(i)) for i in index)}]"


def _row(
    quantity: str, slopes: Slopes, gradient: Tensor, places: list[str]
) -> GradientRow:
    decided = ~slopes.slope.isnan()
    apart = (gradient - slopes.slope).abs()
    # A gradient that is no number is wrong wherever a slope exists, kink or not.
    apart = torch.where(gradient.isfinite(), apart, torch.inf)
    scale = slopes.slope[decided].abs().max().clamp(min=1.0) if decided.any() else 1.0
    apart = (apart / scale).nan_to_num(nan=-1.0, posinf=torch.inf)
    worst = int(apart.argmax())
    at_kinks = int((~decided & slopes.crossed).sum())
    return GradientRow(
        quantity,
        compared=int(decided.sum()),
        at_kinks=at_kinks,
        noisy=int((~decided).sum()) - at_kinks,
        error=max(0.0, float(apart[worst])),
        entry=places[worst],
        gradient=float(gradient[worst]),
        difference=float(slopes.slope[worst]),
        flat=bool(decided.any())
        and not bool(gradient.any() or slopes.slope[decided].any()),
    )
