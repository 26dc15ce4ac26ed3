"""A stream of a layer goes on by kernels alone, and notices when it may not."""

import copy
import gc
import pickle
from collections.abc import Callable
from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.modules import module

import cellwright as cw
from any_cell import sizes_for
from cellwright.backends.c.threads import Process
from cellwright.nn.errors import ShapeError, StateError
from layer_runs import assert_same

LAYERS: dict[str, Callable[..., Any]] = {
    "lstm": lambda **more: cw.nn.Recurrent("lstm", 5, 21, backend="c", **more),
    "gru": lambda **more: cw.nn.Recurrent("gru", 5, 21, backend="c", **more),
    "LSTM": lambda **more: cw.nn.LSTM(5, 21, backend="c", **more),
    "RNN": lambda **more: cw.nn.RNN(5, 16, backend="c", **more),
}


def layer_of(name: str, **more: Any) -> Any:
    """Return a layer in evaluation, with fixed weights."""
    torch.manual_seed(4)
    return LAYERS[name](**more).eval()


def running(layer: nn.Module, x: Tensor) -> cw.Stream:
    """Return a stream that has taken two steps, and goes on by kernels alone."""
    stream = cw.Stream(layer)
    for step in x[:2]:
        stream.step(step)
    assert stream._steps is not None
    return stream


def outputs(layer: Any, x: Tensor) -> Tensor:
    """Return what a call with the whole sequence puts out."""
    with torch.no_grad():
        return layer(x)[0]


@pytest.mark.parametrize("rows", [1, 2, 9, 100])
@pytest.mark.parametrize("num_layers", [1, 3])
@pytest.mark.parametrize("name", LAYERS)
def test_steps_are_the_sequence_to_the_bit(name: str, num_layers: int, rows: int):
    """Tensors and arrays, any number of layers and rows, whatever else takes memory."""
    layer, x = layer_of(name, num_layers=num_layers), torch.randn(8, rows, 5)
    expected, stream = outputs(layer, x), running(layer, x)
    for t in range(2, 8):
        gc.collect(1)
        spoilt = [torch.full((n,), torch.nan) for n in (4, 16, 64, 256)]
        given = x[t] if t % 2 else x[t].numpy()
        found = stream.step(given)
        assert type(found) is type(given)
        assert np.array_equal(np.asarray(found), expected[t].numpy())
        assert len(spoilt) == 4
    assert stream._steps is not None


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize(("rows", "width"), [(1, 1024), (64, 256), (700, 64)])
def test_threads_share_a_large_step(threads: int, rows: int, width: int):
    """Rows in pieces, or the units of one row, give the bits of one thread."""
    before = torch.get_num_threads()
    torch.manual_seed(1)
    layer = cw.nn.Recurrent("lstm", width, width, backend="c").eval()
    x = torch.randn(5, rows, width)
    expected = outputs(layer, x)
    try:
        torch.set_num_threads(threads)
        stream = running(layer, x)
        for t in range(2, 5):
            assert torch.equal(stream.step(x[t]), expected[t])
    finally:
        torch.set_num_threads(before)


def in_place(layer: Any) -> None:
    """Halve one matrix where it lies."""
    with torch.no_grad():
        layer.U_g_l0.mul_(0.5)


def loaded(layer: Any) -> None:
    """Load other weights."""
    layer.load_state_dict({n: 0.5 * v for n, v in layer.state_dict().items()})


def replaced(layer: Any) -> None:
    """Put another Parameter in one's place."""
    layer.b_o_l0 = nn.Parameter(layer.b_o_l0.detach() + 1)


def learned(layer: Any) -> None:
    """Let an optimiser take a step."""
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    layer(torch.ones(2, 1, 5))[0].sum().backward()
    optimizer.step()


def fused(layer: Any) -> None:
    """Let an optimiser take a step that torch counts for no weight."""
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.1, fused=True)
    layer(torch.ones(2, 1, 5))[0].sum().backward()
    optimizer.step()


def swapped(layer: Any) -> None:
    """Swap what all weights are for something else."""
    for weight in list(layer.parameters()):
        torch.utils.swap_tensors(weight, nn.Parameter(0.5 * weight.detach()))


def taken_out(layer: Any) -> None:
    """Let a weight be a tensor that something computes."""
    last = list(layer._parameters)[-1]
    value = 0.5 * layer._parameters.pop(last).detach()
    setattr(layer, last, value)


@pytest.mark.parametrize(
    "change", [in_place, loaded, replaced, learned, fused, swapped, taken_out]
)
def test_a_changed_weight_is_read_at_the_next_step(change: Callable[[Any], None]):
    """Weights are packed once, but nobody steps with old ones."""
    layer, x = layer_of("lstm"), torch.randn(4, 1, 5)
    stream = running(layer, x)
    h, c = (state.clone() for state in stream.snapshot()["states"].values())
    stream.step(x[2])
    stream = running(layer, x)
    change(layer)
    with torch.no_grad():
        expected, _ = layer(x[2:3], (h, c))
    assert torch.equal(stream.step(x[2]), expected[0])
    stream.step(x[3])
    assert stream._steps is not None


