"""Where in a model the first number came that is none: layer, equation, step."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from cellwright.nn import GRU, LSTM, RNN, Recurrent
from cellwright.nn.regularise import infinite_states
from cellwright.nn.stateful import graph_of

FINITE = "the loss: all that the model computes is finite"


def where_it_began(model: nn.Module, call: Callable[[], object], x: Tensor) -> str:
    """Run a model once more and say where the first infinity or NaN comes up.

    What fails on the way is told in place of the answer, never raised: the caller has
    a failure of its own to tell.

    Args:
        model: What was called.
        call: Calls it as it was called.
        x: Its input.
    """
    watch = _Watch(model, x)
    try:
        for name, weight in model.named_parameters():
            if not _finite(weight):
                return f"the weight {name}, {_count(weight)}, before this step"
        with watch.hooks():
            call()
    except Exception as error:  # noqa: BLE001  # the model is anybody's code
        if not watch.found:
            return _not_found(error)
    if watch.found:
        return min(watch.found)[1]
    return FINITE


def in_gradients(weights: Mapping[str, Tensor]) -> str:
    """Say which weights' gradients are not finite."""
    bad = {
        name: weight
        for name, weight in weights.items()
        if weight.grad is not None and not _finite(weight.grad)
    }
    if not bad:
        return "the norm of the gradients, which are finite themselves"
    return f"the way back: the loss is finite, the gradient of {_listed(bad)} is not"


def in_weights(weights: Mapping[str, Tensor]) -> str:
    """Say which weights are not finite; nothing if all are."""
    bad = {name: weight for name, weight in weights.items() if not _finite(weight)}
    return f"the step of the optimiser: {_listed(bad)} is not finite" if bad else ""


def _listed(named: Mapping[str, object]) -> str:
    names = list(named)
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "")


def _not_found(error: Exception) -> str:
    first = next(iter(str(error).splitlines()), "")
    told = f"{type(error).__name__}: {first}".removesuffix(": ")
    return f"not found, for the model failed when it was run again to see: {told}"


@dataclass(frozen=True)
class _Call:
    """A module that is running.

    Attributes:
        name: Of the module.
        came: When its input came and how it is told, if that is not finite.
        known: How many places were found before.
    """

    name: str
    came: tuple[int, str] | None
    known: int


class _Watch:
    """Looks at what goes into each module of a model, and at what comes out.

    Attributes:
        found: When a number that is none came up, and where; the first one counts.
    """

    def __init__(self, model: nn.Module, x: Tensor):
        self.found: list[tuple[int, str]] = []
        self._model = model
        self._input = "" if _finite(x) else f"the input, {_count(x)}"
        self._time = 0
        self._running: list[_Call] = []
        self._last = ""
        self._steps: dict[str, int] = {}
        self._before: dict[str, int] = {}

    @contextmanager
    def hooks(self) -> Iterator[None]:
        """Watch the calls in a block."""
        with ExitStack() as stack:
            for name, module in self._model.named_modules():
                if isinstance(module, Recurrent | LSTM | GRU | RNN):
                    before, after = _Traced(self, name, module).hooks()
                else:
                    before, after = self._enter(name), self._leave(name)
                for handle in (
                    module.register_forward_pre_hook(before, with_kwargs=True),
                    module.register_forward_hook(after),
                ):
                    stack.callback(handle.remove)
            yield

    def _enter(self, name: str) -> Callable[..., None]:
        def hook(module: nn.Module, *given: Any) -> None:
            self.enter(name, module, given)

        return hook

    def _leave(self, name: str) -> Callable[..., None]:
        def hook(module: nn.Module, _: Any, result: Any) -> None:
            self.leave(name, module, result)

        return hook

    def enter(self, name: str, module: nn.Module, given: Any) -> None:
        """Look at what comes into a module."""
        self._time += 1
        if module is self._model:
            self._last, self._before = "", dict(self._steps)
        came, bad = None, _bad(list(_tensors(given)))
        # What a model with modules does about its input shows in what these get.
        whole = module is self._model and next(module.children(), None) is not None
        if bad is not None and not whole:
            came = self._time, self._came(name, module, bad)
        self._running.append(_Call(name, came, len(self.found)))

    def _came(self, name: str, module: nn.Module, bad: Tensor) -> str:
        if self._input and not self._last:
            return self._input
        begin = self._last or "the input"
        place = f"{_label(name, module)} (between {begin} and {name!r})"
        return f"what comes into {place}, {_count(bad)}"

    def leave(
        self, name: str, module: nn.Module, result: Any, equation: str = ""
    ) -> None:
        """Look at what comes out of a module.

        Args:
            name: Of the module.
            module: It.
            result: What it returns to its caller.
            equation: Where in it the first number came that is none, if that is known.
        """
        self._time += 1
        # A call that ended in an error, which the model took, has no end of its own.
        while (call := self._running.pop()).name != name:
            pass
        if module is self._model and isinstance(result, tuple):
            # Only this is the prediction.
            result = result[0]
        tensors = list(_tensors(result))
        bad = _bad(tensors)
        if bad is not None:
            own = equation or self._own(name, module, bad)
            self.found.append(call.came or (self._time, own))
        elif tensors:
            # What came up inside did no harm, as the -inf of a mask before a softmax.
            del self.found[call.known :]
        self._last = repr(name)

    def step(self, name: str, step: int, steps: int) -> int:
        """Return which step of the batch one of a layer's call is.

        A walk calls the model for the head of a window and then for its tail, and the
        layer goes on where it stood.

        Args:
            name: Of the layer.
            step: Of this call of it.
            steps: That this call has.
        """
        begin = self._before.get(name, 0)
        self._steps[name] = begin + steps
        return begin + step

    def _own(self, name: str, module: nn.Module, bad: Tensor) -> str:
        whole = module is self._model
        label = f"the output of {_label(name, module)}"
        if next(module.children(), None) is None:
            return f"{label}, {_count(bad)}"
        if whole and self._input and not self._last:
            return self._input
        begin = self._last or "the input"
        place = "the model's own output" if whole else label
        return f"{place}, which it computes after {begin}, {_count(bad)}"


