"""The ways in which layers stand on top of one another: what each reads and puts out.

A wiring is three answers. What follows from them, widths and tensors, stands here once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from cellwright.language.report import did_you_mean

from .errors import OptionError
from .steps import Lengths

WiringName = Literal["plain", "skip", "residual", "dnc"]


class Wiring(NamedTuple):
    """What a stack's layers read and put out.

    Args:
        sees_input: whether the layers above the lowest read the stack's input too, in
            front of what the layer below puts out.
        adds_input: whether what a layer reads is added to what it puts out.
        puts_out_all: whether the stack puts out what all its layers do, side by side.
    """

    sees_input: bool = False
    adds_input: bool = False
    puts_out_all: bool = False

    def reads(self, index: int, input_size: int, below: int) -> int:
        """Return the number of features that a layer reads.

        Args:
            index: of the layer, from below.
            input_size: features of the stack's input.
            below: features that come from below.
        """
        return below + input_size if index and self.sees_input else below

    def puts_out(self, widths: Sequence[int]) -> int:
        """Return the number of features that the stack puts out.

        Args:
            widths: of the layers' outputs.
        """
        return sum(widths) if self.puts_out_all else widths[-1]


WIRINGS: dict[str, Wiring] = {
    "plain": Wiring(),
    "skip": Wiring(sees_input=True),
    "residual": Wiring(adds_input=True),
    "dnc": Wiring(sees_input=True, puts_out_all=True),
}
"""Each wiring by its name."""


def read_wiring(owner: str, name: object) -> Wiring:
    """Return a wiring that a person named.

    Raises:
        OptionError: when there is none of this name.
    """
    if isinstance(name, str) and name in WIRINGS:
        return WIRINGS[name]
    listed = ", ".join(map(repr, WIRINGS))
    text = f"{owner}: wiring={name!r} is none of {listed}."
    raise OptionError(f"{text} {did_you_mean(str(name), WIRINGS)}".rstrip())


def side_by_side(values: Sequence[Any]) -> Any:
    """Return sequences of the same steps as one, their features side by side."""
    return on_features(lambda *each: torch.cat(each, -1), *values)


def on_features(function: Callable[..., Tensor], *values: Any) -> Any:
    """Apply a function that minds features only, to tensors or to packed sequences.

    Args:
        function: takes and returns tensors.
        *values: all tensors, or all PackedSequences of the same steps.
    """
    if not isinstance(values[0], PackedSequence):
        return function(*values)
    _, sizes, order, back = values[0]
    data = function(*[value.data for value in values])
    return PackedSequence(data, sizes, order, back)


def at_steps_only(
    x: Any, batch_first: bool, lengths: Lengths | None, mask: Tensor | None
) -> Any:
    """Return a sequence with 0 at the steps that do not happen, whatever stood there.

    Args:
        x: a tensor; a PackedSequence, which has only steps that happen, comes back.
        batch_first: its layout.
        lengths: that a layer has found to fit, like the mask.
        mask: True where a step happens.
    """
    if isinstance(x, PackedSequence):
        return x
    if lengths is not None:
        turned = batch_first and x.dim() == 3
        steps = torch.arange(x.shape[1 if turned else 0], device=x.device)
        counts = torch.as_tensor(lengths, device=x.device)
        if turned:
            counts = counts.unsqueeze(1)
        elif x.dim() == 3:
            steps = steps.unsqueeze(1)
        x = torch.where((steps < counts).unsqueeze(-1), x, 0)
    return x if mask is None else torch.where(mask.unsqueeze(-1), x, 0)
