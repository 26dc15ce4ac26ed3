"""Batches: which rows come when, and windows that walk along a stream."""

import pytest
import torch

from cellwright.tasks import Adding
from cellwright.train import (
    Batch,
    Drawn,
    SettingsError,
    Tensors,
    TruncatedBPTT,
)


def epoch(source):
    """Return all batches of an epoch."""
    order = source.order()
    return [source.batch(order, index) for index in range(source.batches)]


@pytest.mark.parametrize("batch_first", [True, False])
def test_tensors_come_once_an_epoch(batch_first: bool):
    """Every example comes once, beside its own target; the last batch has the rest."""
    x = torch.arange(7.0)[:, None, None].expand(7, 3, 2)
    source = Tensors(
        x if batch_first else x.transpose(0, 1),
        torch.arange(7.0)[:, None],
        batch_size=3,
        batch_first=batch_first,
    )
    batches = epoch(source)

    assert [batch.rows for batch in batches] == [3, 3, 1]
    for batch in batches:
        rows = batch.x.select(1 - batch.axis, 0)[..., :1]
        assert torch.equal(rows, batch.y)
    said = torch.cat([batch.y for batch in batches]).flatten()
    assert sorted(said.tolist()) == list(range(7))


def test_order_is_drawn_anew_or_never():
    """Shuffled examples have an order an epoch, others keep theirs."""
    x = torch.arange(50.0)[:, None]
    shuffled, plain = Tensors(x, x, 50), Tensors(x, x, 50, shuffle=False)
    first, second = epoch(shuffled)[0].y, epoch(shuffled)[0].y

    assert not torch.equal(first, second)
    assert torch.equal(epoch(plain)[0].y, x)


def test_rows_of_processes_are_all_rows():
    """The parts of a batch lie behind one another and make up the whole."""
    batch = Batch(torch.randn(5, 7, 2), torch.randn(7, 1), torch.arange(7), axis=1)
    parts = [batch.part(rank, 3) for rank in range(3)]

    assert torch.equal(torch.cat([p.x for p in parts], 1), batch.x)
    assert torch.equal(torch.cat([p.y for p in parts]), batch.y)
    assert [p.rows for p in parts] == [2, 2, 3]
    lengths = [p.lengths.tolist() for p in parts if p.lengths is not None]
    assert lengths == [[0, 1], [2, 3], [4, 5, 6]]


def test_drawn_examples_are_fresh():
    """A task's draws come with their axes: time first, a target a row or a step."""
    source = Drawn(Adding(12, "1997"), batch_size=4, batches=2)
    first, second = epoch(source)

    assert (first.rows, first.axis, first.target_axis) == (4, 1, 0)
    assert first.y.shape == (4, 1)
    assert first.lengths is not None
    assert not torch.equal(first.x, second.x)


@pytest.mark.parametrize("stride", [None, 1, 2, 3, 4])
@pytest.mark.parametrize("batch_first", [True, False])
def test_windows_score_every_step_once(stride: int | None, batch_first: bool):
    """The targets of all windows behind one another are those of each piece."""
    stream = torch.arange(23.0)[:, None]
    source = TruncatedBPTT(
        stream, stream, 4, stride, batch_size=2, batch_first=batch_first
    )
    batches = epoch(source)
    time = 1 if batch_first else 0
    scored = torch.cat([batch.y for batch in batches], time)
    pieces = scored if batch_first else scored.transpose(0, 1)

    assert pieces[0, :, 0].tolist() == list(range(pieces.shape[1]))
    assert pieces[1, :, 0].tolist() == list(range(11, 11 + pieces.shape[1]))
    assert 11 - pieces.shape[1] < (stride or 4)
    for index, batch in enumerate(batches):
        assert batch.x.shape[time] == 4
        assert batch.x.select(time, 0).flatten()[0] == index * (stride or 4)
        # What a window scores stands at its end.
        assert torch.equal(
            batch.x.narrow(time, 4 - batch.y.shape[time], batch.y.shape[time]), batch.y
        )
        assert batch.continues == (index > 0)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (
            lambda x: Tensors(x, x, 4, carry=True),
            "rows keep their places; found carry=True with shuffle=True",
        ),
        (
            lambda x: Tensors(x, x, 4, shuffle=False, carry=True),
            "found 10 rows in batches of 4, the last of 2",
        ),
        (lambda x: Tensors(x, x[:9]), "found x has 10, y has 9"),
        (
            lambda x: TruncatedBPTT(x, x, 20),
            "found window=20 and 10 steps in batch_size=1 pieces of 10",
        ),
        (
            lambda x: TruncatedBPTT(x, x, 4, batch_size=3),
            "found window=4 and 10 steps in batch_size=3 pieces of 3",
        ),
        (lambda x: TruncatedBPTT(x, x, 4, 5), "found window=4, stride=5"),
        (lambda x: TruncatedBPTT(x, x, 4, 0), "found window=4, stride=0"),
        (lambda x: TruncatedBPTT(x, x[:9], 4), "found 10 inputs and 9 targets"),
    ],
)
def test_wrong_use_is_told(make, said: str):
    """What cannot be meant is refused with the numbers found, before any step."""
    with pytest.raises(SettingsError) as caught:
        make(torch.zeros(10, 1))

    assert said in str(caught.value)