class _Traced:
    """Lets a layer trace all of its equations, and takes the traces from its result.

    The caller gets what it asked for itself.
    """

    def __init__(self, watch: _Watch, name: str, layer: Any):
        self._watch, self._name, self._layer = watch, name, layer
        graph = graph_of(layer)
        nodes = graph.nodes
        self._equations = [v.name for v in graph.values if len(nodes[v.node].shape) < 2]
        self._endless = bool(infinite_states(graph))
        self._asked: Sequence[str] = ()
        self._input: Any = None

    def hooks(self) -> tuple[Callable[..., Any], Callable[..., Any]]:
        """Return what is to run before the layer, and after it."""
        return self._ask, self._note

    def _ask(
        self, layer: nn.Module, given: tuple[Any, ...], named: dict[str, Any]
    ) -> tuple[Any, Any]:
        self._watch.enter(self._name, layer, (given, named))
        self._input = given[0] if given else named["input"]
        self._asked = tuple(named.get("trace", ()))
        trace = list(dict.fromkeys([*self._asked, *self._equations]))
        return given, {**named, "trace": trace}

    def _note(self, layer: nn.Module, _: Any, told: tuple[Any, ...]) -> tuple[Any, ...]:
        traces: Mapping[str, Tensor] = told[2] if len(told) > 2 else {}
        result = told[:2]
        if self._asked:
            mine = {n: v for n, v in traces.items() if _equation(n) in self._asked}
            result = (*result, mine)
        equation = self._place(traces)
        self._watch.leave(self._name, layer, result, equation)
        return result

    def _place(self, traces: Mapping[str, Tensor]) -> str:
        """Return the equation and the step of the first number that is none."""
        time = int(self._layer.batch_first)
        if isinstance(self._input, PackedSequence):
            steps = len(self._input.batch_sizes)
        else:
            time = time if self._input.dim() > 2 else 0
            steps = self._input.shape[time]
        place = _first(traces, self._equations, time, self._endless)
        equation, step = place or ("", 0)
        step = self._watch.step(self._name, step, steps)
        label = _label(self._name, self._layer)
        return f"{equation} of {label}, step {step}" if equation else ""


def _first(
    traces: Mapping[str, Tensor], equations: list[str], time: int, endless: bool
) -> tuple[str, int] | None:
    """Return the equation and the step of the first number that is none.

    Layers come one after the other; within one the earliest step counts, and of a step
    the equation that comes first.

    Args:
        traces: Values at every step, by equation and layer.
        equations: In their order.
        time: The axis of the steps.
        endless: Whether states begin at -inf, which is then a value like others.
    """
    places: list[tuple[int, bool, int, int, str, int]] = []
    for name, value in traces.items():
        layer, _, tail = name.rsplit("_l", 1)[1].partition("_")
        bad = ~torch.isfinite(value)
        if endless:
            bad &= value != -math.inf
        if bad.any():
            axes = [axis for axis in range(value.dim()) if axis != time]
            steps = (bad.any(dim=axes) if axes else bad).nonzero().flatten()
            backwards = tail == "reverse"
            step = int(steps[-1 if backwards else 0])
            order = -step if backwards else step
            rank = equations.index(_equation(name))
            places.append((int(layer), backwards, order, rank, name, step))
    if not places:
        return None
    *_, name, step = min(places)
    return name, step


def _equation(trace: str) -> str:
    return trace.rsplit("_l", 1)[0]


def _label(name: str, module: nn.Module) -> str:
    kind = type(module).__name__
    return f"{kind} {name!r}" if name else kind


def _tensors(value: Any) -> Iterator[Tensor]:
    """Return the tensors in what a module takes or returns; a PackedSequence's too."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        yield from _tensors(list(value.values()))
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _tensors(each)


def _bad(tensors: Sequence[Tensor]) -> Tensor | None:
    """Return the first tensor that is not finite.

    Behind the first one -inf is a value like others: a mask has it, and a state that
    begins there.
    """
    for index, tensor in enumerate(tensors):
        wrong = ~torch.isfinite(tensor)
        if index:
            wrong &= tensor != -math.inf
        if wrong.any():
            return tensor
    return None


def _finite(value: Tensor) -> bool:
    return not value.is_floating_point() or bool(torch.isfinite(value).all())


def _count(value: Tensor) -> str:
    bad = int((~torch.isfinite(value)).sum())
    return f"{bad} of whose {value.numel()} numbers are not finite"
