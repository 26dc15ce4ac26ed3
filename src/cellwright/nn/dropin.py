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

from cellwright.backends.reference.interpret import Arguments
from cellwright.cells import load
from cellwright.compiler import BackendError, choose

from .eager import eager, refuse_script
from .errors import OptionError
from .forget_bias import forget_biases
from .options import forget_bias_value
from .report import BackendReport, Row
from .shapes import Layout, read_layout, read_states
from .stack import run_stack
from .swap import become, twin
from .torch_weights import TORCH, by_suffix, cell_name, from_packed

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

    def __init__(
        self, mode: str, backend: str, forget_bias: float | None, **arguments: Any
    ):
        choose(backend, torch_has_it=True)
        super().__init__(mode, **arguments)
        self.backend = backend
        self.forget_bias = forget_bias_value(type(self).__name__, forget_bias)
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
        """Return the torch.nn layer that shares this one's Parameters."""
        return become(twin(self), self.torch_class)

    def reset_parameters(self) -> None:
        """Draw every weight anew, as torch.nn does and in its order."""
        super().reset_parameters()
        self._set_forget_bias()

    def forward(
        self,
        input: Tensor | PackedSequence,  # torch.nn's name
        hx: Tensor | Sequence[Tensor] | None = None,
    ) -> tuple[Any, Any]:
        """Run the layer over a sequence.

        Args:
            input: ``[T, B, I]``, ``[B, T, I]`` with batch_first, ``[T, I]`` unbatched,
                or a PackedSequence.
            hx: first states; 0 when it is None.

        Returns:
            The output of the last layer at every step, in the form of the input, and
            the last state.
        """
        weights = {name: getattr(self, name) for name in self._flat_weights_names}
        reference = choose(self.backend, torch_has_it=True).backend == "reference"
        like = next(iter(weights.values()))
        if isinstance(input, PackedSequence):
            if reference:
                raise BackendError(
                    f"{self._words()}: the reference reads no PackedSequence; give the "
                    "padded tensor (torch.nn.utils.rnn.pad_packed_sequence), or take "
                    "backend='auto'"
                )
            return self._forward_packed(input, hx, weights)
        x, layout = self._read(input, like, self.batch_first)
        given = self._states(hx, x, layout)
        if reference:
            output, last = self._run_reference(x, given, weights)
            output = layout.as_given(output)
        else:
            batch_first = layout.batched and self.batch_first
            x = input if batch_first else x
            output, *last = self._run_torch(weights, x, given, batch_first=batch_first)
            output = output if layout.batched else output.squeeze(1)
        if not layout.batched:
            last = [state.squeeze(1) for state in last]
        return output, tuple(last) if len(last) > 1 else last[0]

    def backend_report(self) -> BackendReport:
        """Return which backend runs this layer, and why."""
        choice = choose(self.backend, torch_has_it=True)
        return BackendReport((Row(type(self).__name__, choice.backend, choice.reason),))

    def extra_repr(self) -> str:
        """Return torch.nn's words and what differs among our own arguments."""
        own = [("backend", "auto"), ("forget_bias", None)]
        mine = [f"{k}={getattr(self, k)!r}" for k, v in own if getattr(self, k) != v]
        return ", ".join([super().extra_repr(), *mine])

    def __prepare_scriptable__(self) -> NoReturn:
        fix = "put torch.nn's layers back first: cellwright.convert(model, to='torch')"
        refuse_script(self._words(), fix)

    def _forward_packed(
        self,
        packed: PackedSequence,
        hx: Tensor | Sequence[Tensor] | None,
        weights: Weights,
    ) -> tuple[PackedSequence, Any]:
        data, sizes, order, back = packed
        _, layout = self._read(data, next(iter(weights.values())), False)
        # Only B, the dtype and the device of this are looked at.
        rows = data.new_empty((1, int(sizes[0]), 0))
        given = self._states(hx, rows, Layout(layout.layer, True, False))
        if hx is not None and order is not None:
            given = [state.index_select(1, order) for state in given]
        output, *last = self._run_torch(weights, data, given, sizes=sizes)
        if back is not None:
            last = [state.index_select(1, back) for state in last]
        result = PackedSequence(output, sizes, order, back)
        return result, tuple(last) if len(last) > 1 else last[0]

    def _read(
        self, x: Tensor, like: Tensor, batch_first: bool
    ) -> tuple[Tensor, Layout]:
        if isinstance(x, Tensor) and _is_cast(x, like):
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
        given = [hx] if isinstance(hx, Tensor) else hx
        if any(isinstance(v, Tensor) and _is_cast(v, x) for v in given):
            hx = [v.to(x.dtype) if isinstance(v, Tensor) else v for v in given]
        return read_states(hx, self.state_names, shapes, rows, x, layout)

    def _run_torch(
        self,
        weights: Weights,
        x: Tensor,
        given: Sequence[Tensor],
        sizes: Tensor | None = None,
        batch_first: bool = False,
    ) -> tuple[Tensor, ...]:
        states = list(given) if len(given) > 1 else given[0]
        arguments = (self.bias, self.num_layers, self.dropout, self.training)
        rest = (list(weights.values()), *arguments, self.bidirectional)
        if sizes is not None:
            return self.torch_functions[self.mode](x, sizes, states, *rest)
        return self.torch_functions[self.mode](x, states, *rest, batch_first)

    @eager
    def _run_reference(
        self, x: Tensor, given: Sequence[Tensor], weights: Weights
    ) -> tuple[Tensor, list[Tensor]]:
        name = cell_name(self.mode, self.proj_size)
        graph = load(name).specialise(self.bias)
        cell = from_packed(TORCH[name], weights)
        directions = ("", "_reverse") if self.bidirectional else ("",)
        width = (self.proj_size or self.hidden_size) * len(directions)
        rows: list[list[Arguments]] = []
        for layer in range(self.num_layers):
            sizes = {
                "input_size": width if layer else self.input_size,
                "hidden_size": self.hidden_size,
                "proj_size": self.proj_size,
            }
            rows.append([])
            for tail in directions:
                suffix = f"_l{layer}{tail}"
                mine = {p.name: cell[p.name + suffix] for p in graph.parameters}
                rows[-1].append(Arguments(sizes, mine, {}))
        return run_stack(graph, rows, x, given, self.dropout * self.training)

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


def _is_cast(value: Tensor, like: Tensor) -> bool:
    """Tell whether torch itself casts two tensors to one dtype, under autocast."""
    kind = value.device.type
    return (
        value.dtype != like.dtype
        and value.is_floating_point()
        and torch.amp.is_autocast_available(kind)
        and torch.is_autocast_enabled(kind)
    )
