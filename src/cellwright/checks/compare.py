"""Does a person's module compute this cell? Same weights, values and gradients."""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from cellwright.cells import find
from cellwright.default_dtype import float64_by_default
from cellwright.language.cell import Cell
from cellwright.nn.options import Option, resolve_sizes, sort_options
from cellwright.nn.recurrent import Recurrent

from .calls import CompareError
from .causes import likely_causes
from .comparison import Comparison, Row, row
from .fitting import check_shapes, find_sizes
from .matching import Names, Target, labels, match
from .trial import Trial, both, new_trial

T = TypeVar("T")


def compare(
    module: nn.Module,
    cell: str | os.PathLike[str] | Cell,
    *,
    names: Names | None = None,
    input_size: int | None = None,
    hidden_size: int | None = None,
    batch_first: bool | None = None,
    bias: bool | None = None,
    step: bool | None = None,
    steps: int = 12,
    seed: int = 0,
    **sizes_and_constants: Option,
) -> Comparison:
    """Tell whether a module computes a cell: values and gradients, with equal weights.

    The module runs as a copy in float64 and in evaluation, with random input, first
    states, cotangents and slightly moved weights.

    Weights belong together by name: ``W_i`` or ``W_i_l0``; ``W_i.weight`` of a Linear,
    whose bias is the one that the cell adds to this product; torch.nn's packed
    ``weight_ih``, ``bias_hh_l0`` and so on in its order of gates; else as `names` says.

    Args:
        module: a layer over time, ``forward(x, hx=None) -> output`` or ``(output,
            state)``, or a step, ``forward(x, state) -> state`` or ``(output, state)``.
        cell: a library name, a path, a text or a Cell.
        names: for other names, ``{"theirs": "W_i"}``; ``{"theirs": ["W_i", "W_f"]}``
            for a packed matrix, its rows in order; ``{"theirs": [["W_i", "U_i"],
            ["W_f", "U_f"]]}`` when it multiplies the input and the state side by side;
            None for one that the cell has not: it is 0 in the comparison.
        input_size: when neither the weights' shapes nor the module say it.
        hidden_size: likewise.
        batch_first: whether the module reads ``[B, T, I]``; by default its attribute.
        bias: whether the cell has its biases; the module's attribute by default.
        step: whether the module is one step; by default when its second argument has
            no default, as for torch.nn.LSTMCell.
        steps: length of the sequence; what begins later is not seen.
        seed: of the random numbers.
        **sizes_and_constants: the cell's own, as for `cellwright.nn.Recurrent`; one
            that is called like an argument above keeps its declared value.

    Raises:
        MatchError: listing every weight without a counterpart.
        CompareError: when sizes are missing or do not fit, weights have no values yet,
            `steps` is below 1, or the module cannot run.

    Example:
        >>> import torch, cellwright as cw
        >>> bool(cw.compare(torch.nn.GRUCell(3, 8), "gru"))
        True
        >>> cw.compare(torch.nn.RNN(3, 8), "elman_relu").equal
        False
    """
    found = find(cell)
    own = _copy(module)
    options = sort_options(found, sizes_and_constants, compare)
    biased = _attribute(own, "bias", True) if bias is None else bias
    graph = found.specialise(biased, options.counts)
    layers = _attribute(own, "num_layers", 1)
    two = _attribute(own, "bidirectional", False)
    ends = ("", "_reverse") if two else ("",)
    suffixes = tuple(f"_l{layer}{end}" for layer in range(layers) for end in ends)
    weights = dict(own.named_parameters())
    name = type(own).__name__
    matched = match(weights, Target(graph, suffixes), names or {}, name)
    said = {"input_size": input_size, "hidden_size": hidden_size, **options.sizes}
    given = {name: value for name, value in said.items() if value is not None}
    sizes = find_sizes(own, graph, matched, weights, given)
    arguments: dict[str, Any] = {**sizes_and_constants, **sizes}
    first = (
        _attribute(own, "batch_first", False) if batch_first is None else batch_first
    )
    with float64_by_default(), torch.random.fork_rng(devices=[]):
        twin = Recurrent(
            found,
            num_layers=layers,
            bias=biased,
            bidirectional=two,
            backend="reference",
            dtype=torch.float64,
            **arguments,
        )
        shapes = {name: p.shape for name, p in twin.named_parameters()}
        check_shapes(matched, weights, shapes, name, sizes)
        every = resolve_sizes(
            found, graph, sizes["input_size"], sizes["hidden_size"], sizes
        )
        trial = new_trial(
            own,
            twin,
            matched,
            every,
            batch_first=first,
            step=step,
            steps=steps,
            seed=seed,
        )
        return _answer(trial, _leave_out(weights, names or {}))


def _leave_out(weights: Mapping[str, nn.Parameter], names: Names) -> tuple[str, ...]:
    """Set what is left out to 0, after the trial has moved it; say so."""
    left = [name for name in weights if name in names and names[name] is None]
    with torch.no_grad():
        for name in left:
            weights[name].zero_()
    return (f"Left out, and so 0 in the module: {', '.join(left)}.",) if left else ()


def _answer(trial: Trial, said: tuple[str, ...]) -> Comparison:
    module, cell = type(trial.module).__name__, trial.cell.cell.name
    lengths = trial.x.shape[0], trial.x.shape[1]
    try:
        quantities = both(trial)
        notes = said + trial.module_call.notes
    except CompareError as error:
        causes = likely_causes(trial)
        if not causes:
            raise
        failed = Row("forward", float("inf"), note=str(error))
        return Comparison(module, cell, *lengths, (failed,), said + causes)
    gates = {name: labels(name, trial.matched) for name in trial.leaves}
    rows = tuple(
        row(name, theirs, ours, _axes(name, ours), gates.get(name.split()[-1], ()))
        for name, theirs, ours in quantities
    )
    if not all(each.equal for each in rows):
        notes += likely_causes(trial)
    return Comparison(module, cell, *lengths, rows, notes)


def _axes(quantity: str, value: Tensor) -> Sequence[str]:
    """Return the letters of a quantity's axes."""
    match quantity.removeprefix("gradient of ").removesuffix(", hx=None").split():
        case ["x"]:
            letters = ("T", "B", "I")
        case ["output"]:
            letters = ("T", "B", "H")
        case ["first" | "last", _]:
            letters = ("L", "B", "H")
        case _:
            letters = (
                ("row", "column") if value.dim() < 3 else ("block", "row", "column")
            )
    return letters[: value.dim()]


def _attribute(module: nn.Module, name: str, default: T) -> T:
    """Return a module's attribute if it is of the default's type, else the default."""
    value = getattr(module, name, default)
    return value if type(value) is type(default) else default


def _copy(module: nn.Module) -> nn.Module:
    if not isinstance(module, nn.Module):
        found = type(module).__name__
        raise CompareError(f"compare takes a torch.nn.Module, got {found}")
    tensors = [*module.named_parameters(), *module.named_buffers()]
    if lazy := [name for name, value in tensors if is_lazy(value)]:
        raise CompareError(
            f"{type(module).__name__}: every weight must have its shape before it is "
            f"compared; {', '.join(lazy)} of a lazy module wait for a first input: "
            f"run the module once on one"
        )
    own = copy.deepcopy(module).to("cpu", torch.float64).eval()
    return own.requires_grad_(True)
