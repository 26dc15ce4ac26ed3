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
_ALIKE = 8.0
"""How many times a column's largest number may be a row's, for both to have 24 bits."""
_MOST = 2**23 - 1


@dataclass
class Arrays:
    """Arrays that travel together.

    Each is float32, or float64 where it was that. Where all are many, large ones are
    whole numbers of 24 bits with a scale for each column, unless an outlier would take
    the digits of others.

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
            kind, exponents, part = _bytes(value, many and value.size >= _LEAST)
            rows.append(
                {
                    "kind": kind,
                    "exponents": exponents,
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


def _bytes(value: np.ndarray[Any, Any], rounded: bool) -> tuple[str, list[int], bytes]:
    if rounded:
        exponents = _exponents(value.astype(np.float64).reshape(-1, value.shape[-1]))
        if exponents is not None:
            return "i24", exponents.tolist(), _planes(value, exponents)
    if value.dtype == np.float64:
        return "f64", [], value.astype("<f8").tobytes()
    return "f32", [], value.astype("<f4").tobytes()


def _exponents(rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any] | None:
    """Return a power of two for each column, one whole number of which is its last bit.

    None where 24 bits would not do: where a row's largest number is much smaller than
    those of its columns, beside an outlier, say.
    """
    columns, largest = np.abs(rows).max(0), np.abs(rows).max(1)
    kept = largest[largest > 0]
    if not np.isfinite(columns).all() or not len(kept):
        return None
    if columns.max() > _ALIKE * kept.min():
        return None
    _, exponents = np.frexp(columns)
    return exponents - 23


def _planes(value: np.ndarray[Any, Any], exponents: np.ndarray[Any, Any]) -> bytes:
    """Return 24 bits of each number; first bytes lie side by side, which packs well."""
    scaled = np.ldexp(value.astype(np.float64).reshape(-1, value.shape[-1]), -exponents)
    whole = np.clip(np.rint(scaled), -_MOST, _MOST).astype(np.int64).ravel() & 0xFFFFFF
    planes = [(whole >> shift & 0xFF).astype(np.uint8) for shift in (16, 8, 0)]
    return b"".join(plane.tobytes() for plane in planes)
