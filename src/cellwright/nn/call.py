"""One call of a layer by our backends: what `Recurrent` and the drop-ins do alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from cellwright.backends.reference.interpret import Arguments
from cellwright.ir.graph import Graph, Input
from cellwright.language.report import did_you_mean
from cellwright.passes.rewrite import recurrent_matrices

from .errors import OptionError
from .extras import Extras, Request, Settings, read_extras
from .layer_sizes import numbers
from .layers import Engine, LayersResult, run_layers
from .options import ALIKE
from .packed import run_packed
from .regularise import drop_weights
from .shapes import Layout, read_input, read_layout, read_states
from .torch_path import cast_as
from .torch_weights import RECURRENT, TORCH, Add, Sources


@dataclass(frozen=True)
class Form:
    """What a layer is for good.

    Args:
        layer: the layer in words, for messages.
        graph: the cell.
        sizes: every named size, for each layer.
        bidirectional: whether each layer has a second direction.
        packed: whether the weights are torch.nn's, not the cell's own.
    """

    layer: str
    graph: Graph
    sizes: Sequence[Mapping[str, int]]
    bidirectional: bool
    packed: bool = False

    def arguments(
        self, weights: Mapping[str, Tensor], add: Add = torch.add
    ) -> list[list[Arguments]]:
        """Return for every layer the tensors and sizes of each of its directions.

        Args:
            weights: parameters and constants, by name and suffix (``W_l0_reverse``).
            add: adds two of them, where they come packed.
        """
        if self.packed:
            return [
                [Arguments(sizes, each.packed(weights, add), {}) for each in row]
                for sizes, row in zip(self.sizes, self._sources, strict=True)
            ]
        return [
            [
                Arguments(
                    sizes,
                    {name: weights[full] for name, full in own},
                    {name: weights[full] for name, full in fixed},
                )
                for own, fixed in row
            ]
            for sizes, row in zip(self.sizes, self._names, strict=True)
        ]

    @cached_property
    def _suffixes(self) -> list[list[str]]:
        """What the names of weights end in, for each layer and direction."""
        return [suffixes(layer, self.bidirectional) for layer in range(len(self.sizes))]

    @cached_property
    def _names(self) -> list[list[list[list[tuple[str, str]]]]]:
        """Names of parameters and constants in the cell and in the layer, likewise."""
        declared = self.graph.parameters, self.graph.constants
        return [
            [
                [[(one.name, one.name + suffix) for one in each] for each in declared]
                for suffix in row
            ]
            for row in self._suffixes
        ]

    @cached_property
    def state_shapes(self) -> list[tuple[int, ...]]:
        """Shapes of the states, without layers and batch."""
        return [numbers(state.shape, self.sizes[0]) for state in self.graph.states]

    @cached_property
    def _sources(self) -> list[list[Sources]]:
        """What packed parameters are parts of, likewise."""
        names = [parameter.name for parameter in self.graph.parameters]
        packing = TORCH[self.graph.name]
        return [
            [Sources.of(packing, names, suffix) for suffix in row]
            for row in self._suffixes
        ]

    def recurrent(self) -> Sequence[str]:
        """Return the names, without suffix, of what weight dropout acts on."""
        return RECURRENT if self.packed else recurrent_matrices(self.graph)


def suffixes(layer: int, bidirectional: bool) -> list[str]:
    """Return what the names of a layer's weights end in, for each direction."""
    tails = ("", "_reverse") if bidirectional else ("",)
    return [f"_l{layer}{tail}" for tail in tails]


def run_layer(
    form: Form,
    settings: Settings,
    backend: str,
    weights: Mapping[str, Tensor],
    input: Tensor | PackedSequence,
    hx: Tensor | Sequence[Tensor] | None,
    request: Request,
    inputs: Mapping[str, Tensor],
) -> tuple[Any, ...]:
    """Return what the layer's call returns.

    Args:
        form: what the layer is.
        settings: how it is set just now.
        backend: ``"c"`` or ``"reference"``.
        weights: parameters and constants, by name and suffix; at least one tensor.
        input: as the caller gave it, like all that follows.
        hx: first values of the states.
        request: what is asked for beyond torch.nn.
        inputs: the cell's further inputs.

    Raises:
        ShapeError, DtypeError, OptionError: for what does not fit.
    """
    if isinstance(input, PackedSequence):
        return run_packed(
            form.layer,
            input,
            settings.batch_first,
            request.lengths,
            lambda x, lengths: run_layer(
                form,
                settings,
                backend,
                weights,
                x,
                hx,
                request._replace(lengths=lengths),
                inputs,
            ),
        )
    read = read_call(form, settings, weights, input, hx, request, inputs)
    return read.run(backend).returned(read.layout, read.extras)


