"""Plain data as JSON that comes back as it was, tensors beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

MARK = "$"
"""Begins the only key of what JSON has no form of its own for."""


def to_plain(value: Any, place: str, tensors: dict[str, Tensor] | None = None) -> Any:
    """Return a value in a form that JSON can say and `from_plain` undoes.

    Args:
        value: Numbers, strings, booleans and None, in lists, tuples and dicts.
        place: Its name, for errors and for tensors.
        tensors: Takes the tensors in it, by their places; None if it may have none.

    Raises:
        TypeError: Names the place of what cannot be said.

    Example:
        >>> from_plain(to_plain({1: (2, 3.0)}, "state"))
        {1: (2, 3.0)}
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Tensor) and tensors is not None:
        while place in tensors:  # Keys 1 and "1" have one name.
            place += "'"
        tensors[place] = value
        return {f"{MARK}tensor": place}
    if isinstance(value, list | tuple):
        items = [to_plain(v, f"{place}.{i}", tensors) for i, v in enumerate(value)]
        return items if isinstance(value, list) else {f"{MARK}tuple": items}
    if isinstance(value, Mapping):
        pairs = [
            [to_plain(k, place), to_plain(v, f"{place}.{k}", tensors)]
            for k, v in value.items()
        ]
        if all(isinstance(k, str) and not k.startswith(MARK) for k in value):
            return dict(pairs)
        return {f"{MARK}dict": pairs}
    raise TypeError(f"{place} is a {type(value).__name__}")


def from_plain(value: Any, tensors: Mapping[str, Tensor] | None = None) -> Any:
    """Return what `to_plain` was given; tensors are copies."""
    if isinstance(value, list):
        return [from_plain(v, tensors) for v in value]
    if not isinstance(value, dict):
        return value
    if tensors is not None and f"{MARK}tensor" in value:
        return tensors[value[f"{MARK}tensor"]].clone()
    if f"{MARK}tuple" in value:
        return tuple(from_plain(value[f"{MARK}tuple"], tensors))
    pairs = value.get(f"{MARK}dict", value.items())
    return {from_plain(k): from_plain(v, tensors) for k, v in pairs}
