"""A pass is written down once for tensors of one form, and done again for others."""

import ctypes
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.func import functional_call
from torch.utils._python_dispatch import TorchDispatchMode

import cellwright as cw
from cellwright.backends.c import tape as tapes
from cellwright.backends.c.errors import TensorError
from cellwright.backends.c.tape import Block, Scripts, Tape
from cellwright.checks.tolerances import TOLERANCES, error


class Pass:
    """Hands addresses to a function that notes them, and counts its own runs."""

    def __init__(self, turned: bool = False):
        self.turned, self.times, self.calls = turned, 0, list[list[int]]()

    def __call__(self, tape: Tape, given: Sequence[Tensor]) -> list[Tensor]:
        """Return a new tensor and a part of another one."""
        self.times += 1
        out, zeros = tape.empty((2, 3)), tape.zeros((4,))
        block = Block()
        for tensor in given:
            block.add(7)
            block.point(tensor, 8)
        block.point(out)
        block.point(zeros[2:])
        tape.call(self.note, block)
        return [out, zeros[2:]]

    def note(self, address: int) -> int:
        """Keep the block that it is called with."""
        count = 2 * self.given + 2
        self.calls.append(list((ctypes.c_int64 * count).from_address(address)))
        return 0

    given = 1


def run(scripts: Scripts, each: Pass, given: Sequence[Tensor]) -> list[Tensor]:
    """Return what a pass returns."""
    each.given = len(given)
    return list(scripts.run("pass", given, lambda tape: each(tape, given)))


def test_addresses_are_asked_for_at_every_run():
    """Other tensors of the same form are told by their addresses alone."""
    scripts, each = Scripts(), Pass()
    for _ in range(5):
        given = torch.randn(4, 3)
        out, part = run(scripts, each, [given])
        assert each.calls[-1] == [
            7,
            given.data_ptr() + 8,
            out.data_ptr(),
            part.data_ptr(),
        ]
        assert out.shape == (2, 3)
        assert part.tolist() == [0.0, 0.0]
    # Once when the form is new, once to write it down.
    assert each.times == 2


class Meanwhile(Pass):
    """Runs once more, for other tensors, while its function is under way."""

    scripts: Scripts
    others: Sequence[Tensor] = ()

    def note(self, address: int) -> int:
        """Keep the block as it is behind that run."""
        others, self.others = self.others, ()
        if others:
            run(self.scripts, self, others)
        return super().note(address)


def test_another_run_leaves_the_addresses_of_one_under_way():
    """Two threads may do the same pass for tensors of the same form."""
    scripts, each = Scripts(), Meanwhile()
    each.scripts = scripts
    for _ in range(3):
        run(scripts, each, [torch.randn(4, 3)])
    given, others = torch.randn(4, 3), torch.randn(4, 3)
    each.others = [others]
    run(scripts, each, [given])
    assert each.times == 2
    assert [block[1] for block in each.calls[-2:]] == [
        others.data_ptr() + 8,
        given.data_ptr() + 8,
    ]


@pytest.mark.parametrize(
    "other",
    [
        lambda w: w[:2],
        lambda w: w.t().contiguous().t(),
        lambda w: w.double(),
        lambda w: torch.complex(w, w).conj().imag,
        lambda w: w.clone().requires_grad_()[None][0].repeat(2, 1),
    ],
)
def test_another_form_is_another_pass(other: Callable[[Tensor], Tensor]):
    """Shape, strides, dtype, and what is not as it lies."""
    scripts, each = Scripts(), Pass()
    for _ in range(3):
        run(scripts, each, [torch.randn(4, 3)])
    before = each.times
    run(scripts, each, [other(torch.randn(4, 3))])
    assert each.times == before + 1


def test_another_number_of_threads_is_another_pass():
    """It stands in the slots."""
    scripts, each, before = Scripts(), Pass(), torch.get_num_threads()
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            for _ in range(3):
                run(scripts, each, [torch.randn(4, 3)])
    finally:
        torch.set_num_threads(before)
    assert each.times == 4


class Summing(Pass):
    """Points at the sum of what it is given, and adds to what a call has written."""

    def __call__(self, tape: Tape, given: Sequence[Tensor]) -> list[Tensor]:
        """Return twice what is written, and the sum."""
        self.times += 1
        total, written = tape.add(given[0], given[1]), tape.empty((4, 3))
        tape.move(written, total)
        double = tape.add(written, written)
        if self.turned:
            tape.move(tape.empty((4, 3)), double)
        return [double, total]


