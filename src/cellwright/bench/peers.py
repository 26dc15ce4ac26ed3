"""The contenders of a row of layers, one small function for each peer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import torch
from torch import nn

from cellwright.nn import GRU, LSTM, RNN, Recurrent

from . import jax_peer, onnx_peer
from .contender import (
    Contender,
    Sequence,
    computed,
    module,
    multiply_adds,
    sequence,
)
from .errors import AbsentError, BenchError
from .loops import FORMS, Loop
from .registry import (
    COMPILED,
    JAX,
    LOOP,
    ONNX,
    OUR_LSTM,
    OURS,
    REFERENCE,
    SGEMM,
    TORCH,
    Case,
    Shape,
    peers_at,
)

DROP_INS: Mapping[
    str, tuple[Callable[..., LSTM | GRU | RNN], Callable[..., nn.RNNBase]]
] = {
    "lstm": (LSTM, nn.LSTM),
    "gru": (GRU, nn.GRU),
    "elman": (RNN, nn.RNN),
}
"""By cell, our layer in torch's form, and torch's."""

SGEMM_SHAPES = ((6400, 1024, 256), (2048, 2048, 512), (1024, 1024, 1024))
"""Rows, columns and inner length: all steps of a layer at once, and squares."""


@dataclass(frozen=True)
class Row:
    """What the contenders of one row are made from.

    Args:
        case: the case.
        given: what they read.
    """

    case: Case
    given: Sequence

    @cached_property
    def name(self) -> str:
        """What the cell is called in the tables of peers."""
        cell = self.case.cell
        return cell if isinstance(cell, str) else cell.stem

    @cached_property
    def layer(self) -> Recurrent | LSTM | GRU | RNN:
        """Our layer, a drop-in where torch has the cell."""
        shape = self.given.shape
        torch.manual_seed(0)
        if self.name in DROP_INS and TORCH in self.case.peers:
            return DROP_INS[self.name][0](shape.I, shape.H)
        return recurrent(self.case.cell, shape, **self.case.options)

    @cached_property
    def twin(self) -> nn.RNNBase:
        """Torch's layer; with our weights where these have torch's form."""
        shape = self.given.shape
        torch.manual_seed(0)
        twin = DROP_INS.get(self.name, (LSTM, nn.LSTM))[1](shape.I, shape.H)
        if self.name in DROP_INS:
            twin.load_state_dict(self.layer.state_dict())
        return twin

    def ours(self, steps: int) -> Mapping[str, torch.Tensor]:
        """Return what our layer computes."""
        return computed(self.layer, self.given, steps)


def recurrent(cell: Any, shape: Shape, **options: Any) -> Recurrent:
    """Return our layer of any cell."""
    return Recurrent(cell, shape.I, shape.H, **options)


def _work(row: Row, cell: Any, **options: Any) -> int:
    shape = row.given.shape
    layer = recurrent(cell, shape, device="meta", **options)
    return multiply_adds(layer.graph, layer._sizes[0], row.given.what, shape)


def _ours(row: Row) -> list[Contender]:
    work = _work(row, row.case.cell, **row.case.options)
    truth = row.twin if isinstance(row.layer, LSTM | GRU | RNN) else _reference(row)
    expected = partial(computed, truth, row.given)
    return [module(OURS, row.layer, row.given, work, expected)]


def _reference(row: Row) -> Recurrent:
    """Return our layer on the reference backend, with the same weights."""
    options = {**row.case.options, "backend": "reference"}
    layer = recurrent(row.case.cell, row.given.shape, **options)
    layer.load_state_dict(row.layer.state_dict())
    return layer


def _our_lstm(row: Row) -> list[Contender]:
    torch.manual_seed(0)
    lstm = replace(row.case, name="lstm", cell="lstm", peers=(), options={})
    (found,) = _ours(Row(lstm, row.given))
    return [replace(found, name=OUR_LSTM)]


def _torch(row: Row) -> list[Contender]:
    # Beside a cell that torch has not, its LSTM is what one would take instead.
    expected = row.ours if row.name in DROP_INS else None
    found = module(TORCH, row.twin, row.given, expected=expected)
    return [found if expected else replace(found, compute=None)]


def _loop(row: Row) -> list[Contender]:
    form = FORMS[row.name]
    loop = Loop(form, dict(row.layer.named_parameters()))
    return [module(LOOP, loop, row.given, expected=lambda n: form.pack(row.ours(n)))]


def _compiled(row: Row) -> list[Contender]:
    form = FORMS[row.name]
    loop = Loop(form, dict(row.layer.named_parameters()))
    compiled: Any = torch.compile(loop)
    found = module(COMPILED, compiled, row.given)
    # A trial with fewer steps would be compiled once more, for minutes.
    whole = row.given.shape.T

    def compute(_: int) -> Mapping[str, torch.Tensor]:
        try:
            values = computed(compiled, row.given, whole)
        except RuntimeError as error:
            reason = str(error).strip().partition("\n")[0]
            raise AbsentError(f"it does not compile: {reason}") from error
        return {name.removeprefix("_orig_mod."): v for name, v in values.items()}

    expected = lambda _: form.pack(row.ours(whole))  # noqa: E731
    return [replace(found, compute=compute, expected=expected)]


def _onnx(row: Row) -> list[Contender]:
    return [onnx_peer.contender(row.name, row.twin, row.given, row.ours)]


def _jax(row: Row) -> list[Contender]:
    return [jax_peer.contender(row.name, row.twin, row.given, row.ours)]


def _by_reference(row: Row) -> list[Contender]:
    return [module(REFERENCE, _reference(row), row.given, expected=row.ours)]


def _sgemm(_: Row) -> list[Contender]:
    found: list[Contender] = []
    for rows, columns, inner in SGEMM_SHAPES:
        a, b = torch.randn(rows, inner), torch.randn(inner, columns)
        run = partial(torch.mm, a, b, out=torch.empty(rows, columns))
        name = f"{SGEMM} {rows}x{columns}x{inner}"
        found.append(Contender(name, run, rows * columns * inner))
    return found


PEERS: Mapping[str, Callable[[Row], list[Contender]]] = {
    TORCH: _torch,
    LOOP: _loop,
    COMPILED: _compiled,
    ONNX: _onnx,
    JAX: _jax,
    REFERENCE: _by_reference,
    OUR_LSTM: _our_lstm,
    SGEMM: _sgemm,
}
"""By name, what makes the contenders of a peer, or raises AbsentError."""


def makers(
    case: Case, what: str, shape: Shape
) -> Mapping[str, Callable[[], list[Contender]]]:
    """Return what makes the contenders of a row of layers, ours first.

    Args:
        case: the case.
        what: which direction.
        shape: B, T, I and H.

    Raises:
        BenchError: there are no kernels here, so that there is nothing to measure.
    """
    row = Row(case, sequence(what, shape))
    report = row.layer.backend_report().rows[0]
    if report.backend != "c":
        raise BenchError(f"{case.name}: runs by {report.backend}: {report.reason}")
    found = {OURS: partial(_ours, row)}
    return {**found, **{p: partial(PEERS[p], row) for p in peers_at(case, what, shape)}}
