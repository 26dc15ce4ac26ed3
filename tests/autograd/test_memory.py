"""``memory="recompute"``: what is kept, and that no bit comes out otherwise."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

import cellwright as cw
from cellwright.backends.c import cache, segments
from cellwright.backends.c.kernel import Kernel
from strategies import same_bits

CELLS = ["elman", "gru", "lstm", "slstm", "lstm_norm_joint"]
T, B, H = 23, 2, 4
CHUNK = 3


@pytest.fixture(autouse=True)
def _short_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let three steps be a chunk, so that a short sequence has many segments."""
    monkeypatch.setattr(segments, "CHUNK_ROWS", CHUNK * B)


def layer_of(cell: str, memory: Any, **options: Any) -> Any:
    """Return a layer on kernels, the same each time."""
    torch.manual_seed(2)
    options |= {"backend": "c", "memory": memory, "dtype": torch.float64}
    return cw.nn.Recurrent(cell, H, H, **options)


def sequence(*shape: int) -> Tensor:
    """Return a random tensor with a fixed seed."""
    draws = torch.Generator().manual_seed(7)
    return torch.randn(shape, generator=draws, dtype=torch.float64)


def assert_same(cell: str, found: Callable[[Any], Any], **options: Any) -> None:
    """Fail unless both modes give the same bits."""
    stored, anew = (
        found(layer_of(cell, memory, **options)) for memory in ("store", "recompute")
    )
    assert len(stored) > 0
    assert [same_bits(a, b) for a, b in zip(anew, stored, strict=True)] == [
        True for _ in stored
    ]


@pytest.mark.parametrize("steps", [1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, T, 100])
@pytest.mark.parametrize("cell", CELLS)
def test_values_and_gradients_have_the_same_bits(cell: str, steps: int):
    """Of weights and first states too, at, before and behind a border."""

    def both(layer: Any) -> list[Tensor]:
        x = sequence(steps, B, H).requires_grad_()
        count = len(layer.graph.states)
        first = [s.requires_grad_() for s in sequence(count, 1, B, H).unbind()]
        output, state = layer(x, tuple(first) if count > 1 else first[0])
        values = [output, *([state] if isinstance(state, Tensor) else state)]
        pulls = [sequence(*value.shape) for value in values]
        wrt = [x, *first, *layer.parameters()]
        # An input of a state that is not read has no slope.
        grads = torch.autograd.grad(values, wrt, pulls, materialize_grads=True)
        return [*values, *grads]

    assert_same(cell, both)


def kept(layer: Any, x: Tensor) -> list[Tensor]:
    """Return the tensors that wait for the backward pass, beside what is there anyway.

    Those are what the layer is called with and what it returns.
    """
    found: list[Tensor] = []
    with saved_tensors_hooks(lambda t: found.append(t) or t, lambda t: t):
        output, state = layer(x)
    there = [x, output, *([state] if isinstance(state, Tensor) else state)]
    places = {t.untyped_storage().data_ptr() for t in [*there, *layer.parameters()]}
    return [t for t in found if t.untyped_storage().data_ptr() not in places]


@pytest.mark.parametrize("cell", CELLS)
def test_states_between_segments_are_all_that_is_kept(cell: str):
    """Beside the first ones: one of each state for every segment but the first."""
    steps = 100
    anew = kept(layer_of(cell, "recompute"), sequence(steps, B, H))
    stored = kept(layer_of(cell, "store"), sequence(steps, B, H))
    states = len(layer_of(cell, "store").graph.states)
    counts = [len(t) for t in anew if t.dim() == 3 and t.shape[1:] == (B, H)]

    assert len(counts) == states
    assert len(set(counts)) == 1
    assert 1 < counts[0] <= (steps - 1) // CHUNK
    assert not [t for t in anew if steps in t.shape]
    if cell != "elman":
        # It keeps its output alone, which is returned.
        assert sum(t.numel() for t in anew) < sum(t.numel() for t in stored) / 4


def test_nothing_is_kept_where_nothing_can_ask():
    """Without gradients both modes run the kernel that writes the output alone."""
    x = sequence(T, B, H)
    with torch.no_grad():
        assert kept(layer_of("lstm", "recompute"), x) == []
    assert_same("lstm", lambda layer: [torch.no_grad()(layer)(x)[0]])


@pytest.mark.parametrize("cell", CELLS)
def test_a_second_backward_pass_has_the_same_bits(cell: str):
    """Nothing that was kept is written over."""
    layer = layer_of(cell, "recompute")
    x = sequence(T, B, H).requires_grad_()
    loss = layer(x)[0].pow(2).sum()
    wrt = [x, *layer.parameters()]
    first = torch.autograd.grad(loss, wrt, retain_graph=True)
    # Other runs in between have memory of their own.
    layer(2 * x)[0].sum().backward()
    assert all(map(same_bits, torch.autograd.grad(loss, wrt), first))


@pytest.mark.parametrize("cell", CELLS)
def test_second_derivatives_are_the_same(cell: str):
    """They go through the reference, which takes what was not kept anyway."""

    def penalty(layer: Any) -> tuple[Tensor, ...]:
        x = sequence(T, B, H).requires_grad_()
        loss = layer(x)[0].pow(2).sum()
        (slope,) = torch.autograd.grad(loss, [x], create_graph=True)
        return torch.autograd.grad(slope.pow(2).sum(), [x, *layer.parameters()])

    assert_same(cell, penalty)


def test_batched_gradients_are_the_same():
    """They go through the reference too."""

    def batched(layer: Any) -> tuple[Tensor, ...]:
        output = layer(sequence(T, B, H))[0]
        pull, wrt = sequence(3, *output.shape), list(layer.parameters())
        return torch.autograd.grad(output, wrt, pull, is_grads_batched=True)

    assert_same("lstm", batched)


def test_weights_that_changed_in_between_are_an_error():
    """Made anew with other weights, the gradient would be that of neither."""
    layer = layer_of("gru", "recompute")
    loss = layer(sequence(T, B, H))[0].sum()
    with torch.no_grad():
        next(layer.parameters()).add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_no_kernel_is_built_for_it(monkeypatch: pytest.MonkeyPatch):
    """Both modes run the very same two kernels."""
    layer = layer_of("lstm", "store")
    layer(sequence(T, B, H))[0].sum().backward()

    def refuse(*_: Any) -> None:
        raise AssertionError("a kernel is looked for")

    monkeypatch.setattr(cache, "load", refuse)
    layer.memory = "recompute"
    layer(sequence(T, B, H))[0].sum().backward()


def test_every_step_runs_twice_and_once_back(monkeypatch: pytest.MonkeyPatch):
    """The forward kernel goes over each segment two times, the last one first."""
    spans: list[tuple[int, int]] = []
    run = Kernel.run

    def noted(self: Kernel, tape: Any, sizes: Any, span: Any, *rest: Any) -> None:
        spans.append(span[1:])
        run(self, tape, sizes, span, *rest)

    monkeypatch.setattr(Kernel, "run", noted)
    layer_of("lstm", "recompute")(sequence(7, B, H))[0].sum().backward()
    segments = [(0, 3), (3, 6), (6, 7)]
    back = [span for segment in reversed(segments) for span in (segment, segment)]
    assert spans == [*segments, *back]