def test_sums_are_made_anew_before_and_behind_calls():
    """Of weights ahead of a call, of gradients behind it."""
    scripts, each = Scripts(), Summing()
    for _ in range(5):
        given = [torch.randn(4, 3), torch.randn(4, 3)]
        double, total = run(scripts, each, given)
        assert torch.equal(total, given[0] + given[1])
        assert torch.equal(double, 2 * total)
    assert each.times == 2


def test_no_call_reads_a_sum_that_is_made_behind_it():
    """All functions are called first, so such a pass is never written down."""
    scripts, each = Scripts(), Summing(turned=True)
    for i in range(1, 5):
        run(scripts, each, [torch.randn(4, 3), torch.randn(4, 3)])
        assert each.times == i


class CountingAdds(TorchDispatchMode):
    """Counts sums of tensors."""

    count = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Do what is asked for."""
        self.count += func is torch.ops.aten.add.Tensor
        return func(*args, **(kwargs or {}))


class Working(Pass):
    """Points at memory of its own and at zeros that it only reads."""

    def __call__(self, tape: Tape, given: Sequence[Tensor]) -> list[Tensor]:
        """Return what it does, behind a sum that nobody asked for."""
        tape.add(given[0], given[0])
        block = Block()
        self.own = [tape.empty((3, 5)), tape.empty((7,)), tape.fixed_zeros((2,))]
        for tensor in self.own:
            block.point(tensor)
        tape.call(self.work, block)
        return [super().__call__(tape, given)[0].view(3, 2)]

    def work(self, address: int) -> int:
        """Keep where its memory lies, and write to it."""
        ends = [*(ctypes.c_int64 * 3).from_address(address)]
        self.ends = ends
        for at, count in zip(ends[:2], (15, 7), strict=True):
            numbers = (ctypes.c_float * count).from_address(at)
            numbers[:] = [1.0] * count
        self.zeros = list((ctypes.c_float * 2).from_address(ends[2]))
        return 0


def test_memory_that_nobody_sees_is_one_piece():
    """Its parts begin at lines of the cache, and lie apart; zeros stay zeros."""
    scripts, each, fixed = Scripts(), Working(), set[int]()
    for i in range(5):
        (out,) = run(scripts, each, [torch.randn(4, 3)])
        assert out.shape == (3, 2)
        assert each.zeros == [0.0, 0.0]
        if i > 1:
            fixed.add(each.ends[2])
            assert each.ends[1] - each.ends[0] == tapes.LINE
            assert each.ends[0] % tapes.LINE == 0
    assert each.times == 2
    assert len(fixed) == 1


def test_what_nobody_reads_is_not_made_again():
    """A sum of weights that the backward step does not look at, say."""
    scripts, each = Scripts(), Working()
    for _ in range(2):
        run(scripts, each, [torch.randn(4, 3)])
    with CountingAdds() as adds:
        run(scripts, each, [torch.randn(4, 3)])
    assert adds.count == 0
    with CountingAdds() as adds:
        each(Tape(torch.zeros(1)), [torch.randn(4, 3)])
    assert adds.count == 1


class Promising(Pass):
    """Returns zeros that were promised to nobody."""

    def __call__(self, tape: Tape, given: Sequence[Tensor]) -> list[Tensor]:
        """Do what a pass does, and return more."""
        return [*super().__call__(tape, given), tape.fixed_zeros((2,))]


class Computing(Pass):
    """Points at what it computes."""

    def __call__(self, tape: Tape, given: Sequence[Tensor]) -> list[Tensor]:
        """Do what a pass does, with twice as much."""
        return super().__call__(tape, [2 * tensor for tensor in given])


class Adding(Pass):
    """Returns what it computes."""

    def __call__(self, tape: Tape, given: Sequence[Tensor]) -> list[Tensor]:
        """Do what a pass does, and add to the result."""
        out, part = super().__call__(tape, given)
        return [out + 1, part]


class Handing(Pass):
    """Returns what it was given."""

    def __call__(self, tape: Tape, given: Sequence[Tensor]) -> list[Tensor]:
        """Do what a pass does, and hand a tensor on."""
        return [*super().__call__(tape, given), given[0]]


class Long(Pass):
    """Calls more often than is kept."""

    def __call__(self, tape: Tape, given: Sequence[Tensor]) -> list[Tensor]:
        """Do what a pass does, very often."""
        for _ in range(tapes.MOST_CALLS):
            super().__call__(tape, given)
        return super().__call__(tape, given)


@pytest.mark.parametrize("kind", [Computing, Adding, Handing, Promising, Long])
def test_what_cannot_be_told_is_done_anew(kind: type[Pass]):
    """A number of its own is never kept for the next time."""
    scripts, each = Scripts(), kind()
    for i in range(1, 5):
        before = each.times
        run(scripts, each, [torch.randn(4, 3)])
        assert each.times > before, i


def test_tensors_in_one_memory_are_looked_at_every_time():
    """Nobody can tell which of them an address belongs to; and some have none."""
    scripts, each = Scripts(), Pass()
    whole = torch.randn(4, 3)
    for i in range(1, 5):
        run(scripts, each, [whole[:2], whole[2:]])
        assert each.times == i
    for i in range(5, 9):
        run(scripts, each, [torch.randn(0, 3)])
        assert each.times == i


def test_forms_are_forgotten_at_last(monkeypatch: pytest.MonkeyPatch):
    """Sequences of every length do not fill the memory."""
    monkeypatch.setattr(tapes, "MOST_FORMS", 4)
    scripts, each = Scripts(), Pass()
    for rows in range(1, 40):
        for _ in range(3):
            run(scripts, each, [torch.randn(rows, 3)])
    assert len(scripts._known) <= 4


def test_other_sizes_are_looked_at():
    """Layers of all sizes share a kernel, and one's weights may be handed another."""
    small, large = (cw.nn.Recurrent("elman", 3, n, backend="c") for n in (4, 64))
    x = torch.randn(2, 1, 3)
    for _ in range(3):
        small(x)
        large(x)
    away = {"U_l0": small.get_parameter("U_l0").to("meta")}
    with pytest.raises(TensorError, match=r"U: a kernel takes .* on cpu; found .*meta"):
        functional_call(small, away, x)
    with pytest.raises(TensorError, match=r"W: a kernel takes .*64, 3.* found .*4, 3"):
        functional_call(large, dict(small.named_parameters()), x)
    sparse = {"U_l0": small.get_parameter("U_l0").detach().to_sparse()}
    with pytest.raises(TensorError, match="sparse"):
        functional_call(small, sparse, x)


