"""`Stream`: a layer or a model, step by step, for streams that come and go."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, overload

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from .carried import CarriedStates
from .errors import StateError
from .kernel_steps import KernelSteps, kernel_steps
from .stateful import first_states
from .step_form import StepForm, call, find_form
from .step_input import FIRST, read_step

Array = npt.NDArray[Any]


class Stream:
    """A recurrent layer or a model with some, one step at a time.

    The states between steps are kept here, for any number of streams in one batch. By
    the kernels (``backend="c"``) a layer puts out for a stream what it puts out for its
    whole sequence at once, to the bit, whoever else is in the batch; by other backends
    that is so up to rounding.

    Args:
        layer_or_model: in evaluation (``model.eval()``); its recurrent layers are
            `Recurrent`, the drop-ins or torch.nn's, of one direction. It stays as it
            is, and may be called as ever.
        batch_first: whether the model takes ``[B, T, ...]``; found out when it is None.

    Raises:
        StateError: when the states of the model cannot be carried; at the first step,
            when steps are not the sequence for this model; and for streams, snapshots
            or a mode that do not fit.

    Example:
        >>> import numpy as np, cellwright as cw
        >>> layer = cw.nn.Recurrent("lstm", input_size=3, hidden_size=8).eval()
        >>> stream = cw.Stream(layer)
        >>> stream.step(np.ones((2, 3)), streams=["north", "south"]).shape
        (2, 8)
        >>> stream.step(np.ones((2, 3)), streams=["east", "north"]).shape
        (2, 8)
        >>> stream.leave("south")
        >>> stream.streams
        ('north', 'east')
    """

    def __init__(self, layer_or_model: nn.Module, batch_first: bool | None = None):
        self._model = layer_or_model
        self._carried = CarriedStates(layer_or_model, "Stream")
        self._batch_first = batch_first
        self._form: StepForm | None = None
        # Has the states, where kernels alone go on with the same streams.
        self._steps: KernelSteps | None = None
        self._placed = self._places()
        # Row of the carried states by stream, and the streams in the order of the rows.
        self._rows: dict[Hashable, int] = {}
        self._order: tuple[Hashable, ...] = ()
        self._numbered = True

    @property
    def streams(self) -> tuple[Hashable, ...]:
        """The streams that have states, in the order in which they came."""
        return tuple(self._rows)

    @overload
    def step(
        self,
        x: Tensor,
        streams: Iterable[Hashable] | None = None,
        **inputs: Tensor | Array,
    ) -> Tensor: ...

    @overload
    def step(
        self,
        x: Array,
        streams: Iterable[Hashable] | None = None,
        **inputs: Tensor | Array,
    ) -> Array: ...

    def step(
        self,
        x: Tensor | Array,
        streams: Iterable[Hashable] | None = None,
        **inputs: Tensor | Array,
    ) -> Tensor | Array:
        """Take one step with some streams, and return what the model puts out.

        Arrays of NumPy are brought to the model: its device, and for floating point the
        widest dtype among its parameters and buffers. A tensor is taken as it is. No
        gradients are recorded. A step that fails changes nothing. Where the model went
        to another dtype or device since the last step, the states go along.

        The first step also finds out how the model takes and gives a step: it calls it
        a few times more, with one, two and three steps.

        Args:
            x: the input of the step, a row a stream.
            streams: whose rows these are, any hashable values; one that was not there
                yet begins with the first states, those not named keep theirs. Without
                it the rows are the streams 0 to B-1, always all of them.
            **inputs: further arguments of the model by name, a row a stream too.

        Returns:
            The model's output of this step, without an axis of time; of a tuple the
            first item. From NumPy it is NumPy's.

        Shape:
            - x: ``[B, I]``, or ``[B]`` of whole numbers; one stream without a batch
              ``[I]``, or one whole number.
            - output: ``[B, O]``, or ``[O]`` without a batch.
        """
        if self._model.training:
            raise self._in_training("the model")
        if self._steps is not None:
            same = self._numbered if streams is None else self._are_the_same(streams)
            if same and not inputs:
                value = self._steps.step(x)
                if value is not None:
                    return value
            self._gather()
        with torch.no_grad():
            given, batched = read_step(self._words, x, inputs, self._model)
            self._follow()
            ids = self._whose(streams, given[FIRST].shape[0])
            if self._form is None:
                self._form = self._find_form(given)
            if ids is self._order:
                with self._carried:
                    value = call(self._model, [given], self._form.batch_first)
                if not inputs and len(self._carried.values) == 1:
                    (states,) = self._carried.values.values()
                    self._steps = kernel_steps(self._model, states)
            else:
                value = self._step_some(ids, given, self._form)
            value = self._form.output(value)
            if not batched:
                value = value.select(self._form.batch, 0)
            # The model may put a state out itself, and its caller may write on it.
            value = value.clone()
        if isinstance(x, Tensor):
            return value
        # NumPy has no bfloat16.
        value = value.float() if value.dtype == torch.bfloat16 else value
        return value.cpu().numpy()

    def leave(self, *streams: Hashable) -> None:
        """Forget streams; one that comes again begins anew.

        Raises:
            StateError: for a stream that there is not; then none leaves.
        """
        if unknown := [repr(s) for s in streams if s not in self._rows]:
            raise self._error(
                "who leaves was there", f"{', '.join(unknown)}; {self._there()}"
            )
        self._gather()
        gone = set(streams)
        stay = [stream for stream in self._order if stream not in gone]
        self._carried.select([self._rows[stream] for stream in stay])
        self._settle(stay)

    def reset(self) -> None:
        """Forget all streams."""
        self._steps = None
        self._settle(())

    def snapshot(self) -> dict[str, Any]:
        """Return the streams and copies of their states, to pickle or to `torch.save`.

        Returns:
            ``{"streams": names, "states": tensors by layer and name}``.
        """
        self._gather()
        self._follow()
        rows = torch.tensor([*self._rows.values()], dtype=torch.long)
        states = self._carried.state_dict()
        return {
            "streams": self.streams,
            "states": {
                name: value.index_select(1, rows.to(value.device))
                for name, value in states.items()
            },
        }

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Go on where a snapshot was taken, of this model or of one of the same form.

        Raises:
            StateError: when it is not one of this model; then nothing changes.
        """
        keys = {"streams", "states"}
        if not isinstance(snapshot, Mapping) or snapshot.keys() != keys:
            raise self._error(
                "a snapshot is what snapshot() returned", f"a {type(snapshot).__name__}"
            )
        streams = self._named(snapshot["streams"])
        states = snapshot["states"]
        if not isinstance(states, Mapping):
            found = f"states that are a {type(states).__name__}"
            raise self._error("a snapshot has its states by name", found)
        self._gather()
        before = self._carried.values
        self._carried.load_state_dict(states)
        size = self._carried.batch_size or 0
        if size != len(streams):
            self._carried.values = before
            raise self._error(
                "a snapshot has a row for each stream",
                f"{len(streams)} streams, states of B={size}",
            )
        self._rows = {}
        self._settle(streams)

    def __getstate__(self) -> dict[str, Any]:
        # A compiled function is of one process.
        self._gather()
        return self.__dict__

    def _gather(self) -> None:
        """Take the states back from where kernels alone went on with them."""
        if self._steps is not None:
            self._carried.values = {"": self._steps.states()}
            self._steps = None

    def _are_the_same(self, streams: Iterable[Hashable]) -> bool:
        """Whether a step's rows are those of the last one, as far as a look tells."""
        return type(streams) in (list, tuple) and tuple(streams) == self._order

    def _named(self, streams: object) -> tuple[Hashable, ...]:
        """Return the streams that a snapshot lists."""
        rule = "a snapshot lists each of its streams once"
        if not isinstance(streams, list | tuple):
            raise self._error(rule, f"streams that are a {type(streams).__name__}")
        for stream in streams:
            if not isinstance(stream, Hashable):
                raise self._error(rule, f"{stream!r}, which names no stream")
        if len(set(streams)) != len(streams):
            twice = next(stream for stream in streams if streams.count(stream) > 1)
            raise self._error(rule, f"{twice!r} twice")
        return tuple(streams)

    def _places(self) -> list[tuple[torch.dtype, torch.device]]:
        """Return what each recurrent layer's first parameter is, and where."""
        layers = self._carried.layers.values()
        firsts = [value for layer in layers for value in islice(layer.parameters(), 1)]
        return [(value.dtype, value.device) for value in firsts]

    def _follow(self) -> None:
        """Bring the states to where the model went since they were made."""
        now = self._places()
        if now == self._placed:
            return
        carried = self._carried
        begin = {name: first_states(carried.layers[name], 1) for name in carried.values}
        carried.values = {
            name: tuple(map(Tensor.to, values, begin[name]))
            for name, values in carried.values.items()
        }
        self._placed = now

    def _step_some(
        self, ids: tuple[Hashable, ...], given: Mapping[str, Tensor], form: StepForm
    ) -> Tensor:
        """Take a step with other streams than those of the last one."""
        carried, before = self._carried, self._carried.values
        chosen = set(ids)
        rest = [stream for stream in self._order if stream not in chosen]
        try:
            carried.select([self._rows.get(stream) for stream in ids])
            with carried:
                value = call(self._model, [given], form.batch_first)
            taken = carried.values
            if rest:
                carried.values = before
                carried.select([self._rows[stream] for stream in rest])
                carried.values = {
                    name: tuple(map(_side_by_side, values, carried.values[name]))
                    for name, values in taken.items()
                }
        except BaseException:
            carried.values = before
            raise
        self._settle((*ids, *rest))
        return value

    def _settle(self, order: Sequence[Hashable]) -> None:
        """Note whose rows the carried states are."""
        place = {stream: row for row, stream in enumerate(order)}
        known = [stream for stream in self._rows if stream in place]
        self._rows = {
            stream: place[stream] for stream in dict.fromkeys([*known, *order])
        }
        self._order = tuple(order)
        self._numbered = self._order == tuple(range(len(order)))
        if not order:
            self._carried.clear()

    def _find_form(self, given: Mapping[str, Tensor]) -> StepForm:
        for name, module in self._model.named_modules():
            if module.training:
                raise self._in_training(repr(name))
        values = self._carried.values
        try:
            return find_form(self._model, self._carried, given, self._batch_first)
        finally:
            self._carried.values = values

    def _whose(
        self, streams: Iterable[Hashable] | None, size: int
    ) -> tuple[Hashable, ...]:
        """Return the streams of a step's rows, the very `_order` where they are it."""
        if streams is None:
            if self._numbered and len(self._order) == size:
                return self._order
            ids = tuple(range(size))
            if self._order and self._rows.keys() != set(ids):
                raise self._error(
                    "without streams= the rows are the streams 0 to B-1, all of them",
                    f"x of B={size}; {self._there()}",
                    "streams= says whose rows these are; reset() begins anew",
                )
            return ids
        if isinstance(streams, Tensor | np.ndarray):
            streams = streams.tolist()
        if isinstance(streams, str | bytes) or not isinstance(streams, Iterable):
            raise self._error(
                "streams= lists one stream a row", repr(streams), f"[{streams!r}]"
            )
        ids = tuple(streams)
        if ids == self._order and len(ids) == size:
            return self._order
        # Tensors of equal numbers are other keys.
        ids = tuple(i.item() if isinstance(i, Tensor) else i for i in ids)
        if len(ids) != size:
            raise self._error(
                "streams= lists one stream a row", f"{len(ids)} streams, x of B={size}"
            )
        if len(set(ids)) != size:
            twice = next(stream for stream in ids if ids.count(stream) > 1)
            raise self._error("a stream has one row in a step", f"{twice!r} twice")
        return ids

    def _there(self) -> str:
        """Return the streams that there are, for messages."""
        listed = [repr(stream) for stream in self.streams]
        if len(listed) > 8:
            listed = [*listed[:8], f"... {len(listed)} in all"]
        return f"the streams are {', '.join(listed) or 'none'}"

    def _in_training(self, what: str) -> StateError:
        return self._error(
            "a stream runs a model in evaluation",
            f"{what} in training mode",
            "model.eval()",
        )

    @property
    def _words(self) -> str:
        return f"Stream({type(self._model).__name__})"

    def _error(self, rule: str, found: str, fix: str = "") -> StateError:
        return StateError(self._words, rule, found, fix)


def _side_by_side(first: Tensor, second: Tensor) -> Tensor:
    return torch.cat([first, second], 1)