class Read(NamedTuple):
    """One call of a layer with a tensor, checked, time first.

    Args:
        graph: the cell.
        rows: for every layer, the arguments of each of its directions.
        x: the input, ``[T, B, I]``.
        given: first states, ``[L*D, B, H]`` each; None for those the cell declares.
        dropout: share of a lower layer's output that is dropped.
        extras: what there is beyond the cell.
        further: the cell's other inputs.
        layout: how the input lay.
    """

    graph: Graph
    rows: Sequence[Sequence[Arguments]]
    x: Tensor
    given: Sequence[Tensor] | None
    dropout: float
    extras: Extras
    further: Sequence[Tensor]
    layout: Layout

    def run(self, backend: str | Engine) -> LayersResult:
        """Return what the layers give, see `run_layers`."""
        return run_layers(*self[:-1], backend)


def read_call(
    form: Form,
    settings: Settings,
    weights: Mapping[str, Tensor],
    input: Tensor,
    hx: Tensor | Sequence[Tensor] | None,
    request: Request,
    inputs: Mapping[str, Tensor],
) -> Read:
    """Check a call with a tensor and return it in one form.

    Args:
        form: as for `run_layer`, like all that follows.
        settings: how the layer is set just now.
        weights: by name and suffix.
        input: a tensor.
        hx: first values of the states.
        request: what is asked for beyond torch.nn.
        inputs: the cell's further inputs.

    Raises:
        ShapeError, DtypeError, OptionError: for what does not fit.
    """
    graph, sizes = form.graph, form.sizes[0]
    like = next(iter(weights.values()))
    x, hx, *rest = cast_as((input, hx, *inputs.values()), like)
    inputs = dict(zip(inputs, rest, strict=True))
    x, layout = read_layout(
        form.layer, x, sizes["input_size"], settings.batch_first, like
    )
    further = _further_inputs(graph.inputs[1:], sizes, inputs, x, layout)
    given = _first_states(form, hx, x, layout)
    extras = read_extras(request, graph, x, layout, settings)
    dropout = 0.0
    if settings.training:
        dropout = settings.dropout
        if settings.weight_dropout:
            share = settings.weight_dropout
            weights = drop_weights(weights, form.recurrent(), share, extras.draws)
    rows = form.arguments(weights)
    return Read(graph, rows, x, given, dropout, extras, further, layout)


def _first_states(
    form: Form, hx: Tensor | Sequence[Tensor] | None, x: Tensor, layout: Layout
) -> list[Tensor] | None:
    """Return first states, None for those that the cell declares."""
    if hx is None and not form.packed:
        return None
    states, shapes = form.graph.states, form.state_shapes
    count = len(form.sizes) * (1 + form.bidirectional)
    if hx is None:
        # All of torch.nn's begin at 0, which takes no interpreter.
        return [x.new_zeros((count, x.shape[1], *shape)) for shape in shapes]
    return read_states(hx, [s.name for s in states], shapes, count, x, layout)


def _further_inputs(
    declared: Sequence[Input],
    sizes: Mapping[str, int],
    given: Mapping[str, Tensor],
    x: Tensor,
    layout: Layout,
) -> list[Tensor]:
    if unknown := given.keys() - {i.name for i in declared}:
        names = [i.name for i in declared]
        has = ", ".join(names) or "none but the first"
        text = f"{layout.layer}: no input {', '.join(sorted(unknown))}; it has {has}."
        known = [*names, "hx", *Request._fields]
        close = did_you_mean(min(unknown), known, cutoff=ALIKE)
        raise OptionError(f"{text} {close}".rstrip())
    return [
        read_input(i.name, given.get(i.name), numbers(i.shape, sizes), x, layout)
        for i in declared
    ]
