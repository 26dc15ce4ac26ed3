"""Constants of a layer in their full precision, whatever dtype the layer has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from cellwright.ir.graph import Graph, reachable
from cellwright.ir.ops import OPS

M = TypeVar("M", bound="ExactConstants")


class ExactConstants(nn.Module):
    """A module whose constants are rounded to its dtype, and never from one to another.

    A buffer holds a constant in the module's dtype, and a copy beside it every digit,
    so that ``.double()`` of a float32 layer has 0.02 and not float32's 0.02. The buffer
    is the truth: where it is no longer the rounded copy, somebody has written another
    value, which becomes the copy.
    """

    _exact: dict[str, Tensor]

    def __init__(self) -> None:
        super().__init__()
        self._exact = {}

    def _set_constant(self, name: str, value: Tensor) -> None:
        """Write a constant's float64 value, on the CPU, into its buffer."""
        self._exact[name] = value
        with torch.no_grad():
            getattr(self, name).copy_(value)

    # What torch.nn.Module.to, double, cuda, to_empty and their like all call.
    def _apply(  # noqa: PYI019, typing.Self is newer than Python 3.10
        self: M, fn: Callable[[Tensor], Tensor], recurse: bool = True
    ) -> M:
        before = dict(self._buffers)
        super()._apply(fn, recurse)
        for name, exact in self._exact.items():
            old, new = before.get(name), self._buffers.get(name)
            # A buffer that stays the same object may be wanted by a backward pass.
            if old is None or new is None or new is old or not _plain(old, new, exact):
                continue
            if not old.is_meta and not _is_rounded(old, exact):
                wide = torch.promote_types(old.dtype, torch.float64)
                self._exact[name] = old.detach().to("cpu", wide, copy=True)
            if not new.is_meta:
                _write(new, self._exact[name])
        return self

    def _load_from_state_dict(
        self,
        state_dict: Mapping[str, Any],
        prefix: str,
        local_metadata: Any,
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        lists = (missing_keys, unexpected_keys, error_msgs)
        super()._load_from_state_dict(
            state_dict, prefix, local_metadata, strict, *lists
        )
        for name, exact in self._exact.items():
            given, own = state_dict.get(prefix + name), self._buffers.get(name)
            if given is None or own is None or not _plain(given, own, exact):
                continue
            # Saved from a layer of another precision, it is the same constant.
            if given.dtype != own.dtype and _is_rounded(given, exact):
                _write(own, exact)


def _plain(*tensors: object) -> bool:
    """Tell plain tensors from those that only trace, or spread over machines."""
    return all(type(tensor) is Tensor for tensor in tensors)


def _is_rounded(value: Tensor, exact: Tensor) -> bool:
    if value.shape != exact.shape or value.is_meta:
        return False
    own = value.detach().cpu()
    rounded = exact.to(own.dtype)
    return bool(((own == rounded) | (own.isnan() & rounded.isnan())).all())


def _write(buffer: Tensor, exact: Tensor) -> None:
    with torch.no_grad():
        # Rounded first, because some devices have no float64.
        buffer.copy_(exact.to(buffer.dtype))


def is_drawn(graph: Graph, init: int) -> bool:
    """Whether a first value hangs on a random draw."""
    below = reachable(graph.nodes, {init})
    return any(OPS[graph.nodes[node].op].kind == "draw" for node in below)
