"""The numbers of a page come back as they went in."""

import base64
import gzip

import numpy as np
import pytest
import torch
from torch import Tensor

from cellwright.explain.page.arrays import Arrays


def read(packed: dict[str, object], place: int) -> np.ndarray:
    """Return an array as the page reads it."""
    rows = packed["rows"]
    assert isinstance(rows, list)
    row = rows[place]
    data = gzip.decompress(base64.b64decode(str(packed["text"])))
    kind, count, begin = row["kind"], row["count"], row["begin"]
    if kind != "i24":
        found = np.frombuffer(data, {"f32": "<f4", "f64": "<f8"}[kind], count, begin)
        return found.reshape(row["shape"])
    planes = np.frombuffer(data, np.uint8, 3 * count, begin).astype(np.int32)
    top, middle, low = planes.reshape(3, count)
    signed = np.where(top > 127, top - 256, top)
    return (row["scale"] * (signed * 65536 + middle * 256 + low)).reshape(row["shape"])


def drawn(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """Return numbers by chance, with a fixed seed."""
    draws = torch.Generator().manual_seed(sum(shape))
    return torch.randn(shape, dtype=dtype, generator=draws)


def test_numbers_stay_what_they_are():
    """Of each dtype, infinities and empty arrays included; equal ones travel once."""
    given = [
        drawn(3, 5),
        drawn(7, dtype=torch.float64),
        torch.tensor([0.0, -torch.inf, 1e-40]),
        torch.zeros(0, 4),
        torch.tensor([True, False]),
    ]
    arrays = Arrays()
    places = [arrays.add(value) for value in given]
    assert arrays.add(drawn(3, 5)) == places[0]
    packed = arrays.packed()
    for place, value in zip(places, given, strict=True):
        assert np.array_equal(read(packed, place), value.numpy())


def test_many_numbers_have_24_bits(monkeypatch: pytest.MonkeyPatch):
    """Zeros and the largest stay exact; small arrays and infinities are kept whole."""
    monkeypatch.setattr("cellwright.explain.page.arrays.LARGE", 1_000)
    large, small, steps = drawn(40, 50), drawn(9), torch.arange(20.0)
    large[:3] = 0
    endless = drawn(40, 60).index_fill(0, torch.tensor([1]), -torch.inf)
    arrays = Arrays()
    places = [arrays.add(value) for value in (large, small, steps, endless)]
    packed = arrays.packed()
    found = [read(packed, place) for place in places]

    most = float(large.abs().max())
    assert np.abs(found[0] - large.numpy()).max() <= most * 2**-24
    assert (found[0][:3] == 0).all()
    assert np.abs(np.abs(found[0]).max() - most) <= most * 2**-50
    for value, kept in zip((small, steps, endless), found[1:], strict=True):
        assert np.array_equal(kept, value.numpy())
