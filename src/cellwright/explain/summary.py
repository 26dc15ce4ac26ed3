"""What is true of a network, in one call: for a script, a notebook, a program."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import torch
from torch import Tensor, nn

from cellwright.errors import CellwrightValueError

from .facts import Network
from .network import network
from .notebook import WIDTH, in_notebook, quiet_console
from .terminal import network_view

Sizes = Sequence[int] | Sequence[Sequence[int]]


class SummaryError(CellwrightValueError):
    """Arguments of a summary that do not go together."""


@dataclass(frozen=True, repr=False)
class Summary(Network):
    """The facts of a network, which show themselves.

    Printed they are a table and every layer opened, in a notebook the same with
    colours; `to_json` gives plain data.
    """

    def __repr__(self) -> str:
        """Return the table and the layers."""
        return self._printed(io.StringIO()).strip("\n")

    def _repr_html_(self) -> str:
        """Return the same for a notebook."""
        return in_notebook(network_view(self, WIDTH))

    def to_json(self) -> dict[str, Any]:
        """Return all facts, and what follows from them, as plain data."""
        return {
            **asdict(self),
            "parameters": self.parameters,
            "trained": self.trained,
            "multiply_adds": self.multiply_adds,
        }

    def _printed(self, file: io.StringIO) -> str:
        quiet_console(file).print(network_view(self, WIDTH))
        return file.getvalue()


def summary(
    model: nn.Module,
    input_size: Sizes | None = None,
    input_data: Any = None,
    dtypes: Sequence[torch.dtype] | None = None,
    words: str = "",
) -> Summary:
    """Return what is true of a network: shapes, states, parameters, work, wiring.

    The network is run once, in evaluation and without gradients, and stays as it is.
    Without an input nothing is run, and what hangs on an input is not told.

    Args:
        model: any module.
        input_size: the shape of its input, batch included, or one shape for each of
            several inputs. It is called with zeros.
        input_data: its input itself instead: a tensor, a list of tensors, or a mapping
            of arguments by name.
        dtypes: of the inputs of ``input_size``; float32 without it.
        words: what to call the network; its class otherwise.

    Raises:
        SummaryError: for both an ``input_size`` and an ``input_data``, and for a shape
            that is none.

    Example:
        >>> import cellwright as cw
        >>> found = cw.summary(torch.nn.LSTM(1, 300), input_size=(20, 1, 1))
        >>> found.parameters, found.layers[0].recurrence.steps
        (363600, 20)
    """
    args, kwargs = _inputs(model, input_size, input_data, dtypes)
    found = network(model, args, kwargs, words)
    return Summary(**{each.name: getattr(found, each.name) for each in fields(found)})


def _inputs(
    model: nn.Module,
    input_size: Sizes | None,
    input_data: Any,
    dtypes: Sequence[torch.dtype] | None,
) -> tuple[Sequence[Any], Mapping[str, Any]]:
    if input_size is not None and input_data is not None:
        raise SummaryError(
            "summary: takes input_size= or input_data=; found both\n"
            "  fix: leave one out"
        )
    if input_data is not None:
        if isinstance(input_data, Mapping):
            return (), input_data
        if isinstance(input_data, list | tuple) and not hasattr(input_data, "_fields"):
            return input_data, {}
        return (input_data,), {}
    if input_size is None:
        return (), {}
    several: Any = input_size
    within = several if isinstance(several, list | tuple) else [several]
    if any(isinstance(each, Tensor) for each in within):
        raise SummaryError(
            "summary: input_size is a shape; found a tensor\n"
            "  fix: cw.summary(model, input_data=x)"
        )
    if not isinstance(several, Sequence) or isinstance(several, str):
        raise _no_shape(several)
    if all(isinstance(each, int) for each in several):
        several = [several]
    kinds = list(dtypes or [torch.float32] * len(several))
    if len(kinds) != len(several):
        raise SummaryError(
            f"summary: takes a dtype for each input; found {len(kinds)} for "
            f"{len(several)} inputs"
        )
    return [_zeros(model, *pair) for pair in zip(several, kinds, strict=True)], {}


def _zeros(model: nn.Module, shape: Any, dtype: torch.dtype) -> Tensor:
    like = next(model.parameters(), None)
    device = None if like is None else like.device
    whole = isinstance(shape, Sequence) and all(
        isinstance(size, int) and size >= 0 for size in shape
    )
    if not whole:
        raise _no_shape(shape)
    return torch.zeros(tuple(shape), dtype=dtype, device=device)


def _no_shape(found: Any) -> SummaryError:
    return SummaryError(
        f"summary: a shape is a few whole numbers; found input_size={found!r}\n"
        "  fix: cw.summary(model, input_size=(steps, batch, features))"
    )
