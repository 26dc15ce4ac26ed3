"""What is said where a replay and a layer differ, and the likely reason."""

from __future__ import annotations

from typing import NamedTuple

from torch import nn

from cellwright.nn.dropin import DropIn
from cellwright.nn.recurrent import Recurrent
from cellwright.tolerances import TOLERANCES

from .parting import Parting
from .recurrent_kinds import Layer
from .trace_errors import ReplayError

EQUAL = "values are shown only where they are those that the layer computed"
AT_FAULT = "this is a fault of cellwright, not of your model: please report it"
_TORCHS = (nn.LSTM, nn.GRU, nn.RNN, nn.LSTMCell, nn.GRUCell, nn.RNNCell)


class Against(NamedTuple):
    """What a value was held against.

    Args:
        what: in words.
        bound: how far apart they may be.
    """

    what: str
    bound: float


def refusal(
    layer: str, quantity: str, parted: Parting, against: Against, fix: str
) -> ReplayError:
    """Return the error that says what differs, where first, and by how much.

    Args:
        layer: in words.
        quantity: ``output``, ``last h``, or a value such as ``f_l0``.
        parted: where.
        against: what it was held against.
        fix: what to do.
    """
    axis = "L*D" if quantity.startswith("last ") else "T"
    place = {axis: parted.step, "B": parted.row, "unit": parted.unit}
    words = ", ".join(f"{name}={value}" for name, value in place.items())
    more = f", and so at {parted.steps} of {axis}" if parted.steps > 1 else ""
    found = (
        f"{quantity}[{words}] is {parted.here:.9g}, and {parted.there:.9g} in "
        f"{against.what}{more}; the largest difference is {parted.largest:.1e}, "
        f"allowed are {against.bound:.1e}"
    )
    return ReplayError(layer, EQUAL, found, fix, quantity, place, parted.largest)


def rounding(own: float, fix: str) -> str:
    """Return that a network makes too much of rounding, empty where it does not.

    Args:
        own: how far its replay in float32 is from that in float64.
        fix: what to do about it.
    """
    if own <= TOLERANCES["replay", "float32"].bound:
        return ""
    return (
        "the network carries rounding on from step to step, the same replay in float32 "
        f"and in float64 differ by {own:.1e}: {fix}"
    )


def likely_fix(layer: Layer, own: float) -> str:
    """Return why a layer probably differs from its replay, and what to do.

    Args:
        layer: the layer.
        own: how far its replay in float32 is from that in float64, 0 if unknown.
    """
    copy = "trace a copy, copy.deepcopy(model).double(), on x.double()"
    if words := rounding(own, copy):
        return words
    if isinstance(layer, Recurrent | DropIn):
        return AT_FAULT
    kind = next(base.__name__ for base in _TORCHS if isinstance(layer, base))
    if type(layer) not in _TORCHS or "forward" in vars(layer):
        return (
            f"{type(layer).__name__} has a forward of its own, which computes "
            f"something else than torch.nn.{kind}: write its equations as a .cell file "
            "and run them by cellwright.nn.Recurrent"
        )
    if next(layer.parameters()).is_cuda:
        return (
            "cuDNN may round to TF32: set torch.backends.cudnn.allow_tf32 = False, or "
            "trace a copy on the CPU"
        )
    return (
        "its weights were changed while it ran, or something works inside of its "
        "forward: trace the model outside of that"
    )
