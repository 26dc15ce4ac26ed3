"""`Stack`: layers of any cells and sizes on top of one another, wired as people ask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from .dropin import DropIn
from .errors import DtypeError, OptionError, ShapeError
from .extras import States, asked_for, traceable
from .memory import memory_mode
from .options import flag
from .recurrent import Recurrent
from .regularise import read_share
from .report import BackendReport
from .stack_parts import (
    CellName,
    cells_and_sizes,
    check_batch_first,
    check_names,
    check_widths,
    projection,
    read_given,
    read_layers,
    rows_of,
)
from .stateful import Layer, graph_of, in_words, output_width
from .steps import Lengths
from .wiring import (
    WIRINGS,
    WiringName,
    at_steps_only,
    on_features,
    read_wiring,
    side_by_side,
)

S = TypeVar("S", bound="Stack")


class Stack(nn.Module):
    """Recurrent layers on top of one another, of any cells and sizes.

    Its call is a layer's: ``output, state = stack(x, state)``. For one cell of one size
    in a plain stack, ``num_layers=`` of the layer itself is enough.

    Args:
        layers: from the lowest: `Recurrent`, the drop-ins or torch.nn's LSTM, GRU and
            RNN, each with options of its own.
        wiring: what a layer reads, and what the stack puts out:

            - ``"plain"``: the layer below; the highest layer's output.
            - ``"skip"``: the stack's input and the layer below, side by side; the
              highest layer's output.
            - ``"residual"``: the layer below; what a layer reads is added to what it
              puts out.
            - ``"dnc"``: as ``"skip"``, and the stack puts out what all its layers do,
              side by side (the controller of Graves et al., 2016,
              doi:10.1038/nature20101, Methods).
        dropout: share of what a layer reads of the one below that is dropped in
            training; never of the stack's input, of what is added, or of the output.
        project: with ``"residual"``, whether a learned matrix brings what a layer reads
            to the width of its output where these differ; else that is an error.

    Shape:
        - input: ``[T, B, I]``, ``[B, T, I]`` if its layers have batch_first, ``[T, I]``
          unbatched, or a PackedSequence.
        - output: the same axes with ``output_size`` features.
        - state: a tuple with an entry a layer, each as this layer has it.

    Attributes:
        layers: the layers; their weights are ``layers.0.W_i_l0`` and so on.
        input_size: number of features of the input.
        output_size: number of features that the stack puts out.

    Raises:
        OptionError: for layers that do not fit on one another, with both sizes.
        ShapeError, DtypeError: in a call with tensors that do not fit.

    Example:
        >>> import torch, cellwright as cw
        >>> gru = cw.nn.Recurrent("gru", input_size=3, hidden_size=8)
        >>> lstm = cw.nn.LSTM(input_size=3 + 8, hidden_size=5)
        >>> stack = cw.nn.Stack([gru, lstm], wiring="skip")
        >>> output, (h_gru, (h, c)) = stack(torch.randn(20, 16, 3))
        >>> tuple(output.shape), tuple(h_gru.shape), tuple(c.shape)
        ((20, 16, 5), (1, 16, 8), (1, 16, 5))
    """

    def __init__(
        self,
        layers: Sequence[Layer],
        wiring: WiringName = "plain",
        dropout: float = 0.0,
        project: bool = False,
    ):
        super().__init__()
        wired = read_wiring("Stack", wiring)
        self.wiring = wiring
        checked = read_layers(layers)
        self.dropout = read_share("Stack", "dropout", dropout)
        if flag("Stack", "project", project) and not wired.adds_input:
            raise OptionError(f"{self._words}: project= belongs to wiring='residual'")
        check_widths(self._words, wired, checked, project)
        check_batch_first(self._words, checked)
        self.layers = nn.ModuleList(checked)
        self.project = project
        self.input_size = checked[0].input_size
        widths = [output_width(layer) for layer in checked]
        self.output_size = wired.puts_out(widths)
        if project:
            self.projections = nn.ModuleList(map(projection, checked))
        # Plain tuples of names, which torch.compile can read where a graph is none.
        graphs = [graph_of(layer) for layer in checked]
        self._traceable = tuple(tuple(traceable(graph)) for graph in graphs)
        self._further = tuple(tuple(i.name for i in g.inputs[1:]) for g in graphs)

    @classmethod
    def of_cells(  # noqa: PYI019, typing.Self is newer than Python 3.10
        cls: type[S],
        cells: CellName | Sequence[CellName],
        input_size: int,
        hidden_size: int | Sequence[int],
        wiring: WiringName = "plain",
        dropout: float = 0.0,
        project: bool = False,
        **options: Any,
    ) -> S:
        """Return a stack of `Recurrent` layers; the wiring says how wide each reads.

        Args:
            cells: one for each layer, from the lowest; or one for all.
            input_size: number of features of the stack's input.
            hidden_size: number of units, of each layer or of all.
            wiring: as in the constructor, like dropout and project.
            dropout: share of what a layer reads of the one below.
            project: whether ``"residual"`` may change widths.
            **options: further arguments of every `Recurrent`.

        Raises:
            OptionError: for another number of cells than of sizes, and as `Recurrent`.

        Example:
            >>> import cellwright as cw
            >>> stack = cw.nn.Stack.of_cells(["gru", "lstm"], 3, [8, 5], wiring="dnc")
            >>> [layer.input_size for layer in stack.layers], stack.output_size
            ([3, 11], 13)
        """
        wired = read_wiring("Stack", wiring)
        layers: list[Recurrent] = []
        below = input_size
        for index, (cell, size) in enumerate(cells_and_sizes(cells, hidden_size)):
            width = wired.reads(index, input_size, below)
            try:
                layers.append(Recurrent(cell, width, size, **options))
            except OptionError as fault:
                place = f"Stack(wiring={wiring!r}), layer {index}, which reads {width}"
                raise OptionError(f"{place}: {fault}") from fault
            below = output_width(layers[-1])
        return cls(layers, wiring, dropout, project)

    @property
    def batch_first(self) -> bool:
        """Whether input and output are ``[B, T, ...]``, as the layers have it."""
        return bool(self.layers[0].batch_first)

    @property
    def bidirectional(self) -> bool:
        """Whether a layer reads the sequence backwards too."""
        return any(layer.bidirectional for layer in self.layers)

    @property
    def memory(self) -> str:
        """What the layers keep for a backward pass; setting it sets all that are ours.

        ``"store"``, ``"recompute"``, or ``"mixed"`` where they differ.
        """
        modes = {getattr(layer, "memory", "store") for layer in self.layers}
        return modes.pop() if len(modes) == 1 else "mixed"

    @memory.setter
    def memory(self, mode: str) -> None:
        chosen = memory_mode("Stack", mode)
        if chosen != "store":
            for index, layer in enumerate(self.layers):
                self._require_ours(index, layer, "memory=")
        for layer in self.layers:
            if isinstance(layer, Recurrent | DropIn):
                layer.memory = chosen

    def forward(
        self,
        input: Tensor | PackedSequence,  # torch.nn's name
        hx: Sequence[Any] | None = None,
        *,
        lengths: Lengths | None = None,
        mask: Tensor | None = None,
        reset: Tensor | None = None,
        trace: Sequence[str] = (),
        return_states: States = "last",
        **inputs: Tensor,
    ) -> tuple[Any, ...]:
        """Run the stack over a sequence.

        Args:
            input: a sequence.
            hx: an entry a layer, each the first values of its states or None; first
                values everywhere when it is None.
            lengths: how many steps each row has; the rest is padding.
            mask: True where a step happens; where it does not, states stay and the
                output is 0.
            reset: True where a new sequence begins.
            trace: names of values to return at every step, of all layers that have
                them.
            return_states: ``"last"``, or ``"all"`` for those after every step.
            **inputs: further inputs by name, for all layers whose cells have them.

        Returns:
            The output at every step, and the state of each layer. With ``trace`` a
            mapping of names such as ``layers.0.i_l0`` to values at every step is third.

        Shape:
            - lengths, mask, reset, states and traces: as for the layers.
        """
        asked = {
            "lengths": lengths,
            "mask": mask,
            "reset": reset,
            "trace": trace,
            "return_states": return_states,
        }
        given = read_given(self._words, hx, len(self.layers))
        check_names(self._words, trace, self._traceable, inputs, self._further)
        wired = WIRINGS[self.wiring]
        x = input
        outputs: list[Any] = []
        states: list[Any] = []
        traces: dict[str, Tensor] = {}
        for index, layer in enumerate(self.layers):
            read = x
            if index:
                if self.dropout and self.training:
                    read = on_features(lambda v: F.dropout(v, self.dropout), read)
                if wired.sees_input:
                    read = side_by_side([input, read])
            output, state, *values = self._call(
                index, layer, read, given[index], asked, inputs
            )
            if wired.adds_input:
                added = (
                    x if index else at_steps_only(x, self.batch_first, lengths, mask)
                )
                if self.project:
                    added = on_features(self.projections[index], added)
                output = on_features(torch.add, output, added)
            x = output
            outputs.append(output)
            states.append(state)
            for each in values:
                traces |= {f"layers.{index}.{name}": v for name, v in each.items()}
        whole = side_by_side(outputs) if wired.puts_out_all else x
        return (whole, tuple(states), traces) if len(trace) else (whole, tuple(states))

    def _call(
        self,
        index: int,
        layer: nn.Module,
        x: Tensor | PackedSequence,
        state: Any,
        asked: Mapping[str, Any],
        inputs: Mapping[str, Tensor],
    ) -> tuple[Any, ...]:
        """Call one layer, with what is meant for it."""
        more = {name: asked[name] for name in asked_for(asked)}
        if "trace" in more:
            more["trace"] = [n for n in asked["trace"] if n in self._traceable[index]]
        if more:
            self._require_ours(index, layer, ", ".join(more))
        more |= {n: value for n, value in inputs.items() if n in self._further[index]}
        if torch.compiler.is_dynamo_compiling():
            return layer(x, state, **more)
        try:
            return layer(x, state, **more)
        except (DtypeError, OptionError, ShapeError) as fault:
            raise type(fault)(f"{self._words}.layers.{index}: {fault}") from fault

    def _require_ours(self, index: int, layer: nn.Module, asked: str) -> None:
        """Raise OptionError for one of torch.nn's layers, which has not what is asked.

        Args:
            index: of the layer.
            layer: one of the stack's.
            asked: what it would need to have.
        """
        if not isinstance(layer, Recurrent | DropIn):
            raise OptionError(
                f"{self._words}: {in_words(f'layers.{index}', layer)} is torch.nn's, "
                f"which has no {asked}: cellwright.convert(stack) makes it one of ours"
            )

    def backend_report(self) -> BackendReport:
        """Return which backend runs each layer, and why."""
        rows = [
            row
            for index, layer in enumerate(self.layers)
            for row in rows_of(f"layers.{index}", layer)
        ]
        return BackendReport(tuple(rows))

    def extra_repr(self) -> str:
        """Return the wiring, and the arguments that differ from their defaults."""
        parts = [f"wiring={self.wiring!r}"]
        if self.dropout:
            parts.append(f"dropout={self.dropout}")
        if self.project:
            parts.append("project=True")
        return ", ".join(parts)

    @property
    def _words(self) -> str:
        """The stack in words, for messages."""
        return f"Stack(wiring={self.wiring!r})"
