"""The recurrent layers that are looked into: ours, torch.nn's layers and its cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from torch import Tensor, nn

from cellwright.nn.call import Form
from cellwright.nn.dropin import DropIn
from cellwright.nn.dropin_form import dropin_form
from cellwright.nn.extras import Request, Settings, asked_for
from cellwright.nn.memory import Memory
from cellwright.nn.recurrent import Recurrent
from cellwright.nn.regularise import REGULARISERS, Draws, Zoneout, zoneout_shares
from cellwright.nn.stateful import in_words, state_names

from .trace_errors import TraceError

TorchCell = nn.LSTMCell | nn.GRUCell | nn.RNNCell
Layer = Recurrent | nn.RNNBase | TorchCell
"""One of ours, a drop-in, one of torch.nn's, or one of its cells."""

LOOKED_FOR = (
    "cellwright.nn's Recurrent, LSTM, GRU and RNN, and torch.nn's LSTM, GRU, RNN, "
    "LSTMCell, GRUCell and RNNCell"
)


@dataclass
class Plain:
    """The settings of a layer that has nothing beyond torch.nn."""

    batch_first: bool = False
    dropout: float = 0.0
    zoneout: Zoneout = 0.0
    variational_dropout: float = 0.0
    weight_dropout: float = 0.0
    training: bool = False
    memory: Memory = "store"
    held: Draws | None = field(default=None)


def find_layers(module: object, owner: str) -> dict[str, Layer]:
    """Return the recurrent layers of a module by name; its own name is empty.

    Args:
        module: what was given.
        owner: who asks, for messages.

    Raises:
        TraceError: when it is no module, has no such layer, or has one that draws
            random numbers.
    """
    if not isinstance(module, nn.Module):
        found = f"a {type(module).__name__}"
        raise TraceError(owner, "what is looked into is a torch.nn.Module", found)
    where = f"{owner}({type(module).__name__})"
    named = module.named_modules()
    layers = {name: each for name, each in named if isinstance(each, Layer)}
    if not layers:
        inside = {type(m).__name__: None for m in module.modules()}
        raise TraceError(
            where,
            f"a recurrent layer is one of {LOOKED_FOR}",
            f"none; there are modules of {', '.join(inside)}",
            "write the recurrence as a .cell file and run it by "
            "cellwright.nn.Recurrent, whose every value can be traced",
        )
    drawing = [f"{in_words(n, m)}: {d}" for n, m in layers.items() if (d := draws(m))]
    if drawing:
        raise TraceError(
            where,
            "a layer that draws random numbers gives others each time",
            "\n         ".join(drawing),
            "call model.eval() first, which turns them off",
        )
    return layers


def nothing_ran(where: str, names: Sequence[str]) -> TraceError:
    """Return the error of a run that called none of its recurrent layers.

    Args:
        where: who asked, for messages.
        names: of the layers.
    """
    return TraceError(
        where,
        "a layer is looked into when it is called, layer(x)",
        f"the run called none of {', '.join(map(repr, names))}",
        "call the module so that it runs them, and layers as layer(x), not "
        "layer.forward(x), which others cannot see",
    )


def draws(layer: Layer) -> str:
    """Return what a layer in training draws random numbers for, in words."""
    if not layer.training or isinstance(layer, TorchCell):
        return ""
    found: dict[str, Zoneout] = {}
    found["dropout"] = layer.dropout if layer.num_layers > 1 else 0.0
    if isinstance(layer, Recurrent | DropIn):
        found |= {name: getattr(layer, name) for name in REGULARISERS}
        if not zoneout_shares(layer.zoneout, state_names(layer)):
            del found["zoneout"]
    return ", ".join(f"{name}={value}" for name, value in found.items() if value)


def runs_by(layer: Layer, request: Request) -> str:
    """Return what runs a call of a layer: ``c``, ``reference`` or ``torch``.

    Args:
        layer: that is called.
        request: what is asked for beyond torch.nn.
    """
    if not isinstance(layer, Recurrent | DropIn):
        return "torch"
    # A drop-in on torch's path has a second row, for what torch.nn has not.
    rows = layer.backend_report().rows
    return rows[-1 if asked_for(request._asdict()) else 0].backend


def form_of(layer: Layer) -> Form:
    """Return what a layer is, a cell as a layer over time."""
    if isinstance(layer, Recurrent):
        return layer._form()
    words = in_words("", layer)
    if isinstance(layer, nn.RNNBase):
        sizes = (layer.input_size, layer.hidden_size, layer.proj_size)
        rest = (layer.num_layers, layer.bias, layer.bidirectional)
        return dropin_form(words, layer.mode, *sizes, *rest)
    sizes = (layer.input_size, layer.hidden_size, 0)
    return dropin_form(words, mode_of(layer), *sizes, 1, layer.bias, False)


def mode_of(cell: TorchCell) -> str:
    """Return the mode of a torch.nn.RNNBase that computes what a cell does."""
    if isinstance(cell, nn.RNNCell):
        return f"RNN_{cell.nonlinearity.upper()}"
    return "LSTM" if isinstance(cell, nn.LSTMCell) else "GRU"


def settings_of(layer: Layer) -> Settings:
    """Return how a layer is set just now."""
    if isinstance(layer, Recurrent | DropIn):
        return layer
    first = isinstance(layer, nn.RNNBase) and layer.batch_first
    return Plain(batch_first=first)


def weights_of(layer: Layer) -> Mapping[str, Tensor]:
    """Return the weights that a layer computes with just now, by name and suffix."""
    if isinstance(layer, Recurrent):
        return layer._weights()
    if isinstance(layer, nn.RNNBase):
        # What torch computes with, also where a parametrization says otherwise.
        pairs = zip(layer._flat_weights_names, layer._flat_weights, strict=True)
        return {name: value for name, value in pairs if value is not None}
    biases = ("bias_ih", "bias_hh") if layer.bias else ()
    names = ("weight_ih", "weight_hh", *biases)
    return {f"{name}_l0": getattr(layer, name) for name in names}
