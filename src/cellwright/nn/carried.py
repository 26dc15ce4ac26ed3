"""`CarriedStates`: states that go from one call of a model to the next.

Hooks on the recurrent layers hand them over, so that the model's own forward stays as
it is. Streaming stands on this, and so does training window by window.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from .errors import StateError
from .shapes import batch_of
from .stateful import Layer, first_states, in_words, recurrent_layers, state_names

Values = dict[str, tuple[Tensor, ...]]
"""By the name of each recurrent layer its states, ``[L, B, H]`` each."""


ONCE = "a call of the model runs each recurrent layer once"


class CarriedStates:
    """The states of a model's recurrent layers, from one call to the next.

    A ``with`` block holds one call of the model. In it every recurrent layer begins
    with the states that it ended with in the block before, and in the first one with
    its own first states. Outside of such blocks the model is as ever. A block that ends
    in an error leaves the states as they were. They stay on the graph of autograd until
    `detach`.

    Args:
        model: a recurrent layer, or any module with some: `Recurrent`, the drop-ins and
            torch.nn's LSTM, GRU and RNN, of one direction. Its forward hands them no
            states, and runs each exactly once.
        owner: who carries them, for messages.

    Attributes:
        layers: the recurrent layers, by their names in the model.
        values: by the same names their states; empty before the first call.

    Raises:
        StateError: when the model has no such layer, or one whose states cannot be
            carried; and in a block, when a layer runs in another way.

    Example:
        >>> import torch, cellwright as cw
        >>> model = cw.nn.LSTM(input_size=3, hidden_size=8)
        >>> carried = cw.nn.CarriedStates(model)
        >>> for window in torch.randn(4, 10, 16, 3):
        ...     with carried:
        ...         output, _ = model(window)
        ...     output.mean().backward()
        ...     carried.detach()
        >>> {name: tuple(value.shape) for name, value in carried.state_dict().items()}
        {'h': (1, 16, 8), 'c': (1, 16, 8)}
    """

    def __init__(self, model: nn.Module, owner: str = "CarriedStates"):
        self._owner = f"{owner}({type(model).__name__})"
        self.layers = recurrent_layers(model, self._owner)
        self.values: Values = {}
        self._begun: set[str] = set()
        self._ended: Values = {}
        self._hooks: list[RemovableHandle] = []

    def __enter__(self) -> None:
        if self._hooks:
            raise self._error(
                "a with block holds one call of the model", "a block inside of itself"
            )
        self._begun, self._ended = set(), {}
        for name, layer in self.layers.items():
            before, after = self._before(name), self._after(name)
            self._hooks += (
                layer.register_forward_pre_hook(before, with_kwargs=True),
                layer.register_forward_hook(after, with_kwargs=True),
            )

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for hook in self._hooks:
            hook.remove()
        ended, self._ended, self._hooks = self._ended, {}, []
        if kind is not None:
            return
        if idle := [repr(name) for name in self.layers if name not in ended]:
            raise self._error(
                ONCE,
                f"{', '.join(idle)} did not run",
                "take the part of the model whose layers all run, and not what "
                "torch.compile made, which calls no later hooks",
            )
        self.values = ended

    def detach(self) -> None:
        """Take the states off the graph: no gradient goes back beyond here."""
        self.values = {
            name: tuple(value.detach() for value in values)
            for name, values in self.values.items()
        }

    def clear(self) -> None:
        """Forget the states: the next call begins with the first ones."""
        self.values = {}

    @property
    def batch_size(self) -> int | None:
        """Number of rows of the states, None before the first call.

        Raises:
            StateError: when layers see different numbers of rows.
        """
        sizes = {name: values[0].shape[1] for name, values in self.values.items()}
        if len(set(sizes.values())) > 1:
            found = ", ".join(f"B={size} in {name!r}" for name, size in sizes.items())
            raise self._error("all layers see the same rows of a batch", found)
        return next(iter(sizes.values()), None)

    def select(self, rows: Sequence[int | None]) -> None:
        """Keep these rows of the batch only, in this order.

        Args:
            rows: numbers of rows of the states; None is a row that begins, with the
                first states.

        Raises:
            StateError: for a row that there is not.
        """
        size = self.batch_size or 0
        wrong = [row for row in rows if row is not None and not 0 <= row < size]
        if wrong:
            raise self._error(
                "rows are those of the carried states", f"row {wrong[0]} of B={size}"
            )
        # The first states stand behind the carried ones, as row B.
        index = [size if row is None else row for row in rows]
        chosen: Values = {}
        for name, values in self.values.items():
            if None in rows:
                begin = first_states(self.layers[name], 1)
                pairs = zip(values, begin, strict=True)
                values = tuple(torch.cat(pair, 1) for pair in pairs)
            at = torch.tensor(index, dtype=torch.long, device=values[0].device)
            chosen[name] = tuple(value.index_select(1, at) for value in values)
        self.values = chosen

    def state_dict(self) -> dict[str, Tensor]:
        """Return the states by layer and name (``"rnn.c"``), off the graph, not copied.

        It is empty before the first call.
        """
        return {
            key: value.detach()
            for name, values in self.values.items()
            for key, value in zip(self._keys(name), values, strict=True)
        }

    def load_state_dict(self, states: Mapping[str, Tensor]) -> None:
        """Take copies of states in the place of the present ones.

        Args:
            states: as `state_dict` returns them, of any number of rows.

        Raises:
            StateError: naming every state that is missing, too many or of another form.
        """
        if not states:
            self.clear()
            return
        begin = {name: first_states(layer, 1) for name, layer in self.layers.items()}
        keys = {name: self._keys(name) for name in begin}
        own = {
            key: value
            for name, values in begin.items()
            for key, value in zip(keys[name], values, strict=True)
        }
        if faults := list(_misfits(states, own)):
            raise self._error(
                "states are those of the model, of one batch",
                "\n         ".join(faults),
                "load them into the model that they come from",
            )
        device = {key: value.device for key, value in own.items()}
        self.values = {
            name: tuple(states[key].detach().to(device[key], copy=True) for key in mine)
            for name, mine in keys.items()
        }

    def _keys(self, name: str) -> list[str]:
        states = state_names(self.layers[name])
        return [f"{name}.{state}" if name else state for state in states]

    def _before(self, name: str) -> Callable[..., Any]:
        """Return the hook that hands a layer its states."""

        def hook(
            layer: Layer, args: tuple[Any, ...], kwargs: dict[str, Any]
        ) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
            if name in self._begun:
                raise self._error(
                    ONCE,
                    f"{in_words(name, layer)} runs again",
                    "a layer that a model runs twice has no one state to carry; a with "
                    "block holds one call of the model",
                )
            self._begun.add(name)
            if (args[1] if len(args) > 1 else kwargs.get("hx")) is not None:
                raise self._error(
                    "a layer begins with the carried states",
                    f"the model's forward hands {in_words(name, layer)} an hx",
                    "call the layer without hx",
                )
            values = self.values.get(name)
            if values is None:
                return None
            rows, batched = _rows(layer, args, kwargs)
            if rows != values[0].shape[1]:
                raise self._error(
                    "the batch stays the same while states are carried",
                    f"B={rows} for {in_words(name, layer)}, whose carried states have "
                    f"B={values[0].shape[1]}",
                    "clear() begins anew, select(rows) says which rows go on",
                )
            if not batched:
                values = tuple(value.squeeze(1) for value in values)
            hx = values[0] if len(values) == 1 else values
            if len(args) > 1:
                return (args[0], hx, *args[2:]), kwargs
            return args, {**kwargs, "hx": hx}

        return hook

    def _after(self, name: str) -> Callable[..., None]:
        """Return the hook that keeps the states that a layer ends with."""

        def hook(
            layer: Layer, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any
        ) -> None:
            state = result[1]
            values = (state,) if isinstance(state, Tensor) else tuple(state)
            if kwargs.get("return_states") == "all":
                values = tuple(value[-1] for value in values)
            if not _rows(layer, args, kwargs)[1]:
                values = tuple(value.unsqueeze(1) for value in values)
            self._ended[name] = values

        return hook

    def _error(self, rule: str, found: str, fix: str = "") -> StateError:
        return StateError(self._owner, rule, found, fix)


def _misfits(states: Mapping[str, Any], own: Mapping[str, Tensor]) -> Iterator[str]:
    """Say of every state why it is not one of the model's."""
    sizes: set[int] = set()
    for key in [*own, *(key for key in states if key not in own)]:
        if key not in own:
            yield f"{key!r}, which the model has not: it has {', '.join(own)}"
            continue
        value, like = states.get(key), own[key]
        if not isinstance(value, Tensor):
            kind = f"a {type(value).__name__}" if key in states else "missing"
            yield f"{key!r} is {kind}"
            continue
        layers, _, *shape = like.shape
        if [*value.shape[:1], *value.shape[2:]] != [layers, *shape] or value.dim() < 2:
            words = ", ".join(map(str, [layers, "B", *shape]))
            yield f"{key!r} is {list(value.shape)}, where the model has [{words}]"
            continue
        sizes.add(value.shape[1])
        if value.dtype != like.dtype:
            yield f"{key!r} is {value.dtype}, where the model has {like.dtype}"
    if len(sizes) > 1:
        yield f"states of {' and '.join(f'B={size}' for size in sorted(sizes))}"


def _rows(
    layer: Layer, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> tuple[int, bool]:
    """Return the number of rows of a call, and whether it has a batch axis."""
    return batch_of(args[0] if args else kwargs["input"], layer.batch_first)
