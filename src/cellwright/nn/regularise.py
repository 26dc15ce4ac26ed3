"""Zoneout, variational dropout and weight dropout: what a layer is told about them."""

from __future__ import annotations

import math
import warnings
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from numbers import Real
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from cellwright.ir.graph import Graph
from cellwright.language.report import did_you_mean

from .errors import OptionError
from .torch_weights import split_suffix

Zoneout = float | Mapping[str, float]
"""A share for every state, or one each by their names."""

REGULARISERS: Mapping[str, float] = {
    "zoneout": 0.0,
    "variational_dropout": 0.0,
    "weight_dropout": 0.0,
}
"""The arguments and their defaults, at which nothing is kept or dropped."""


def read_share(owner: str, name: str, value: Any) -> float:
    """Return a share that a person gave.

    Raises:
        OptionError: when it is no number from 0 to 1.
    """
    number = isinstance(value, Real) and not isinstance(value, bool)
    if number and 0 <= float(value) <= 1:
        return float(value)
    raise OptionError(f"{owner}: {name} is a share from 0 to 1; found {value!r}")


Draws = dict[str, Tensor]
"""The masks that a call draws once for all of its steps, by name and suffix."""


class Regularised(Protocol):
    """A layer with these arguments; `hold_draws` sets ``held``."""

    zoneout: Zoneout
    variational_dropout: float
    weight_dropout: float
    training: bool
    held: Draws | None


def set_regularisers(
    layer: Regularised,
    states: Sequence[str],
    zoneout: object,
    variational_dropout: object,
    weight_dropout: object,
    infinite: Collection[str] = (),
) -> None:
    """Check the arguments and set them as attributes of the layer.

    Args:
        layer: gets them.
        states: the cell's states.
        zoneout: a share, or shares by state.
        variational_dropout: a share.
        weight_dropout: a share.
        infinite: states that begin at an infinity.

    Raises:
        OptionError: for a state that the cell has not or that is infinite, or what is
            no share.
    """
    me = type(layer).__name__
    layer.zoneout = _read_zoneout(me, zoneout, states)
    for name in zoneout_shares(layer.zoneout, states):
        # In evaluation a mean with it would never leave it.
        if name in infinite:
            others = ", ".join(f"{n!r}: ..." for n in states if n not in infinite)
            raise OptionError(
                f"{me}: zoneout of {name}: it begins at an infinity, which has no mean "
                f"with another value; write zoneout={{{others}}}"
            )
    layer.variational_dropout = read_share(
        me, "variational_dropout", variational_dropout
    )
    layer.weight_dropout = read_share(me, "weight_dropout", weight_dropout)


def _read_zoneout(owner: str, zoneout: object, states: Sequence[str]) -> Zoneout:
    if not isinstance(zoneout, Mapping):
        return read_share(owner, "zoneout", zoneout)
    for name in zoneout:
        if name not in states:
            close = did_you_mean(str(name), states)
            text = f"{owner}: zoneout: no state {name!r}; it has {', '.join(states)}."
            raise OptionError(f"{text} {close}".rstrip())
    return {n: read_share(owner, f"zoneout of {n}", v) for n, v in zoneout.items()}


def infinite_states(graph: Graph) -> list[str]:
    """Return the states whose declared first value is an infinity.

    Example:
        >>> import cellwright as cw
        >>> infinite_states(cw.cells.load("slstm").graph)
        ['m']
    """
    first = [(s.name, graph.nodes[s.first].attr) for s in graph.states]
    return [n for n, value in first if isinstance(value, float) and math.isinf(value)]


def zoneout_shares(zoneout: Zoneout, states: Sequence[str]) -> dict[str, float]:
    """Return the share of each state that has one above 0.

    Example:
        >>> zoneout_shares(0.1, ["h", "c"])
        {'h': 0.1, 'c': 0.1}
    """
    given = zoneout if isinstance(zoneout, Mapping) else dict.fromkeys(states, zoneout)
    return {name: given[name] for name in states if given.get(name)}


def may_zone_out(layer: Regularised) -> bool:
    """Whether a state keeps some of its value; shares by state may be set in place."""
    return isinstance(layer.zoneout, Mapping) or layer.zoneout > 0


def draws_of(layer: Regularised) -> Draws:
    """Return where a call of a layer finds and keeps what it draws once."""
    return {} if layer.held is None else layer.held


def drawn_mask(draws: Draws, name: str, like: Tensor, share: float) -> Tensor:
    """Return the mask of what is dropped: 0 by chance, and 1 / (1 - share) elsewhere.

    Args:
        draws: has it if it was drawn before, and keeps it if not.
        name: with the suffix of layer and direction.
        like: has the shape, the dtype and the device.
        share: of the entries that is 0.
    """
    if name not in draws:
        draws[name] = F.dropout(torch.ones_like(like), share)
    return draws[name]


def drop_weights(
    weights: Mapping[str, Tensor],
    recurrent: Collection[str],
    share: float,
    draws: Draws,
) -> dict[str, Tensor]:
    """Return weights with a share of the entries of some of them dropped, by chance.

    What is left is scaled by ``1 / (1 - share)``. Nothing is drawn for a share of 0.

    Args:
        weights: tensors by name and suffix (``U_l0_reverse``).
        recurrent: the names that are meant, without suffix.
        share: of the entries.
        draws: what this call, or those that it shares draws with, has drawn.
    """
    if not share:
        return dict(weights)
    return {
        name: w * drawn_mask(draws, name, w, share)
        if split_suffix(name)[0] in recurrent
        else w
        for name, w in weights.items()
    }


@contextmanager
def hold_draws(layers: Iterable[Regularised]) -> Iterator[None]:
    """Let calls of layers in a ``with`` block be one call for what is drawn once.

    The first call draws; the others find it. Rows are the same in all of them.

    Args:
        layers: of a sequence that is run step by step.
    """
    dropping = [
        (layer, layer.held)
        for layer in layers
        if layer.training and (layer.variational_dropout or layer.weight_dropout)
    ]
    for layer, _ in dropping:
        layer.held = {}
    try:
        yield
    finally:
        for layer, before in dropping:
            layer.held = before


def dropout_share(owner: str, dropout: float, num_layers: int) -> float:
    """Return the dropout between layers; it warns where there is nothing between."""
    share = read_share(owner, "dropout", dropout)
    if share > 0 and num_layers == 1:
        warnings.warn(
            "dropout acts between layers, so with num_layers=1 it does nothing; "
            "variational_dropout acts inside of one",
            stacklevel=3,
        )
    return share