@pytest.mark.parametrize("name", ["b_f_l0", "W_i_l0"])
def test_no_step_reads_memory_that_is_gone(name: str):
    """A weight may move to other memory, with the same numbers."""
    layer, x = layer_of("lstm"), torch.randn(8, 1, 5)
    expected, stream = outputs(layer, x), running(layer, x)
    weight = layer.get_parameter(name)
    weight.data = weight.detach().clone()
    for t in range(2, 8):
        spoilt = [torch.full((21,), torch.nan) for _ in range(500)]
        assert torch.equal(stream.step(x[t]), expected[t])
        assert len(spoilt) == 500


@pytest.mark.parametrize(
    "cell", ["antisymmetric", "clockwork", "janet", "slstm", "lif"]
)
def test_cells_with_constants_go_on_by_kernels(cell: str):
    """Every step, not the first alone."""
    wide, high, more = sizes_for(cw.cells.load(cell).graph, 5, 16)
    layer = cw.nn.Recurrent(cell, wide, high, backend="c", **more).eval()
    x = torch.randn(6, 2, wide)
    expected, stream = outputs(layer, x), running(layer, x)
    steps = stream._steps
    for t in range(2, 6):
        assert torch.equal(stream.step(x[t]), expected[t])
        assert stream._steps is steps


def test_a_forked_process_asks_for_no_team():
    """OpenMP's threads did not come along, so the stream is opened anew."""
    layer, x = layer_of("lstm"), torch.randn(5, 1, 5)
    stream = running(layer, x)
    steps = stream._steps
    with mock.patch.object(Process, "forked", not Process.forked):
        stream.step(x[2])
        assert stream._steps is not steps


def test_a_snapshot_reads_the_weights_anew():
    """It is the way out where somebody writes through .data, which nobody counts."""
    layer, x = layer_of("lstm"), torch.randn(4, 1, 5)
    stream = running(layer, x)
    layer.W_i_l0.data.mul_(0.5)
    stream.restore(stream.snapshot())
    other = cw.Stream(layer)
    other.restore(stream.snapshot())
    assert torch.equal(stream.step(x[2]), other.step(x[2]))


def buffers_in_place(layer: nn.Module) -> None:
    """Halve all constants where they lie."""
    for value in layer.buffers():
        value.mul_(0.5)


def buffers_replaced(layer: nn.Module) -> None:
    """Put others in their place."""
    for name, value in list(layer.named_buffers()):
        layer.register_buffer(name, 0.5 * value)


@pytest.mark.parametrize("change", [buffers_in_place, buffers_replaced])
def test_a_changed_constant_is_read_at_the_next_step(change: Callable[[Any], None]):
    """Buffers are weights too."""
    layer = cw.nn.Recurrent("antisymmetric", 5, 16, backend="c").eval()
    x = torch.randn(4, 1, 5)
    stream = running(layer, x)
    stale, before = stream.step(x[2]), running(layer, x).snapshot()
    stream = running(layer, x)
    change(layer)
    found, other = stream.step(x[2]), cw.Stream(layer)
    other.restore(before)
    assert torch.equal(found, other.step(x[2]))
    assert not torch.equal(found, stale)


def test_a_layer_that_moves_takes_its_stream_along():
    """In float64 the stream goes on from what it was in float32."""
    layer, x = layer_of("gru"), torch.randn(5, 2, 5)
    stream = running(layer, x)
    layer.double()
    x = x.double()
    (h,) = (
        state.double()
        for state in running(layer.float(), x.float()).snapshot()["states"].values()
    )
    layer.double()
    expected, _ = layer(x[2:], h)
    for t in range(3):
        assert torch.equal(stream.step(x[2 + t]), expected[t])


def hooked(layer: Any) -> None:
    """Add 1 to what the layer puts out."""
    layer.register_forward_hook(lambda *a: (a[2][0] + 1, a[2][1]))


def hooked_ahead(layer: Any) -> None:
    """Add 1 to what it is given."""
    layer.register_forward_pre_hook(lambda _, args: (args[0] + 1, *args[1:]))


def forward_replaced(layer: Any) -> None:
    """Let a function of somebody's own run in its forward's place."""
    own = layer.forward
    layer.forward = lambda *a, **k: (own(*a, **k)[0] + 1, own(*a, **k)[1])


def zoneout_set(layer: Any) -> None:
    """Let states keep some of their values."""
    layer.zoneout = 0.3


@pytest.mark.parametrize(
    "change", [hooked, hooked_ahead, forward_replaced, zoneout_set]
)
@pytest.mark.parametrize("name", ["lstm", "LSTM"])
def test_whatever_a_call_would_do_is_done(name: str, change: Callable[[Any], None]):
    """Hooks, a forward of somebody's own and zoneout are never passed by."""
    layer, x = layer_of(name), torch.randn(4, 2, 5)
    stream, other = running(layer, x), running(layer, x)
    plain, before = other.step(x[2]), stream.snapshot()
    change(layer)
    found, general = stream.step(x[2]), cw.Stream(layer)
    general.restore(before)
    assert torch.equal(found, general.step(x[2]))
    assert not torch.equal(found, plain)
    stream.step(x[3])
    assert stream._steps is None


