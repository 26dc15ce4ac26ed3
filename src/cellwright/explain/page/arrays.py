"""The numbers of a page: many arrays as one text."""

from __future__ import annotations

import base64
import gzip
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torch import Tensor

LARGE = 3_000_000
"""So many numbers take 16 MB as they are; of more, large arrays are rounded."""
_LEAST = 1_000
"""Arrays with fewer numbers are never rounded; counters of steps are among them."""
_STEPS = 2**23 - 1


@dataclass
class Arrays:
    """Arrays that travel together.

    Each is float32, or float64 where it was that; where all are many, large ones are
    whole numbers of 24 bits with a scale, which is float32's own precision at the
    largest entry.

    Example:
        >>> import torch
        >>> arrays = Arrays()
        >>> arrays.add(torch.ones(2, 3)), arrays.add(torch.zeros(4))
        (0, 1)
        >>> [row["kind"] for row in arrays.packed()["rows"]]
        ['f32', 'f32']
    """

    values: list[np.ndarray[Any, Any]] = field(default_factory=list)

    def add(self, value: Tensor) -> int:
        """Return the place of an array; one that came before has its place already."""
        array = value.detach().cpu().contiguous().numpy()
        if array.dtype not in (np.float32, np.float64):
            array = array.astype(np.float64)
        for place, known in enumerate(self.values):
            if known.dtype == array.dtype and np.array_equal(known, array):
                return place
        self.values.append(array)
        return len(self.values) - 1

    def packed(self) -> dict[str, Any]:
        """Return the rows, what each array is, and all numbers as one text."""
        many = sum(value.size for value in self.values) > LARGE
        rows: list[dict[str, Any]] = []
        parts: list[bytes] = []
        begin = 0
        for value in self.values:
            kind, scale, part = _bytes(value, many and value.size >= _LEAST)
            rows.append(
                {
                    "kind": kind,
                    "scale": scale,
                    "count": value.size,
                    "begin": begin,
                    "shape": list(value.shape),
                }
            )
            part += bytes(-len(part) % 8)
            parts.append(part)
            begin += len(part)
        packed = gzip.compress(b"".join(parts), 6, mtime=0)
        return {"rows": rows, "text": base64.b64encode(packed).decode("ascii")}


def _bytes(value: np.ndarray[Any, Any], rounded: bool) -> tuple[str, float, bytes]:
    if rounded and np.isfinite(value).all():
        return _planes(value.astype(np.float64).ravel())
    if value.dtype == np.float64:
        return "f64", 1.0, value.astype("<f8").tobytes()
    return "f32", 1.0, value.astype("<f4").tobytes()


def _planes(value: np.ndarray[Any, Any]) -> tuple[str, float, bytes]:
    """Return 24 bits of each number; first bytes lie side by side, which packs well."""
    scale = float(np.abs(value).max(initial=0.0)) / _STEPS or 1.0
    whole = np.rint(value / scale).astype(np.int64) & 0xFFFFFF
    planes = [(whole >> shift & 0xFF).astype(np.uint8) for shift in (16, 8, 0)]
    return "i24", scale, b"".join(plane.tobytes() for plane in planes)
