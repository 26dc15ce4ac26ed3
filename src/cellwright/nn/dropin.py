"""What the three drop-ins share: a torch.nn.RNNBase that can run by several backends.

The weights are torch's, under its names, and read anew at every call, because
weight_norm, prune and others replace them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, NoReturn, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from cellwright.compiler.choose import choose

from .bare import bare_call
from .call import Form, run_layer
from .dropin_form import dropin_form, dropin_form_text
from .eager import eager, refuse_script
from .engine import choose_engine, engine_name
from .errors import OptionError
from .extras import Request, States, asked_for
from .gate_values import chrono_value, forget_bias_value
from .initialise import Init, init_values
from .memory import HasMemory, Memory, memory_asked, memory_mode
from .packed_values import set_packed
from .regularise import (
    REGULARISERS,
    Draws,
    Zoneout,
    draws_of,
    drop_weights,
    set_regularisers,
    zoneout_shares,
)
from .report import BackendReport, Row
from .shapes import Layout, read_layout, read_states
from .steps import Lengths
from .swap import OWN, become, twin
from .torch_path import cast_as, is_cast, run_torch, run_torch_packed
from .torch_weights import RECURRENT, cell_name
from .traced import run_in_graph

Weights = Mapping[str, Tensor]
D = TypeVar("D", bound="DropIn")


class DropIn(HasMemory, nn.RNNBase):
    """A layer of torch.nn, with its arguments, names and numbers."""

    torch_class: ClassVar[type[nn.RNNBase]]
    state_names: ClassVar[tuple[str, ...]] = ("h",)
    torch_functions: ClassVar[Mapping[str, Callable[..., tuple[Tensor, ...]]]]

    # On the class as well, for layers that come from torch.nn or an older pickle.
    backend: str = "auto"
    init: Mapping[str, str] | None = None
    forget_bias: float | None = None
    chrono: float | None = None
    zoneout: Zoneout = 0.0
    variational_dropout: float = 0.0
    weight_dropout: float = 0.0
    held: Draws | None = None

    def __init__(
        self,
        mode: str,
        backend: str,
        memory: Memory,
        init: Init | None,
        forget_bias: float | None,
        chrono: float | None,
        zoneout: Zoneout,
        variational_dropout: float,
        weight_dropout: float,
        **arguments: Any,
    ):
        choose(backend, torch_has_it=True)
        super().__init__(mode, **arguments)
        self.backend = backend
        name = type(self).__name__
        self._memory = memory_mode(name, memory)
        self.init = init_values(name, init)
        self.forget_bias = forget_bias_value(name, forget_bias)
        self.chrono = chrono_value(name, chrono, self.forget_bias)
        shares = (zoneout, variational_dropout, weight_dropout)
        set_regularisers(self, self.state_names, *shares)
        choose_engine(backend, self._beyond(), self._like())
        self._set_first_values()

    @property
    def _weight_names(self) -> list[str]:
        return self._flat_weights_names

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
            OptionError: with zoneout, variational or weight dropout, or with
                ``memory="recompute"``, which torch.nn has not.
        """
        has_not = f"{self._words()}: torch.nn.{type(self).__name__} has no"
        if on := self.regularisers():
            listed = ", ".join(f"{name}={value!r}" for name, value in on.items())
            raise OptionError(
                f"{has_not} {listed}; set {'it' if len(on) == 1 else 'them'} to 0 first"
            )
        if asked := memory_asked(self.memory):
            raise OptionError(f"{has_not} {asked[0]}; set memory='store' first")
        return become(twin(self), self.torch_class)

    def reset_parameters(self) -> None:
        """Draw every weight anew, as torch.nn does and in its order.

        What ``init`` and ``chrono`` say is drawn after that, in the cell's order.
        """
        super().reset_parameters()
        self._set_first_values()

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
        request = {
            "lengths": lengths,
            "mask": mask,
            "reset": reset,
            "trace": trace,
            "return_states": return_states,
        }
        asked = asked_for(request)
        if not asked and not torch.compiler.is_dynamo_compiling():
            found = bare_call(self, input, hx)
            if found is not None:
                return found
        weights = {name: getattr(self, name) for name in self._flat_weights_names}
        like = next(iter(weights.values()))
        beyond = ", ".join(asked + self._beyond())
        engine = engine_name(self.backend, beyond, like.device.type, like.dtype)
        if engine == "torch":
            return self._forward_torch(input, hx, weights)
        if not torch.compiler.is_dynamo_compiling():
            return self._forward_ours(engine, weights, input, hx, request)
        apart = self.held is not None or engine != "c"
        if not apart and not isinstance(input, PackedSequence):
            form = dropin_form_text(self._words(), *self._kind())
            return run_in_graph(form, self, weights, input, hx, request, {})
        return self._forward_apart(engine, weights, input, hx, request)

    def __prepare_scriptable__(self) -> NoReturn:
        fix = "put torch.nn's layers back first: cellwright.convert(model, to='torch')"
        refuse_script(self._words(), fix)

    def _forward_torch(
        self,
        input: Tensor | PackedSequence,
        hx: Tensor | Sequence[Tensor] | None,
        weights: Weights,
    ) -> tuple[Any, Any]:
        """Run by torch's own path."""
        if self.training:
            share = self.weight_dropout
            weights = drop_weights(weights, RECURRENT, share, draws_of(self))
        if isinstance(input, PackedSequence):
            return self._forward_packed(input, hx, weights)
        x, layout = self._read(input, next(iter(weights.values())), self.batch_first)
        given = self._states(hx, x, layout)
        first = layout.batched and self.batch_first
        output, last = run_torch(self, weights, input if first else x, given, first)
        if not layout.batched:
            output, last = output.squeeze(1), [state.squeeze(1) for state in last]
        return output, tuple(last) if len(last) > 1 else last[0]

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

    def _step_form(self) -> tuple[Form, Weights] | None:
        """Return what runs the layer's bare calls, None where no kernel does."""
        choice = choose_engine(self.backend, self._beyond(), self._like())
        if choice.backend != "c":
            return None
        weights = {name: getattr(self, name) for name in self._flat_weights_names}
        return dropin_form(self._words(), *self._kind()), weights

    def backend_report(self) -> BackendReport:
        """Return what runs this layer, and why; one row for torch.nn's calls.

        A second one tells what runs calls that ask for more, if that is another.
        """
        name = type(self).__name__
        choice = choose_engine(self.backend, self._beyond(), self._like())
        rows = [Row(name, choice.backend, choice.reason, self.memory)]
        if choice.backend == "torch" and self.backend != "torch":
            asked = "lengths, mask, reset, trace or return_states"
            more = choose_engine(self.backend, [asked], self._like())
            rows.append(Row(name, more.backend, f"calls with {asked}", self.memory))
        return BackendReport(tuple(rows))

    def extra_repr(self) -> str:
        """Return torch.nn's words and what differs among our own arguments."""
        own = {**dict.fromkeys(OWN), "backend": "auto", "memory": "store"}
        own |= REGULARISERS
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
        return [*found, *memory_asked(self.memory)]

    def _forward_ours(
        self,
        backend: str,
        weights: Weights,
        input: Tensor | PackedSequence,
        hx: Tensor | Sequence[Tensor] | None,
        request: Mapping[str, Any],
    ) -> tuple[Any, ...]:
        """Run by one of our backends, which do all that a call can ask for."""
        form = dropin_form(self._words(), *self._kind())
        asked = Request(**request)
        return run_layer(form, self, backend, weights, input, hx, asked, {})

    _forward_apart = eager(_forward_ours)

    def _kind(self) -> tuple[Any, ...]:
        """Return what a `dropin_form` is made of."""
        sizes = (self.input_size, self.hidden_size, self.proj_size)
        return (self.mode, *sizes, self.num_layers, self.bias, self.bidirectional)

    def _set_first_values(self) -> None:
        asked = self.init, self.forget_bias, self.chrono
        if any(value is not None for value in asked):
            name = cell_name(self.mode, self.proj_size)
            weights = {name: getattr(self, name) for name in self._flat_weights_names}
            missing = f"{self._words()} has no forget gate with a bias"
            set_packed(name, self.bias, weights, *asked, missing)

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
