"""What `trace` returns: every value of every call of every recurrent layer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from rich.console import Group
from rich.text import Text
from torch import Tensor

from cellwright.explain.notebook import in_notebook
from cellwright.language.report import did_you_mean

from .checked import Run
from .heat import heat_maps
from .trace_errors import TraceError


class UnknownNameError(TraceError, KeyError):
    """A layer or a value that was not traced."""

    __str__ = TraceError.__str__


@dataclass(frozen=True, eq=False, repr=False)
class LayerTrace(Mapping[str, Tensor]):
    """One call of a recurrent layer: its values at every step, by name.

    Names are those of the cell with the layer and the direction: ``i_l0`` is the gate i
    of the lowest layer, ``c'_l1_reverse`` the state c after each step of the second
    layer's backward direction. A step's place is that of its input, in both directions.

    Args:
        layer: its name in the module, or its class if it is the module itself.
        kind: its class.
        cell: the cell whose equations the values are of.
        call: number of the call of this layer, from 0.
        backend: ``"c"`` or ``"reference"`` for what ran the layer too; ``"replay"`` for
            torch.nn's, computed from the weights by the cell's equations.
        values: by name, in the order of layers, directions and equations.
        input: of the layer.
        output: of the layer, as it was in the run.
        first: states before the first step, by name.
        last: states at the end, by name, as they were in the run.
        lengths: how many steps each row has, None if all have all.
        real: which steps happened, None if all did. Where none did, traces and output
            are 0 and states stay.
        distance: how far the values' output and states are from the run's, relative to
            the largest entry above 1.
        proof: the same of the replay and torch.nn's code, in float64; None where the
            layer itself ran.
        runs: what the equations of each layer and direction were given, from which all
            values follow.

    Shape:
        - values: ``[T, B, H]`` each, ``[T, B]`` of a scalar; B is 1 if unbatched.
        - input, output: ``[T, B, I]`` and ``[T, B, D*H]``.
        - first, last: ``[L*D, B, H]`` each.
        - lengths, real: ``[B]`` and ``[T, B]``.

    Raises:
        UnknownNameError: for a name that it has not, with those that it has.
    """

    layer: str
    kind: str
    cell: str
    call: int
    backend: str
    named: Mapping[str, Tensor] = field(repr=False)
    input: Tensor
    output: Tensor
    first: Mapping[str, Tensor]
    last: Mapping[str, Tensor]
    lengths: Tensor | None
    real: Tensor | None
    distance: float
    proof: float | None
    runs: Sequence[Run] = ()

    @property
    def key(self) -> str:
        """Its name among the `Traces`: the layer, and the number of a later call."""
        return f"{self.layer}#{self.call}" if self.call else self.layer

    def __getitem__(self, name: str) -> Tensor:
        if name not in self.named:
            raise _unknown(f"trace of {self.key}", "value", name, list(self))
        return self.named[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.named)

    def __len__(self) -> int:
        return len(self.named)

    def __repr__(self) -> str:
        return f"{self.key}: {', '.join(_row(self)[1:-1])}; {', '.join(self)}"

    def __rich__(self) -> Group:
        """Return every value of the first row as a heat map, units down."""
        return Group(Text(repr(self)), *heat_maps(self.named))

    def _repr_html_(self) -> str:
        """Return the same for a notebook."""
        return in_notebook(self)


@dataclass(frozen=True, eq=False, repr=False)
class Traces(Mapping[str, LayerTrace]):
    """Every call of every recurrent layer in one run of a module, in order.

    A call's name is its layer's (``"encoder.rnn"``); a later one has its number behind
    (``"encoder.rnn#1"``).

    Args:
        module: the module's class.
        traces: in the order in which they ran.
        idle: layers that the run did not call.

    Raises:
        UnknownNameError: for a name that it has not, with those that it has.
    """

    module: str
    traces: Sequence[LayerTrace]
    idle: Sequence[str] = ()

    @property
    def only(self) -> LayerTrace:
        """The one call that there was.

        Raises:
            UnknownNameError: when there were more.
        """
        if len(self.traces) > 1:
            rule = "only is for one call of one layer"
            raise UnknownNameError(self._words, rule, _listed(self), "take one by name")
        return self.traces[0]

    def calls(self, layer: str) -> tuple[LayerTrace, ...]:
        """Return all calls of a layer, in order.

        Args:
            layer: its name in the module.

        Raises:
            UnknownNameError: for one that did not run.
        """
        found = tuple(each for each in self.traces if each.layer == layer)
        if not found:
            names = list(dict.fromkeys(each.layer for each in self.traces))
            raise self._no_layer(layer, names)
        return found

    def __getitem__(self, key: str) -> LayerTrace:
        for each in self.traces:
            if each.key == key:
                return each
        raise self._no_layer(key, list(self))

    def __iter__(self) -> Iterator[str]:
        return (each.key for each in self.traces)

    def __len__(self) -> int:
        return len(self.traces)

    def __repr__(self) -> str:
        head = ("layer", "cell", "run", "T", "B", "values")
        lines = table([head, *map(_row, self.traces)])
        idle = [f"did not run: {', '.join(self.idle)}"] if self.idle else []
        return "\n".join([self._words, *lines, *idle])

    def __rich__(self) -> Group:
        """Return the table, and the heat maps of the first call."""
        return Group(Text(repr(self)), *([""] if self.traces else []), *self.traces[:1])

    def _repr_html_(self) -> str:
        """Return the same for a notebook."""
        return in_notebook(self)

    @property
    def _words(self) -> str:
        return f"Traces({self.module})"

    def _no_layer(self, name: str, names: Sequence[str]) -> UnknownNameError:
        if name in self.idle:
            rule = "a layer is traced when the module calls it"
            found, fix = f"no call of {name!r}", f"it has {', '.join(names)}"
            return UnknownNameError(self._words, rule, found, fix)
        return _unknown(self._words, "layer", name, names)


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows of texts as lines, in columns that are aligned."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(f"{x:{w}}" for x, w in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _row(trace: LayerTrace) -> tuple[str, ...]:
    steps, rows = trace.input.shape[:2]
    names = list(trace)
    # An LSTM's six names are worth reading, the 48 of a stack are not.
    shown = " ".join(names[:6]) + (f" and {len(names) - 6} more" * (len(names) > 6))
    head = (trace.key, trace.cell, trace.backend)
    return (*head, f"{steps}", f"{rows}", shown)


def _unknown(
    where: str, what: str, name: str, names: Sequence[str]
) -> UnknownNameError:
    rule = f"no {what} {name!r}"
    return UnknownNameError(where, rule, _listed(names), did_you_mean(name, names))


def _listed(names: Sequence[str] | Mapping[str, object]) -> str:
    return f"it has {', '.join(names)}"
