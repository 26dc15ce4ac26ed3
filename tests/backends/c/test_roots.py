"""A kernel is told where its weights lie, and they are looked at where that is new."""

from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor
from torch.func import functional_call

import cellwright as cw
from cellwright.backends.c import roots
from cellwright.backends.c.errors import TensorError
from cellwright.backends.c.roots import RootMemory, Roots
from cellwright.checks.tolerances import TOLERANCES, error

SIZES = {"hidden_size": 2}


class Reader:
    """Reads roots as a kernel does, and counts how often."""

    def __init__(self, turned: bool = False):
        self.turned, self.times = turned, 0

    def __call__(self, tensors: Sequence[Tensor]) -> Sequence[Tensor]:
        """Return what the kernel reads."""
        self.times += 1
        return [t.t() if self.turned else t for t in tensors]


def test_an_address_is_looked_up_at_every_call():
    """Other tensors of the same form are told by their addresses alone."""
    memory, read = RootMemory(), Reader(turned=True)
    for _ in range(3):
        weight = torch.randn(4, 3)
        slots, held = memory.slots(Roots([weight]), SIZES, read)
        assert slots == [weight.data_ptr(), 0, 1, 3]
        assert held[0].data_ptr() == weight.data_ptr()
    assert read.times == 1


def test_a_part_lies_behind_its_whole():
    """Of packed weights the offsets are kept."""
    memory, read = RootMemory(), Reader()
    for _ in range(2):
        packed = torch.randn(6, 3)
        found, _ = memory.slots(Roots([packed], ((0, 2, 3), (0, 0, 3))), SIZES, read)
        assert found[0::4] == [packed.data_ptr() + 4 * 3 * 4, packed.data_ptr()]
    assert read.times == 1


def refuse(_: Sequence[Tensor]) -> Sequence[Tensor]:
    """Say that there was a look."""
    raise LookupError


@pytest.mark.parametrize(
    "other",
    [
        lambda w: Roots([w[:2]]),
        lambda w: Roots([w.t().contiguous().t()]),
        lambda w: Roots([w.double()]),
        lambda w: Roots([w], ((0, 0, 2), (0, 1, 2))),
        lambda w: Roots([torch.complex(w, w).conj().imag]),
        lambda w: Roots([w.to("meta")]),
        lambda w: Roots([w.to_sparse()]),
    ],
)
def test_another_form_is_looked_at(other: Callable[[Tensor], Roots]):
    """Shape, strides, dtype, device, layout, places and what is not as it lies."""
    weight = torch.randn(4, 3)
    memory = RootMemory()
    memory.slots(Roots([weight]), SIZES, Reader())
    with pytest.raises(LookupError):
        memory.slots(other(weight), SIZES, refuse)


def test_other_sizes_are_looked_at():
    """Layers of all sizes share a kernel, and one's weights may be handed another."""
    small, large = (cw.nn.Recurrent("elman", 3, n, backend="c") for n in (4, 64))
    x = torch.randn(2, 1, 3)
    small(x)
    away = {"U_l0": small.get_parameter("U_l0").to("meta")}
    with pytest.raises(TensorError, match=r"U: a kernel takes .* on cpu; found .*meta"):
        functional_call(small, away, x)
    with pytest.raises(TensorError, match=r"W: a kernel takes .*64, 3.* found .*4, 3"):
        functional_call(large, dict(small.named_parameters()), x)


def test_what_is_computed_is_computed_anew():
    """A sum of weights has no address that could be kept."""
    memory = RootMemory()
    weight = torch.randn(2, 2)
    for _ in range(2):
        slots, held = memory.slots(Roots([weight]), SIZES, lambda given: [2 * given[0]])
        assert slots[0] == held[0].data_ptr() != weight.data_ptr()
        assert torch.equal(held[0], 2 * weight)
        weight = weight + 1


def test_weights_in_one_memory_are_looked_at():
    """A part of it may be a part of either."""
    memory, read = RootMemory(), Reader()
    whole = torch.randn(4, 3)
    for _ in range(2):
        memory.slots(Roots([whole[:2], whole[2:]]), SIZES, read)
    assert read.times == 2


@pytest.mark.parametrize("name", ["lstm", "antisymmetric", "lstm_norm_joint"])
def test_a_layer_sees_its_weights_as_they_are(name: str):
    """Changed where they lie, and moved."""
    layer = cw.nn.Recurrent(name, 3, 5, backend="c", dtype=torch.float64)
    exact = cw.nn.Recurrent(name, 3, 5, backend="reference", dtype=torch.float64)
    x = torch.randn(4, 2, 3, dtype=torch.float64)
    for step in range(3):
        with torch.no_grad():
            for weight in layer.parameters():
                weight.mul_(1.1)
            if step == 1:
                for weight in layer.parameters():
                    weight.data = weight.data.clone()
        exact.load_state_dict(layer.state_dict())
        found = [
            torch.autograd.grad(each(x)[0].square().sum(), [*each.parameters()])
            for each in (layer, exact)
        ]
        for ours, theirs in zip(*found, strict=True):
            assert error(ours, theirs) <= TOLERANCES["c", "float64"].bound


def test_the_memory_of_a_form_is_one(monkeypatch: pytest.MonkeyPatch):
    """A training looks at its weights once, forward and backward, in each layer."""
    layer = cw.nn.LSTM(3, 5, num_layers=2, bidirectional=True)
    calls: list[int] = []
    laid_out = roots.laid_out
    monkeypatch.setattr(
        roots, "laid_out", lambda given: calls.append(1) or laid_out(given)
    )
    optimiser = torch.optim.SGD(layer.parameters(), 0.1)
    for _ in range(4):
        layer(torch.randn(4, 2, 3))[0].sum().backward()
        optimiser.step()
    assert len(calls) == 4