def test_global_hooks_and_another_backend_are_seen():
    """As are those that torch keeps for all modules, and a drop-in's backend."""
    layer, x = layer_of("LSTM"), torch.randn(5, 2, 5)
    stream, seen = running(layer, x), list[nn.Module]()
    handle = module.register_module_forward_hook(lambda m, *_: seen.append(m))
    try:
        stream.step(x[2])
        assert seen == [layer]
    finally:
        handle.remove()
    stream.step(x[3])
    assert stream._steps is not None
    layer.backend = "torch"
    stream.step(x[4])
    assert stream._steps is None


def test_what_a_kernel_cannot_do_goes_the_usual_way():
    """Another backend, further inputs, a subclass, uncounted weights, a model."""
    x = torch.randn(4, 2, 5)

    class Own(cw.nn.LSTM):
        pass

    with torch.inference_mode():
        uncounted = cw.nn.Recurrent("lstm", 5, 8).eval()
    layers = [
        cw.nn.Recurrent("lstm", 5, 8, backend="reference").eval(),
        cw.nn.LSTM(5, 8, backend="torch").eval(),
        nn.LSTM(5, 8).eval(),
        Own(5, 8).eval(),
        cw.nn.Recurrent("lstm", 5, 8, zoneout=0.2).eval(),
        cw.nn.Stack([cw.nn.Recurrent("lstm", 5, 8)]).eval(),
        uncounted,
    ]
    for layer in layers:
        stream, expected = cw.Stream(layer), outputs(layer, x)
        for t in range(4):
            found = {"output": stream.step(x[t])}
            assert_same(found, {"output": expected[t]}, dtype="float32")
        assert stream._steps is None


def test_states_go_on_wherever_they_are():
    """Streams join, leave, are copied, pickled and turned back between kernel steps."""
    layer, x = layer_of("lstm", num_layers=2), torch.randn(9, 3, 5)
    expected, stream = outputs(layer, x), running(layer, x)
    stream.step(x[2])
    saved = stream.snapshot()
    assert stream.step(x[3]).equal(expected[3])
    copied = copy.deepcopy(stream)
    pickled = pickle.loads(pickle.dumps(stream))  # noqa: S301, our own
    for one in (stream, copied, pickled):
        for t in range(4, 7):
            assert one.step(x[t]).equal(expected[t])
        assert one._steps is not None
    stream.restore(saved)
    for t in range(3, 6):
        assert stream.step(x[t]).equal(expected[t])
    stream.leave(1)
    for t in range(6, 9):
        found = stream.step(x[t, [0, 2]], streams=[0, 2])
        assert found.equal(expected[t, [0, 2]])
    stream.reset()
    assert stream.streams == ()
    assert stream.step(x[0]).equal(expected[0])


def test_steps_of_one_stream_need_no_batch():
    """``[I]`` gives ``[O]``, in between too, and an array of any width of float."""
    layer, x = layer_of("RNN"), torch.randn(7, 1, 5)
    expected, stream = outputs(layer, x)[:, 0], running(layer, x)
    given = [x[2, 0], x[3], x[4, 0].numpy(), x[5, 0].double().numpy(), x[6].numpy()]
    for t, one in enumerate(given, 2):
        found = np.asarray(stream.step(one))
        assert found.shape == (*one.shape[:-1], 16)
        assert np.array_equal(found.reshape(16), expected[t].numpy())
    assert stream._steps is not None


def test_what_does_not_fit_is_told_and_changes_nothing():
    """The errors are those of any step, and the stream goes on."""
    layer, x = layer_of("lstm"), torch.randn(6, 2, 5)
    expected = outputs(layer, x)
    for t, wrong in enumerate((x[0, :, :4], x[0, :1], x[:2]), 2):
        stream = running(layer, x)
        for s in range(2, t):
            stream.step(x[s])
        with pytest.raises((ShapeError, StateError)):
            stream.step(wrong)
        assert torch.equal(stream.step(x[t]), expected[t])


def test_outputs_and_inputs_are_the_callers_own():
    """No step writes on what another gave out, nothing written reaches a state."""
    layer, x = layer_of("lstm"), torch.randn(6, 2, 5, requires_grad=True)
    expected, stream = outputs(layer, x), running(layer, x)
    found: list[Tensor] = []
    for t in range(2, 6):
        given = x[t]
        found.append(stream.step(given))
        assert not found[-1].requires_grad
    for t, output in enumerate(found, 2):
        assert torch.equal(output, expected[t])
        output.zero_()


def test_a_training_layer_is_refused_in_between():
    """As at any step, and in evaluation the stream goes on."""
    layer, x = layer_of("lstm"), torch.randn(4, 2, 5)
    expected, stream = outputs(layer, x), running(layer, x)
    layer.train()
    with pytest.raises(StateError, match="in training"):
        stream.step(x[2])
    layer.eval()
    assert torch.equal(stream.step(x[2]), expected[2])