@pytest.mark.parametrize("name", ["lstm", "antisymmetric", "lstm_norm_joint", "slstm"])
def test_a_layer_sees_its_weights_as_they_are(name: str):
    """Changed where they lie, and moved; with any gradients that arrive."""
    layer = cw.nn.Recurrent(name, 3, 8, backend="c", dtype=torch.float64)
    exact = cw.nn.Recurrent(name, 3, 8, backend="reference", dtype=torch.float64)
    for step in range(6):
        x = torch.randn(4, 2, 3, dtype=torch.float64)
        with torch.no_grad():
            for weight in layer.parameters():
                weight.mul_(1.1)
            if step == 3:
                for weight in layer.parameters():
                    weight.data = weight.data.clone()
        exact.load_state_dict(layer.state_dict())
        found = [
            torch.autograd.grad(each(x)[0].square().sum(), [*each.parameters()])
            for each in (layer, exact)
        ]
        for ours, theirs in zip(*found, strict=True):
            assert error(ours, theirs) <= TOLERANCES["c", "float64"].bound


def test_results_of_one_call_are_not_those_of_the_next():
    """Each has memory of its own, forward and backward."""
    layer = cw.nn.LSTM(3, 5, num_layers=2, bidirectional=True)
    kept: list[tuple[Tensor, Tensor]] = []
    for _ in range(5):
        x = torch.randn(4, 2, 3, requires_grad=True)
        output, (h, c) = layer(x)
        results = [output, h, c]
        results += torch.autograd.grad(
            output.square().sum() + c.sum(), [x, *layer.parameters()]
        )
        kept += [(value, value.clone()) for value in results]
    assert all(torch.equal(value, then) for value, then in kept)


def test_a_training_is_written_down_once(monkeypatch: pytest.MonkeyPatch):
    """Forward and backward, in each layer and direction that differs."""
    layer = cw.nn.LSTM(5, 5, backend="c")
    written: list[bool] = []
    script = Tape.script
    monkeypatch.setattr(Tape, "script", lambda *a: written.append(True) or script(*a))
    optimiser = torch.optim.SGD(layer.parameters(), 0.1)
    for _ in range(6):
        layer(torch.randn(4, 2, 5))[0].square().sum().backward()
        optimiser.step()
    assert len(written) == 2
