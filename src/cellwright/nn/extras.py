"""What a layer does beyond torch.nn: masks, resets, traces, states, zoneout, dropout.

A `Request` is what one call asks for, as it was given. `Extras` is the same, read and
joined with what the layer was made with: which rewrites of the cell's graph it needs,
and the further inputs that these have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol

from torch import Tensor

from cellwright.ir.graph import Graph, Input
from cellwright.language.report import did_you_mean
from cellwright.passes.rewrite import Kind, Rewrites, input_kind

from .errors import OptionError
from .memory import Memory
from .regularise import Draws, Regularised, drawn_mask, draws_of, zoneout_shares
from .shapes import Layout
from .steps import Lengths, at_steps, read_flags, read_lengths, seen_backwards

States = Literal["last", "all"]


class Settings(Regularised, Protocol):
    """What of a layer may be set anew between calls."""

    batch_first: bool
    dropout: float

    @property
    def memory(self) -> Memory:
        """What is kept for a backward pass."""
        ...


class Request(NamedTuple):
    """What a call asks for beyond torch.nn, as the caller gave it.

    Args:
        lengths: how many steps each row has.
        mask: where a step happens.
        reset: where a new sequence begins.
        trace: names of values to return at every step.
        return_states: ``"last"`` or ``"all"``.
    """

    lengths: Lengths | None = None
    mask: Tensor | None = None
    reset: Tensor | None = None
    trace: Sequence[str] = ()
    return_states: States = "last"


def asked_for(request: Mapping[str, Any]) -> list[str]:
    """Return the names of what a call asks for, among the fields of a `Request`.

    They come as a plain mapping, because torch.compile follows no dataclass in every
    version of torch.
    """
    found = [n for n in ("lengths", "mask", "reset") if request[n] is not None]
    if len(request["trace"]):
        found.append("trace")
    if request["return_states"] != "last":
        found.append("return_states")
    return found


@dataclass(frozen=True)
class Extras:
    """What a run has beyond the cell; by default nothing.

    Args:
        keep: where a step happens, ``[T, B]`` of bool.
        reset: where a new sequence begins, likewise, and only at steps that happen.
        trace: names of values to return at every step.
        all_states: whether states are returned at every step.
        zoneout: share of the units that keep their value, by state.
        dropout: share that variational dropout drops.
        training: whether chance is on.
        memory: what is kept for a backward pass.
        draws: what is drawn once for all steps, filled while the layers run.
    """

    keep: Tensor | None = None
    reset: Tensor | None = None
    trace: tuple[str, ...] = ()
    all_states: bool = False
    zoneout: Mapping[str, float] = field(default_factory=dict[str, float])
    dropout: float = 0.0
    training: bool = False
    memory: Memory = "store"
    draws: Draws = field(default_factory=dict[str, Tensor])

    def rewrites(self) -> Rewrites:
        """Return which changes of the cell's graph this needs."""
        zoned = tuple(sorted(self.zoneout))
        return Rewrites(
            mask=self.keep is not None,
            reset=self.reset is not None,
            zoneout=zoned if self.training else (),
            zoneout_mean=() if self.training else zoned,
            dropout=self.training and self.dropout > 0,
        )

    def inputs(
        self,
        declared: Sequence[Input],
        sizes: Mapping[str, int],
        x: Tensor,
        suffix: str,
    ) -> list[Tensor]:
        """Return what the further inputs of a rewritten graph are.

        Args:
            declared: those that a rewrite added, by its names.
            sizes: every named size.
            x: the input of this layer, ``[T, B, I]``.
            suffix: of the layer and its direction, as its weights have it.
        """
        return [self._input(each, sizes, x, suffix) for each in declared]

    def _input(
        self, declared: Input, sizes: Mapping[str, int], x: Tensor, suffix: str
    ) -> Tensor:
        backwards = suffix.endswith("_reverse")
        kind, subject = input_kind(declared.name)
        steps, rows = x.shape[:2]
        shape = (rows, *(size.evaluate(sizes) for size in declared.shape))
        match kind:
            case Kind.KEEP:
                assert self.keep is not None
                return (self.keep.flip(0) if backwards else self.keep).to(x.dtype)
            case Kind.RESET:
                assert self.reset is not None
                reset = self.reset
                if backwards:
                    reset = seen_backwards(reset, self.keep)
                return reset.to(x.dtype)
            case Kind.ZONE:
                return x.new_empty(steps, *shape).bernoulli_(self.zoneout[subject])
            case Kind.SHARE:
                return x.new_full(shape, self.zoneout[subject]).expand(steps, *shape)
            case Kind.DROP:
                # One mask a sequence: every step sees the same.
                like, name = x.new_empty(shape), declared.name + suffix
                mask = drawn_mask(self.draws, name, like, self.dropout)
                return mask.expand(steps, *shape)


def read_extras(
    request: Request,
    graph: Graph,
    x: Tensor,
    layout: Layout,
    layer: Settings,
) -> Extras:
    """Check what a call asks for, and return it with what the layer was made with.

    Args:
        request: what the call asks for.
        graph: the cell.
        x: the input, ``[T, B, I]``.
        layout: how the input lay.
        layer: has zoneout, variational dropout and what memory holds, and is in
            training or not.

    Raises:
        DtypeError, ShapeError: for lengths, a mask or resets that do not fit.
        OptionError: for a trace that the cell has not, or other states than
            ``"last"`` and ``"all"``.
    """
    keep, reset = None, None
    if request.lengths is not None:
        keep = read_lengths(request.lengths, x, layout)
    if request.mask is not None:
        mask = read_flags("mask", request.mask, x, layout)
        keep = mask if keep is None else keep & mask
    if request.reset is not None:
        reset = read_flags("reset", request.reset, x, layout)
        if keep is not None:
            reset = at_steps(reset, keep)
    if request.return_states not in ("last", "all"):
        raise OptionError(
            f"{layout.layer}: return_states={request.return_states!r} is none of "
            "'last', 'all'"
        )
    return Extras(
        keep,
        reset,
        _read_trace(request.trace, graph, layout.layer),
        request.return_states == "all",
        zoneout_shares(layer.zoneout, [state.name for state in graph.states]),
        layer.variational_dropout,
        layer.training,
        layer.memory,
        draws_of(layer),
    )


def traceable(graph: Graph) -> list[str]:
    """Return the names of the values that a call can ask for at every step."""
    return [v.name for v in graph.values if len(graph.nodes[v.node].shape) <= 1]


def _read_trace(trace: Sequence[str], graph: Graph, layer: str) -> tuple[str, ...]:
    known = traceable(graph)
    listed = ", ".join(known)
    if isinstance(trace, str):
        raise OptionError(
            f"{layer}: trace is a tuple of names, also of one: write trace=({trace!r},)"
        )
    for name in trace:
        if name in known:
            continue
        if graph.value(name) is not None:
            raise OptionError(
                f"{layer}: {name!r} is a matrix, made of weights: it has no steps to "
                f"trace; what has some is {listed}"
            )
        close = did_you_mean(name, known)
        text = f"{layer}: {graph.name} has no value {name!r} to trace: it has {listed}."
        raise OptionError(f"{text} {close}".rstrip())
    return tuple(dict.fromkeys(trace))
