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
    whole = (signed * 65536 + middle * 256 + low).reshape(-1, row["shape"][-1])
    return np.ldexp(whole.astype(float), row["exponents"]).reshape(row["shape"])


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
    """Each column by its own scale; zeros stay, small arrays are kept whole."""
    monkeypatch.setattr("cellwright.explain.page.arrays.LARGE", 1_000)
    large, small, steps = drawn(40, 50), drawn(9), torch.arange(20.0)
    large[:3] = 0
    arrays = Arrays()
    places = [arrays.add(value) for value in (large, small, steps)]
    packed = arrays.packed()
    found = [read(packed, place) for place in places]

    assert packed["rows"][0]["kind"] == "i24"
    most = large.abs().amax(0).numpy()
    assert (np.abs(found[0] - large.numpy()) <= most * 2**-23).all()
    assert (found[0][:3] == 0).all()
    for value, kept in zip((small, steps), found[1:], strict=True):
        assert np.array_equal(kept, value.numpy())


@pytest.mark.parametrize("outlier", [1e6, torch.inf])
def test_an_outlier_takes_no_digits_from_others(
    monkeypatch: pytest.MonkeyPatch, outlier: float
):
    """A column of large numbers has its own scale; one large number keeps all whole."""
    monkeypatch.setattr("cellwright.explain.page.arrays.LARGE", 1_000)
    column, single = drawn(40, 50), drawn(40, 60)
    column[:, 7] = outlier
    single[3, 5] = outlier
    arrays = Arrays()
    places = [arrays.add(value) for value in (column, single)]
    packed = arrays.packed()
    for place, value in zip(places, (column, single), strict=True):
        found, expected = read(packed, place), value.double().numpy()
        most = np.abs(expected).max(0) * np.ones_like(expected)
        near = np.isfinite(expected)
        assert np.array_equal(found[~near], expected[~near])
        assert (np.abs(found[near] - expected[near]) <= 2**-23 * most[near]).all()
    assert packed["rows"][1]["kind"] == "f32"
