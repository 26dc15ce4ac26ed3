"""Swap the recurrent layers of a model for ours, and back."""

from __future__ import annotations

from typing import Literal

from torch import nn
from torch.nn.utils import parametrize

from cellwright.compiler.choose import choose

from .dropin import DropIn
from .dropins import GRU, LSTM, RNN
from .errors import OptionError
from .memory import memory_asked
from .recurrent import Recurrent
from .report import BackendReport, Row
from .swap import become

_OURS: dict[type[nn.RNNBase], type[DropIn]] = {nn.LSTM: LSTM, nn.GRU: GRU, nn.RNN: RNN}
_KINDS = ("LSTM", "GRU", "RNN", "LSTMCell", "GRUCell", "RNNCell")


def convert(
    model: nn.Module,
    to: Literal["cellwright", "torch"] = "cellwright",
    backend: str = "auto",
) -> BackendReport:
    """Swap every torch.nn.LSTM, GRU and RNN of a model for ours, in place, or back.

    A layer stays the same object with the same Parameters, hooks and buffers: only its
    class changes. Optimisers, shared layers and names of the `state_dict` are not
    affected.

    Args:
        model: any module; it may be such a layer itself.
        to: ``"cellwright"``, or ``"torch"`` to put torch.nn's layers back.
        backend: of our layers.

    Returns:
        What runs every recurrent layer of the model, and why, also where it was left
        alone.

    Raises:
        OptionError: for something that is no module, or another ``to``.

    Example:
        >>> import torch, cellwright as cw
        >>> model = torch.nn.ModuleDict({"rnn": torch.nn.GRU(3, 8)})
        >>> print(cw.convert(model))  # doctest: +ELLIPSIS
        layer  backend  memory  reason
        rnn    c        store   a compiled kernel, ...
        >>> type(model["rnn"]) is cw.nn.GRU
        True
    """
    if not isinstance(model, nn.Module):
        raise OptionError(
            f"convert takes a torch.nn.Module, got {type(model).__name__}"
        )
    if to not in ("cellwright", "torch"):
        raise OptionError(f"convert: to={to!r} is none of 'cellwright', 'torch'")
    choose(backend, torch_has_it=True)
    change = _to_ours if to == "cellwright" else _to_torch
    rows: list[Row] = []
    for name, module in model.named_modules():
        found = change(module, backend)
        if found is not None:
            ours = isinstance(module, DropIn | Recurrent)
            memory = module.memory if ours else "store"
            rows.append(Row(name or type(module).__name__, *found, memory))
    return BackendReport(tuple(rows))


def _to_ours(module: nn.Module, backend: str) -> tuple[str, str] | None:
    """Convert a module; return what runs it and why, or None if it is no layer."""
    if type(module) in _OURS and "forward" not in vars(module):
        assert isinstance(module, nn.RNNBase)
        become(module, _OURS[type(module)], backend)
        return _running(module)
    if isinstance(module, DropIn | Recurrent):
        engine, reason = _running(module)
        return engine, f"already cellwright's; {reason}"
    return _left_alone(module)


def _to_torch(module: nn.Module, _: str) -> tuple[str, str] | None:
    if type(module) in _OURS.values() and "forward" not in vars(module):
        assert isinstance(module, DropIn)
        if on := [*module.regularisers(), *memory_asked(module.memory)]:
            has_not = f"torch.nn.{type(module).__name__} has no {', '.join(on)}"
            return _running(module)[0], f"{has_not}: left alone"
        become(module, module.torch_class)
        return "torch", f"torch.nn.{type(module).__name__} again"
    if isinstance(module, Recurrent):
        return (
            module.backend,
            "torch.nn has no layer for a cell's equations: left alone",
        )
    if type(module) in _OURS:
        return "torch", f"already torch.nn.{type(module).__name__}"
    return _left_alone(module)


def _running(module: nn.Module) -> tuple[str, str]:
    assert isinstance(module, DropIn | Recurrent)
    row = module.backend_report().rows[0]
    return row.backend, row.reason


def _left_alone(module: nn.Module) -> tuple[str, str] | None:
    """Return why a recurrent layer is not converted, or None for any other module."""
    name = type(module).__name__
    kind = next((base for base in _OURS if isinstance(module, base)), None)
    if "forward" in vars(module) and isinstance(module, nn.RNNBase):
        return "torch", "its forward was replaced: left alone"
    if isinstance(module, nn.RNNBase) and parametrize.is_parametrized(module):
        return "torch", "parametrized: left alone; convert first, then parametrize"
    if kind is not None:
        return "torch", (
            f"{name} is a subclass of torch.nn.{kind.__name__} and may compute "
            "something else: left alone"
        )
    if isinstance(module, nn.RNNCellBase):
        return (
            "torch",
            f"torch.nn.{name} is one step, not a layer over time: left alone",
        )
    # By name, because importing torch.ao only to ask would warn that it is going.
    if ".quantiz" in f".{type(module).__module__}." and name in _KINDS:
        return "torch", "quantized: left alone"
    if isinstance(module, nn.RNNBase):
        return "torch", f"{name} is a torch.nn.RNNBase of its own: left alone"
    return None
