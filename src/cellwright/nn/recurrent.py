"""`Recurrent`: any cell as a layer over time, with the arguments of torch.nn.LSTM."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NoReturn

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from cellwright.backends.reference.initial import initial_values
from cellwright.cells import find
from cellwright.compiler.choose import Choice, choose
from cellwright.ir.graph import Graph
from cellwright.language.cell import Cell

from .bare import bare_call
from .call import Form, run_layer, suffixes
from .constants import ExactConstants, is_drawn
from .eager import eager, refuse_script
from .engine import has_kernels, warn_of_reference
from .extras import Request, States, asked_for
from .gate_values import chrono_value, forget_bias_value, gate_values
from .initialise import Init, init_values, initialised
from .layer_sizes import numbers, sizes_of_layers
from .memory import HasMemory, Memory, memory_mode
from .options import (
    Option,
    check_constants,
    flag,
    refuse_reserved,
    sort_options,
    whole_number,
)
from .regularise import (
    REGULARISERS,
    Draws,
    Zoneout,
    dropout_share,
    infinite_states,
    set_regularisers,
)
from .report import BackendReport, Row
from .steps import Lengths
from .traced import form_text, run_in_graph


class Recurrent(HasMemory, ExactConstants):
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
        backend: ``"auto"``, ``"c"`` or ``"reference"``; see `backend_report`.
        memory: ``"store"`` keeps what the backward pass reads at every step;
            ``"recompute"`` keeps some states only, and computes the rest anew: less
            memory, the same numbers, more time.
        init: first values of weights and biases in place of the file's, by name or
            pattern: ``{"U_*": "orthogonal", "b_*": 0}``.
        forget_bias: first value of the biases of every gate that the cell's file
            describes as a forget gate.
        chrono: the longest dependency in steps, which the biases of forget gates and
            input gates are drawn for (arXiv:1804.11188).
        zoneout: share of the units that keep their value from step to step in training,
            of every state, or of each by name: ``{"h": 0.05, "c": 0.5}``.
        variational_dropout: share of x, and of every vector that enters a product and
            hangs on a state, that is dropped in training, the same at every step of a
            sequence.
        weight_dropout: share of the entries of the recurrent matrices that is dropped
            in training, drawn once a call.
        device: where the parameters are.
        dtype: of the parameters.
        **sizes_and_constants: the cell's own sizes, counts and constants, by name.

    Shape:
        - input: ``[T, B, I]``, ``[B, T, I]`` with batch_first, ``[T, I]`` unbatched, or
          a PackedSequence.
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

    # On the class as well, for layers of an older pickle.
    init: Mapping[str, str] | None = None
    chrono: float | None = None
    zoneout: Zoneout = 0.0
    variational_dropout: float = 0.0
    weight_dropout: float = 0.0
    held: Draws | None = None

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
        memory: Memory = "store",
        init: Init | None = None,
        forget_bias: float | None = None,
        chrono: float | None = None,
        zoneout: Zoneout = 0.0,
        variational_dropout: float = 0.0,
        weight_dropout: float = 0.0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        **sizes_and_constants: Option,
    ):
        super().__init__()
        self.cell = find(cell)
        refuse_reserved(self.cell, Recurrent.__init__, Recurrent.forward)
        self._options = sort_options(self.cell, sizes_and_constants, Recurrent)
        name = type(self).__name__
        self.input_size = whole_number(name, "input_size", input_size)
        self.hidden_size = whole_number(name, "hidden_size", hidden_size)
        self.num_layers = whole_number(name, "num_layers", num_layers)
        self.bias = flag(name, "bias", bias)
        self.batch_first = flag(name, "batch_first", batch_first)
        self.dropout = dropout_share(name, dropout, self.num_layers)
        self.bidirectional = flag(name, "bidirectional", bidirectional)
        choose(backend, False, torch.device(device or "cpu"), dtype)
        self._asked = backend
        self._memory = memory_mode(name, memory)
        self.init = init_values(name, init)
        if self.init:
            self.cell = initialised(self.cell, self.graph, self.init)
        self.forget_bias = forget_bias_value(name, forget_bias)
        self.chrono = chrono_value(name, chrono, self.forget_bias)
        shares = (zoneout, variational_dropout, weight_dropout)
        set_regularisers(self, self._states, *shares, infinite_states(self.graph))
        self._sizes = sizes_of_layers(
            self.cell,
            self.graph,
            (self.input_size, self.hidden_size),
            self._options.sizes,
            self.num_layers,
            1 + self.bidirectional,
        )
        check_constants(self.cell, self.graph, self._sizes, self._options)
        shape = numbers(self.graph.output_shape, self._sizes[0])
        self.output_size = shape[0] if shape else 1
        factory = {"device": device, "dtype": dtype or torch.get_default_dtype()}
        self._register(factory)
        self._describe()
        self.reset_parameters()

    @property
    def graph(self) -> Graph:
        """The cell's graph with this layer's counts and biases."""
        return self.cell.specialise(self.bias, self._options.counts)

    @property
    def _states(self) -> list[str]:
        return [state.name for state in self.graph.states]

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
                gates = gate_values(graph, sizes, self.forget_bias, self.chrono)
                for bias, value in gates:
                    bias.fill(getattr(self, bias.parameter + suffix), sizes, value)

    def forward(
        self,
        input: Tensor | PackedSequence,  # torch.nn's name
        hx: Tensor | Sequence[Tensor] | None = None,
        *,
        lengths: Lengths | None = None,
        mask: Tensor | None = None,
        reset: Tensor | None = None,
        trace: Sequence[str] = (),
        return_states: States = "last",
        **inputs: Tensor,
    ) -> tuple[Any, ...]:
        """Run the layer over a sequence.

        Args:
            input: the cell's first input.
            hx: first values of the states; what the cell declares when it is None.
            lengths: how many steps each row has; the rest is padding.
            mask: True where a step happens; where it does not, states stay and the
                output is 0.
            reset: True where a new sequence begins, with its first step that happens:
                the states before that are what the cell declares again.
            trace: names of values of the cell to return at every step (``"i"``,
                ``"c'"``).
            return_states: ``"last"``, or ``"all"`` for those after every step.
            **inputs: the cell's further inputs by name, at every step.

        Returns:
            The output of the last layer at every step, in the form of the input, and
            the last state, or all states. With ``trace`` a mapping of names such as
            ``i_l0`` and ``f_l1_reverse`` to their values at every step comes third.

        Shape:
            - lengths: ``[B]``; one number unbatched.
            - mask, reset: ``[T, B]``, ``[B, T]`` with batch_first, ``[T]`` unbatched.
            - all states: ``[T, L*D, B, H]`` each, also with batch_first.
            - traces: ``[T, B, H]`` in the layout of the input, ``[T, B]`` of a scalar.
        """
        request = {
            "lengths": lengths,
            "mask": mask,
            "reset": reset,
            "trace": trace,
            "return_states": return_states,
        }
        if not torch.compiler.is_dynamo_compiling():
            found = None
            if not inputs and not asked_for(request):
                found = bare_call(self, input, hx)
            return self._run(input, hx, request, inputs) if found is None else found
        weights = self._weights()
        like = next(iter(weights.values()))
        known = has_kernels(self._asked, like.device.type, like.dtype)
        if known and self.held is None and not isinstance(input, PackedSequence):
            return run_in_graph(
                self._form_text, self, weights, input, hx, request, inputs
            )
        return self._run_apart(input, hx, request, inputs)

    def _run(
        self,
        input: Tensor | PackedSequence,
        hx: Tensor | Sequence[Tensor] | None,
        request: Mapping[str, Any],
        inputs: Mapping[str, Tensor],
    ) -> tuple[Any, ...]:
        form, weights, choice = self._form(), self._weights(), self._choice()
        if choice.backend == "reference" and self._asked != "reference":
            warn_of_reference(form.layer, choice.reason)
        return run_layer(
            form, self, choice.backend, weights, input, hx, Request(**request), inputs
        )

    _run_apart = eager(_run)

    def _step_form(self) -> tuple[Form, dict[str, Tensor]] | None:
        """Return what runs the layer's bare calls, None where no kernel does."""
        return (self._form(), self._weights()) if self.backend == "c" else None

    def _form(self) -> Form:
        settings = [getattr(self, name) for name in _DEFAULTS]
        if settings != self._form_settings:
            self._form_settings, self._form_words = settings, self._words()
        return _form_of(
            self._form_words, self.graph, self._form_sizes, self.bidirectional
        )

    def _words(self) -> str:
        """Return the layer in words, for messages."""
        return f"{type(self).__name__}({self.extra_repr()})"

    def _weights(self) -> dict[str, Tensor]:
        """Return parameters and constants as they are now, for one may be replaced."""
        return {name: getattr(self, name) for name in self._weight_names}

    @property
    def backend(self) -> str:
        """Which backend runs the layer, where it is and in its dtype."""
        return self._choice().backend

    def _choice(self) -> Choice:
        like = self._like()
        return choose(self._asked, False, like.device, like.dtype)

    def backend_report(self) -> BackendReport:
        """Return which backend runs this layer, why, and what its memory holds."""
        choice = self._choice()
        row = Row(self.cell.name, choice.backend, choice.reason, self.memory)
        return BackendReport((row,))

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
        for name, value in self._options.constants.items():
            said = f"tensor of {list(value.shape)}" if value.shape else value.item()
            parts.append(f"{name}={said}")
        return ", ".join(parts)

    def __prepare_scriptable__(self) -> NoReturn:
        fix = "torch.export.export records it"
        refuse_script(self._words(), fix)

    def _places(self) -> list[tuple[str, dict[str, int]]]:
        """Return the suffix and the sizes of every layer and direction."""
        return [
            (suffix, sizes)
            for layer, sizes in enumerate(self._sizes)
            for suffix in suffixes(layer, self.bidirectional)
        ]

    def _describe(self) -> None:
        """Set what torch.compile reads of the layer, in forms that it can compare."""
        graph = self.graph
        names = [x.name for x in (*graph.parameters, *graph.constants)]
        found = [name + suffix for suffix, _ in self._places() for name in names]
        self._weight_names = found or ["_empty"]
        self._form_settings: list[Any] = []
        self._form_words = ""
        self._form_sizes = tuple(tuple(sizes.items()) for sizes in self._sizes)
        self._form_text = form_text(self._form())

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._describe()

    def _register(self, factory: dict[str, Any]) -> None:
        for suffix, sizes in self._places():
            for p in self.graph.parameters:
                empty = torch.empty(numbers(p.shape, sizes), **factory)
                self.register_parameter(p.name + suffix, nn.Parameter(empty))
            for c in self.graph.constants:
                empty = torch.empty(numbers(c.shape, sizes), **factory)
                # A number is an argument of the layer, not its state, unless drawn.
                kept = bool(c.shape) or is_drawn(self.graph, c.init)
                self.register_buffer(c.name + suffix, empty, persistent=kept)
        if not self.graph.parameters and not self.graph.constants:
            # Such a layer has a dtype and a device too, and follows `to`.
            like = torch.empty(0, **factory)
            self.register_buffer("_empty", like, persistent=False)

    def _like(self) -> Tensor:
        """Return a tensor of the layer's dtype and device."""
        return getattr(self, self._weight_names[0])


@lru_cache(maxsize=256)
def _form_of(
    words: str,
    graph: Graph,
    sizes: tuple[tuple[tuple[str, int], ...], ...],
    bidirectional: bool,
) -> Form:
    return Form(words, graph, [dict(each) for each in sizes], bidirectional)


_DEFAULTS = {
    "bias": True,
    "batch_first": False,
    "dropout": 0.0,
    "bidirectional": False,
    "memory": "store",
    "init": None,
    "forget_bias": None,
    "chrono": None,
    **REGULARISERS,
}
