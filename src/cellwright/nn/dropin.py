"""What the three drop-ins share: a torch.nn.RNNBase that can run by several backends.

The weights are torch's, under its names, and read anew at every call, because
weight_norm, prune and others replace them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, NoReturn, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from cellwright.cells import load
from cellwright.compiler import choose

from .eager import eager, refuse_script
from .engine import choose_engine, engine_name
from .errors import OptionError
from .extras import Request, States, asked_for, read_extras
from .forget_bias import forget_biases
from .options import forget_bias_value
from .packed import run_packed
from .regularise import (
    REGULARISERS,
    Zoneout,
    drop_weights,
    set_regularisers,
    zoneout_shares,
)
from .report import BackendReport, Row
from .shapes import Layout, read_layout, read_states
from .stack import run_stack
from .steps import Lengths
from .swap import become, twin
from .torch_path import cast_as, is_cast, run_torch, run_torch_packed
from .torch_weights import RECURRENT, TORCH, by_suffix, cell_name
from .traced import DropInForm, run_traced

Weights = Mapping[str, Tensor]
D = TypeVar("D", bound="DropIn")


class DropIn(nn.RNNBase):
    """A layer of torch.nn, with its arguments, names and numbers."""

    torch_class: ClassVar[type[nn.RNNBase]]
    state_names: ClassVar[tuple[str, ...]] = ("h",)
    torch_functions: ClassVar[Mapping[str, Callable[..., tuple[Tensor, ...]]]]

    # On the class as well, for layers that come from torch.nn or an older pickle.
    backend: str = "auto"
    forget_bias: float | None = None
    zoneout: Zoneout = 0.0
    variational_dropout: float = 0.0
    weight_dropout: float = 0.0

    def __init__(
        self,
        mode: str,
        backend: str,
        forget_bias: float | None,
        zoneout: Zoneout,
        variational_dropout: float,
        weight_dropout: float,
        **arguments: Any,
    ):
        choose(backend, torch_has_it=True)
        super().__init__(mode, **arguments)
        self.backend = backend
        self.forget_bias = forget_bias_value(type(self).__name__, forget_bias)
        shares = (zoneout, variational_dropout, weight_dropout)
        set_regularisers(self, self.state_names, *shares)
        choose_engine(backend, self._beyond(), self._like())
        self._set_forget_bias()

    @property
    def _flat_weights(self) -> list[Tensor | None]:
        return [getattr(self, name, None) for name in self._flat_weights_names]

    @_flat_weights.setter
    def _flat_weights(self, _: object) -> None:
        # torch.nn.RNNBase keeps a list under this name; ours is read from the layer.
        pass

    @classmethod
    def from_torch(  # noqa: PYI019, typing.Self is newer than Python 3.10
        cls: type[D], module: nn.Module, backend: str = "auto"
    ) -> D:
        """Return a layer that shares its Parameters with one of torch.nn's.

        Args:
            module: the torch.nn layer of the same name; it stays as it is.
            backend: as in the constructor.

        Raises:
            OptionError: when it is anything else; a subclass of torch.nn's may compute
                something else.
        """
        if type(module) is not cls.torch_class:
            found = f"{type(module).__module__}.{type(module).__name__}"
            raise OptionError(
                f"{cls.__name__}.from_torch takes a torch.nn.{cls.__name__} itself; "
                f"got {found}"
            )
        choose(backend, torch_has_it=True)
        return become(twin(module), cls, backend)

    def to_torch(self) -> nn.RNNBase:
        """Return the torch.nn layer that shares this one's Parameters.

        Raises:
            OptionError: with zoneout, variational or weight dropout, which torch.nn
                has not.
        """
        if on := self.regularisers():
            listed = ", ".join(f"{name}={value!r}" for name, value in on.items())
            raise OptionError(
                f"{self._words()}: torch.nn.{type(self).__name__} has no {listed}; "
                f"set {'it' if len(on) == 1 else 'them'} to 0 first"
            )
        return become(twin(self), self.torch_class)

    def reset_parameters(self) -> None:
        """Draw every weight anew, as torch.nn does and in its order."""
        super().reset_parameters()
        self._set_forget_bias()

    def regularisers(self) -> dict[str, Zoneout]:
        """Return zoneout, variational and weight dropout, those that are on."""
        given: dict[str, Zoneout] = {name: getattr(self, name) for name in REGULARISERS}
        if not zoneout_shares(self.zoneout, self.state_names):
            del given["zoneout"]
        return {name: value for name, value in given.items() if value}

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
    ) -> tuple[Any, ...]:
        """Run the layer over a sequence.

        Args:
            input: ``[T, B, I]``, ``[B, T, I]`` with batch_first, ``[T, I]`` unbatched,
                or a PackedSequence.
            hx: first states; 0 when it is None.
            lengths: how many steps each row has; the rest is padding.
            mask: True where a step happens; where it does not, states stay and the
                output is 0.
            reset: True where a new sequence begins, with its first step that happens:
                the states before that are 0 again.
            trace: names of values of the cell to return at every step (``"i"``,
                ``"c'"``).
            return_states: ``"last"``, or ``"all"`` for those after every step.

        Returns:
            The output of the last layer at every step, in the form of the input, and
            the last state, or all states. With ``trace`` a mapping of names such as
            ``i_l0`` and ``f_l1_reverse`` to their values at every step comes third.

        Shape:
            - lengths: ``[B]``; one number unbatched.
            - mask, reset: ``[T, B]``, ``[B, T]`` with batch_first, ``[T]`` unbatched.
            - all states: ``[T, L*D, B, H]`` each, also with batch_first.
            - traces: ``[T, B, H]`` in the layout of the input.
        """
        weights = {name: getattr(self, name) for name in self._flat_weights_names}
        if self.weight_dropout and self.training:
            recurrent = [name for name in weights if name.startswith(RECURRENT)]
            weights = drop_weights(weights, recurrent, self.weight_dropout)
        request = {
            "lengths": lengths,
            "mask": mask,
            "reset": reset,
            "trace": trace,
            "return_states": return_states,
        }
        beyond = asked_for(request) + self._beyond()
        like = self._like()
        engine = engine_name(
            self.backend, ", ".join(beyond), like.device.type, like.dtype
        )
        packed = isinstance(input, PackedSequence)
        if engine == "c" and torch.compiler.is_compiling() and not (beyond or packed):
            return self._forward_traced(input, hx, weights)
        if engine != "torch":
            return self._forward_ours(input, hx, weights, Request(**request), engine)
        if isinstance(input, PackedSequence):
            return self._forward_packed(input, hx, weights)
        x, layout = self._read(input, next(iter(weights.values())), self.batch_first)
        given = self._states(hx, x, layout)
        first = layout.batched and self.batch_first
        output, last = run_torch(self, weights, input if first else x, given, first)
        if not layout.batched:
            output, last = output.squeeze(1), [state.squeeze(1) for state in last]
        return output, tuple(last) if len(last) > 1 else last[0]

    def __prepare_scriptable__(self) -> NoReturn:
        fix = "put torch.nn's layers back first: cellwright.convert(model, to='torch')"
        refuse_script(self._words(), fix)

    def _forward_packed(
        self,
        packed: PackedSequence,
        hx: Tensor | Sequence[Tensor] | None,
        weights: Weights,
    ) -> tuple[PackedSequence, Any]:
        _, layout = self._read(packed.data, next(iter(weights.values())), False)
        # Only B, the dtype and the device of this are looked at.
        rows = packed.data.new_empty((1, int(packed.batch_sizes[0]), 0))
        given = self._states(hx, rows, Layout(layout.layer, True, False))
        output, last = run_torch_packed(self, weights, packed, given, hx is not None)
        return output, tuple(last) if len(last) > 1 else last[0]

    def backend_report(self) -> BackendReport:
        """Return which backend runs this layer, and why; one row for torch.nn's calls.

        A second one tells what runs calls that ask for more, if that is another.
        """
        name = type(self).__name__
        choice = choose_engine(self.backend, self._beyond(), self._like())
        rows = [Row(name, choice.backend, choice.reason)]
        if choice.backend == "torch" and self.backend != "torch":
            asked = "lengths, mask, reset, trace or return_states"
            more = choose_engine(self.backend, [asked], self._like())
            rows.append(Row(name, more.backend, f"calls with {asked}"))
        return BackendReport(tuple(rows))

    def extra_repr(self) -> str:
        """Return torch.nn's words and what differs among our own arguments."""
        own = {"backend": "auto", "forget_bias": None, **REGULARISERS}
        mine = [
            f"{name}={getattr(self, name)!r}"
            for name, default in own.items()
            if getattr(self, name) != default
        ]
        return ", ".join([super().extra_repr(), *mine])

    def _read(
        self, x: Tensor, like: Tensor, batch_first: bool
    ) -> tuple[Tensor, Layout]:
        if isinstance(x, Tensor) and is_cast(x, like):
            like = like.to(x.dtype)
        return read_layout(self._words(), x, self.input_size, batch_first, like)

    def _states(
        self, hx: Tensor | Sequence[Tensor] | None, x: Tensor, layout: Layout
    ) -> Sequence[Tensor]:
        """Return the first states as ``[L*D, B, H]``, zeros where none were given."""
        rows = self.num_layers * (1 + self.bidirectional)
        widths = [self.proj_size or self.hidden_size, self.hidden_size]
        shapes = [(width,) for width in widths[: len(self.state_names)]]
        if hx is None:
            return [x.new_zeros((rows, x.shape[1], *shape)) for shape in shapes]
        given = cast_as(hx, x)
        return read_states(given, self.state_names, shapes, rows, x, layout)

    def _like(self) -> Tensor:
        """Return a weight, for its dtype and device."""
        return getattr(self, self._flat_weights_names[0])

    def _beyond(self) -> list[str]:
        """Return what every call needs that torch.nn has not.

        Weight dropout is not among it: it changes what torch is handed. And in
        evaluation variational dropout does nothing, while zoneout mixes.
        """
        found = self.regularisers()
        found.pop("weight_dropout", None)
        if not self.training:
            found.pop("variational_dropout", None)
        return list(found)

    @eager
    def _forward_ours(
        self,
        input: Tensor | PackedSequence,
        hx: Tensor | Sequence[Tensor] | None,
        weights: Weights,
        request: Request,
        backend: str,
    ) -> tuple[Any, ...]:
        """Run by one of our backends, which do all that a call can ask for."""
        if isinstance(input, PackedSequence):
            return run_packed(
                self._words(),
                input,
                self.batch_first,
                request.lengths,
                lambda x, lengths: self._forward_ours(
                    x, hx, weights, replace(request, lengths=lengths), backend
                ),
            )
        like = next(iter(weights.values()))
        x, layout = self._read(cast_as(input, like), like, self.batch_first)
        given = self._states(hx, x, layout)
        form = DropInForm.read(self._form())
        graph = form.graph()
        extras = read_extras(request, graph, x, layout, self)
        rows, dropout = form.arguments(graph, weights), self.dropout * self.training
        return run_stack(
            graph, rows, x, given, dropout, extras, backend=backend
        ).returned(layout, extras)

    def _form(self) -> str:
        """Return the layer as the text of a `DropInForm`."""
        # Formatted, because torch.compile may hold these numbers as symbols otherwise.
        sizes = f"{self.input_size},{self.hidden_size},{self.proj_size}"
        return f"{self.mode},{sizes},{self.num_layers},{self.bias},{self.bidirectional}"

    def _forward_traced(
        self, input: Tensor, hx: Tensor | Sequence[Tensor] | None, weights: Weights
    ) -> tuple[Tensor, Any]:
        """Run by the kernels, as torch.compile can follow."""
        like = next(iter(weights.values()))
        x, layout = self._read(cast_as(input, like), like, self.batch_first)
        given = self._states(hx, x, layout)
        tensors = [x, *given, *weights.values()]
        dropout = self.dropout if self.training else 0.0
        output, *last = run_traced(self._form(), dropout, list(weights), tensors)
        if not layout.batched:
            last = [state.squeeze(1) for state in last]
        return layout.as_given(output), tuple(last) if len(last) > 1 else last[0]

    def _set_forget_bias(self) -> None:
        if self.forget_bias is None:
            return
        name = cell_name(self.mode, self.proj_size)
        found = forget_biases(load(name).specialise(self.bias))
        if not found:
            raise OptionError(
                f"forget_bias={self.forget_bias}: {self._words()} has no forget gate "
                "with a bias"
            )
        weights = {n: getattr(self, n) for n in self._flat_weights_names}
        with torch.no_grad():
            for mine in by_suffix(weights).values():
                for bias in found:
                    first, *rest = TORCH[name][bias.parameter]
                    first.of(mine).fill_(self.forget_bias)
                    for piece in rest:
                        piece.of(mine).zero_()

    def _words(self) -> str:
        """Return the layer in words, for messages."""
        words = f"input_size={self.input_size}, hidden_size={self.hidden_size}"
        if self.proj_size:
            words += f", proj_size={self.proj_size}"
        if self.num_layers != 1:
            words += f", num_layers={self.num_layers}"
        if self.bidirectional:
            words += ", bidirectional=True"
        if self.bias is not True:
            words += ", bias=False"
        return f"{type(self).__name__}({words})"
