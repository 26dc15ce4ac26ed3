"""`Recurrent`: any cell as a layer over time, with the arguments of torch.nn.LSTM."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from typing import Any, NoReturn

import torch
from torch import Tensor, nn

from cellwright.backends.reference.initial import initial_values
from cellwright.backends.reference.interpret import Arguments
from cellwright.cells import find
from cellwright.compiler import choose
from cellwright.ir.graph import Graph, reachable
from cellwright.ir.ops import OPS
from cellwright.ir.sizes import Shape
from cellwright.language.cell import Cell

from .constants import ExactConstants
from .eager import eager, refuse_script
from .errors import OptionError
from .forget_bias import forget_biases
from .options import (
    Option,
    check_constants,
    flag,
    forget_bias_value,
    refuse_reserved,
    resolve_sizes,
    share,
    sort_options,
    whole_number,
)
from .report import BackendReport, Row
from .shapes import Layout, read_input, read_layout, read_states
from .stack import run_stack


class Recurrent(ExactConstants):
    """A recurrent cell, applied step by step over a sequence, in one or more layers.

    Args:
        cell: a name of the library (``"lstm"``), the path of a ``.cell`` file, the text
            of one, or a Cell.
        input_size: number of features of the input.
        hidden_size: number of units.
        num_layers: layers on top of one another, each seeing the sequence below.
        bias: False makes every ``bias`` of the cell 0.
        batch_first: whether input and output are ``[B, T, ...]`` instead of
            ``[T, B, ...]``; states are not affected.
        dropout: share of every layer's output, but the last one's, that is dropped in
            training.
        bidirectional: whether a second set of weights reads the sequence backwards; the
            outputs of both stand side by side.
        backend: ``"auto"`` or the name of one; `backend_report` says which one runs.
        forget_bias: first value of the biases of every gate that the cell's file
            describes as a forget gate.
        device: where the parameters are.
        dtype: of the parameters.
        **sizes_and_constants: the cell's own sizes, counts and constants, by name.

    Shape:
        - input: ``[T, B, I]``, ``[B, T, I]`` with batch_first, ``[T, I]`` unbatched.
        - output: the same axes with the cell's output size, times two if bidirectional.
        - state: ``[L*D, B, H]`` each (L layers, D directions; ``[L*D, H]`` unbatched),
          one tensor, or a tuple in the cell's order if it has more states.

    Attributes:
        cell: the cell.
        output_size: number of features that one direction puts out.

    Raises:
        OptionError: for an argument that the cell does not have or lacks.
        ShapeError, DtypeError: in a call with tensors that do not fit.
        CellError: with every fault of a cell file.

    Example:
        >>> import torch, cellwright as cw
        >>> layer = cw.nn.Recurrent("peephole_lstm", input_size=3, hidden_size=8)
        >>> output, (h, c) = layer(torch.randn(20, 16, 3))
        >>> tuple(output.shape), tuple(c.shape)
        ((20, 16, 8), (1, 16, 8))
    """

    def __init__(
        self,
        cell: str | os.PathLike[str] | Cell,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        backend: str = "auto",
        *,
        forget_bias: float | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        **sizes_and_constants: Option,
    ):
        super().__init__()
        self.cell = find(cell)
        refuse_reserved(self.cell, Recurrent.__init__, Recurrent.forward)
        self._options = sort_options(self.cell, sizes_and_constants)
        name = type(self).__name__
        self.input_size = whole_number(name, "input_size", input_size)
        self.hidden_size = whole_number(name, "hidden_size", hidden_size)
        self.num_layers = whole_number(name, "num_layers", num_layers)
        self.bias = flag(name, "bias", bias)
        self.batch_first = flag(name, "batch_first", batch_first)
        self.dropout = _share(dropout, self.num_layers)
        self.bidirectional = flag(name, "bidirectional", bidirectional)
        self.backend = choose(backend).backend
        self._asked = backend
        self.forget_bias = forget_bias_value(name, forget_bias)
        self._sizes = self._sizes_of_layers()
        check_constants(self.cell, self.graph, self._sizes, self._options)
        shape = _numbers(self.graph.output_shape, self._sizes[0])
        self.output_size = shape[0] if shape else 1
        factory = {"device": device, "dtype": dtype or torch.get_default_dtype()}
        self._register(factory)
        self.reset_parameters()

    @property
    def graph(self) -> Graph:
        """The cell's graph with this layer's counts and biases."""
        return self.cell.specialise(self.bias, self._options.counts)

    def reset_parameters(self) -> None:
        """Draw every parameter and constant anew, as the cell's file declares them."""
        graph = self.graph
        with torch.no_grad():
            for suffix, sizes in self._places():
                values = initial_values(graph, sizes, self._options.constants)
                for name, value in values[0].items():
                    getattr(self, name + suffix).copy_(value)
                for name, value in values[1].items():
                    self._set_constant(name + suffix, value)
                self._set_forget_bias(suffix, sizes)

    @eager
    def forward(
        self,
        input: Tensor,  # torch.nn's name
        hx: Tensor | Sequence[Tensor] | None = None,
        **inputs: Tensor,
    ) -> tuple[Tensor, Any]:
        """Run the layer over a sequence.

        Args:
            input: the cell's first input.
            hx: first values of the states; what the cell declares when it is None.
            **inputs: the cell's further inputs by name, at every step.

        Returns:
            The output of the last layer at every step, and the last state.
        """
        graph, like = self.graph, self._like()
        me = f"{type(self).__name__}({self.extra_repr()})"
        x, layout = read_layout(me, input, self.input_size, self.batch_first, like)
        further = self._further_inputs(inputs, x, layout)
        given: list[Tensor] | None = None
        if hx is not None:
            names = [state.name for state in graph.states]
            shapes = [_numbers(state.shape, self._sizes[0]) for state in graph.states]
            given = read_states(hx, names, shapes, len(self._places()), x, layout)
        dropout = self.dropout if self.training else 0.0
        rows = self._arguments()
        output, last = run_stack(graph, rows, x, given, dropout, further)
        if not layout.batched:
            last = [state.squeeze(1) for state in last]
        state = last[0] if len(last) == 1 else tuple(last)
        return layout.as_given(output), state

    def backend_report(self) -> BackendReport:
        """Return which backend runs this layer, and why."""
        choice = choose(self._asked)
        return BackendReport((Row(self.cell.name, choice.backend, choice.reason),))

    def extra_repr(self) -> str:
        """Return the arguments that differ from their defaults."""
        parts = [f"{self.cell.name!r}", f"input_size={self.input_size}"]
        parts.append(f"hidden_size={self.hidden_size}")
        if self.num_layers != 1:
            parts.append(f"num_layers={self.num_layers}")
        for name, default in _DEFAULTS.items():
            if getattr(self, name) != default:
                parts.append(f"{name}={getattr(self, name)}")
        options = {**self._options.counts, **self._options.sizes}
        parts += [f"{name}={value}" for name, value in options.items()]
        return ", ".join(parts)

    def __prepare_scriptable__(self) -> NoReturn:
        fix = "torch.export.export records it, for one number of steps"
        refuse_script(f"{type(self).__name__}({self.extra_repr()})", fix)

    def _arguments(self) -> list[list[Arguments]]:
        """Return for every layer the tensors and sizes of each of its directions."""
        graph = self.graph
        rows = [
            Arguments(
                sizes,
                {p.name: getattr(self, p.name + suffix) for p in graph.parameters},
                {c.name: getattr(self, c.name + suffix) for c in graph.constants},
            )
            for suffix, sizes in self._places()
        ]
        directions = 1 + self.bidirectional
        return [rows[i : i + directions] for i in range(0, len(rows), directions)]

    def _further_inputs(
        self, inputs: dict[str, Tensor], x: Tensor, layout: Layout
    ) -> list[Tensor]:
        declared = self.graph.inputs[1:]
        unknown = inputs.keys() - {i.name for i in declared}
        if unknown:
            has = ", ".join(i.name for i in declared) or "none but the first"
            raise OptionError(
                f"{layout.layer}: no input {', '.join(sorted(unknown))}; it has {has}"
            )
        return [
            read_input(
                i.name, inputs.get(i.name), _numbers(i.shape, self._sizes[0]), x, layout
            )
            for i in declared
        ]

    def _sizes_of_layers(self) -> list[dict[str, int]]:
        graph, sizes = self.graph, [self._resolved(self.input_size)]
        shape = _numbers(graph.output_shape, sizes[0])
        below = (shape[0] if shape else 1) * (1 + self.bidirectional)
        sizes += [self._resolved(below) for _ in range(1, self.num_layers)]
        for layer, each in enumerate(sizes):
            self._check_first_input(layer, each)
        for state in graph.states:
            shapes = {_numbers(state.shape, each) for each in sizes}
            if len(shapes) > 1:
                listed = " and ".join(str(list(s)) for s in sorted(shapes))
                raise OptionError(
                    f"{self.cell.name}: the state {state.name} is {listed} in "
                    "different layers; give each layer its own Recurrent"
                )
        return sizes

    def _check_first_input(self, layer: int, sizes: dict[str, int]) -> None:
        """Raise OptionError unless a layer's input is as wide as the cell declares."""
        first = self.graph.inputs[0]
        shape = _numbers(first.shape, sizes)
        expected = shape[0] if shape else 1
        if sizes["input_size"] == expected:
            return
        declared = f"[{first.shape[0]}]" if shape else "a scalar"
        below = f"the layer below puts out {sizes['input_size']}"
        got = f"got input_size={self.input_size}" if layer == 0 else below
        raise OptionError(
            f"{self.cell.name}: the input {first.name} is {declared}, so layer {layer} "
            f"takes {expected} features; {got}"
        )

    def _resolved(self, input_size: int) -> dict[str, int]:
        given = self._options.sizes
        return resolve_sizes(self.cell, self.graph, input_size, self.hidden_size, given)

    def _places(self) -> list[tuple[str, dict[str, int]]]:
        """Return the suffix and the sizes of every layer and direction."""
        directions = ("", "_reverse") if self.bidirectional else ("",)
        return [
            (f"_l{layer}{direction}", self._sizes[layer])
            for layer in range(self.num_layers)
            for direction in directions
        ]

    def _register(self, factory: dict[str, Any]) -> None:
        for suffix, sizes in self._places():
            for p in self.graph.parameters:
                empty = torch.empty(_numbers(p.shape, sizes), **factory)
                self.register_parameter(p.name + suffix, nn.Parameter(empty))
            for c in self.graph.constants:
                empty = torch.empty(_numbers(c.shape, sizes), **factory)
                # A number is an argument of the layer, not its state, unless drawn.
                kept = bool(c.shape) or _is_drawn(self.graph, c.init)
                self.register_buffer(c.name + suffix, empty, persistent=kept)
        if not self.graph.parameters and not self.graph.constants:
            # Such a layer has a dtype and a device too, and follows `to`.
            like = torch.empty(0, **factory)
            self.register_buffer("_empty", like, persistent=False)

    def _set_forget_bias(self, suffix: str, sizes: dict[str, int]) -> None:
        if self.forget_bias is None:
            return
        found = forget_biases(self.graph)
        if not found:
            raise OptionError(
                f"forget_bias={self.forget_bias}: {self.cell.name} names no forget "
                "gate with a bias (an equation described as '# forget gate')"
            )
        for bias in found:
            bias.fill(getattr(self, bias.parameter + suffix), sizes, self.forget_bias)

    def _like(self) -> Tensor:
        """Return a tensor of the layer's dtype and device."""
        return next(iter([*self.parameters(), *self.buffers()]))


_DEFAULTS = {
    "bias": True,
    "batch_first": False,
    "dropout": 0.0,
    "bidirectional": False,
    "forget_bias": None,
}


def _is_drawn(graph: Graph, init: int) -> bool:
    below = reachable(graph.nodes, {init})
    return any(OPS[graph.nodes[node].op].kind == "draw" for node in below)


def _share(dropout: float, num_layers: int) -> float:
    dropout = share("dropout", dropout)
    if dropout > 0 and num_layers == 1:
        warnings.warn(
            "dropout acts between layers, so with num_layers=1 it does nothing",
            stacklevel=3,
        )
    return dropout


def _numbers(shape: Shape, sizes: dict[str, int]) -> tuple[int, ...]:
    return tuple(size.evaluate(sizes) for size in shape)
