from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import cellwright as cw
from cellwright.errors import CellwrightError

PHASED = "phased_lstm"
WRONG: Any = "wrong"
LINEAR: Any = [nn.Linear(3, 8)]
MATRIX = """input x [input_size]
state h [hidden_size]
weight U [hidden_size, hidden_size]
weight W [hidden_size, input_size]
output h'
V = tanh(U)
h' = tanh(W @ x + V @ h)
"""
RENAMED = """input x [input_size]
state m [hidden_size]
weight W [hidden_size, input_size]
output m'
m' = tanh(m + W @ x)
"""
RESET = """input x [input_size]
input reset
state h [hidden_size]
weight W [hidden_size, input_size]
output h'
h' = where(reset, 0, h) + W @ x
"""
GOLDEN = Path(__file__).parent / "golden"
RESERVED = """input x [input_size]
input hx
state h [hidden_size]
constant dropout = 1
output h'
h' = h + hx * dropout * sum(x)
"""


def zeros(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """Return a tensor of which only the form counts."""
    return torch.zeros(shape, dtype=dtype)


def lstm(**options: Any) -> Any:
    """Return a drop-in of the sizes that the texts show."""
    return cw.nn.LSTM(3, 8, **options)


def layer(cell: Any = "lstm", **options: Any) -> Any:
    """Return a layer of the sizes that the texts show."""
    return cw.nn.Recurrent(cell, 3, 8, **options)


def flags(*shape: int, device: str = "cpu") -> torch.Tensor:
    """Return a mask of which only the form counts."""
    return torch.zeros(shape, dtype=torch.bool, device=device)


def packed() -> nn.utils.rnn.PackedSequence:
    """Return a packed sequence of the right width."""
    return nn.utils.rnn.pack_sequence([zeros(2, 3)])


class Behind(nn.Module):
    """A drop-in, and a forward that does what it should not."""

    def __init__(self, what: str):
        super().__init__()
        self.rnn, self.what = lstm(), what

    def forward(self, x: torch.Tensor) -> Any:
        """Return something."""
        hx = (zeros(1, x.shape[1], 8),) * 2 if self.what == "hx" else None
        output, _ = self.rnn(x[:0] if self.what == "no step" else x, hx)
        if self.what == "twice":
            self.rnn(x)
        if self.what == "mapping":
            return {"output": output}
        if self.what == "rows":
            return output.sum(1)
        return output.squeeze() if self.what == "squeeze" else output.mean(0)


def carried(module: Any = None) -> cw.nn.CarriedStates:
    """Return what carries the states of a drop-in, in a batch of 16."""
    module = module or lstm()
    found = cw.nn.CarriedStates(module)
    with found:
        module(zeros(20, 16, 3))
    return found


def call_after(module: Any) -> None:
    """Carry states of a batch of 16 into one of 4."""
    found = carried(module)
    with found:
        module(zeros(20, 4, 3))


def call_none() -> None:
    """Call nothing in a block."""
    with cw.nn.CarriedStates(Behind("hx")):
        pass


def call_nested() -> None:
    """Stand a block in itself."""
    found = cw.nn.CarriedStates(lstm())
    with found, found:
        pass


def step(what: str) -> Any:
    """Step with a model that does what it should not."""
    return cw.Stream(Behind(what).eval()).step(zeros(16, 3))


def stream() -> cw.Stream:
    """Return a stream of two that have stepped."""
    found = cw.Stream(lstm().eval())
    found.step(zeros(2, 3), streams=["north", "south"])
    return found


def misfit() -> dict[str, Any]:
    """Return states of which none fits."""
    h, double = zeros(1, 16, 4), zeros(1, 16, 8, dtype=torch.float64)
    return {"h": h, "c": double, "rnn.m": h}


def gru(*sizes: Any, **options: Any) -> Any:
    """Return a layer of one state."""
    return cw.nn.Recurrent("gru", *sizes, **options)


def stack(wiring: Any = "plain", **options: Any) -> Any:
    """Return a stack of two unlike layers that the texts show."""
    return cw.nn.Stack.of_cells(["gru", "lstm"], 3, [8, 5], wiring, **options)


def argmax(output: torch.Tensor) -> torch.Tensor:
    """Return words in the place of what a decoder reads."""
    return output.argmax(-1)


def coders(encoder: Any, decoder: Any, bridge: Any = None) -> Any:
    """Return an encoder with a decoder."""
    return cw.nn.EncoderDecoder(encoder, decoder, bridge)


def generated(x: torch.Tensor, first: Any, feed: Any = argmax) -> Any:
    """Let a decoder go on by itself for five steps."""
    return coders(lstm(), lstm()).generate(x, first, 5, feed)


CASES: dict[str, Callable[[], object]] = {
    "input_size": lambda: lstm()(zeros(20, 16, 4)),
    "input_size_batch_first": lambda: lstm(batch_first=True)(zeros(20, 16, 4)),
    "input_size_unbatched": lambda: lstm()(zeros(20, 4)),
    "input_axes": lambda: lstm()(zeros(1, 20, 16, 3)),
    "input_no_step": lambda: lstm()(zeros(0, 16, 3)),
    "input_dtype": lambda: lstm()(zeros(20, 16, 3, dtype=torch.float64)),
    "input_integer": lambda: lstm()(zeros(20, 16, 3, dtype=torch.int64)),
    "input_no_tensor": lambda: layer()([1.0]),
    "input_device": lambda: lstm()(torch.zeros(20, 16, 3, device="meta")),
    "input_packed_lengths": lambda: layer()(packed(), lengths=[2]),
    "lengths_float": lambda: lstm()(zeros(20, 16, 3), lengths=zeros(16)),
    "lengths_bool": lambda: lstm()(zeros(20, 2, 3), lengths=torch.ones(2).bool()),
    "lengths_no_numbers": lambda: lstm()(zeros(20, 2, 3), lengths=[20, 4.0]),
    "lengths_no_list": lambda: lstm()(zeros(20, 2, 3), lengths={20: 4}),
    "lengths_too_few": lambda: lstm()(zeros(20, 16, 3), lengths=[20, 4]),
    "lengths_unbatched": lambda: lstm()(zeros(20, 3), lengths=[20, 4]),
    "lengths_too_long": lambda: layer()(zeros(20, 3, 3), lengths=[20, 4, 21]),
    "lengths_negative": lambda: layer()(zeros(20, 3, 3), lengths=[20, -1, 4]),
    "mask_no_tensor": lambda: lstm()(zeros(2, 1, 3), mask=[[True], [False]]),
    "mask_float": lambda: lstm()(zeros(20, 16, 3), mask=zeros(20, 16)),
    "mask_axes": lambda: lstm(batch_first=True)(zeros(16, 20, 3), mask=flags(20, 16)),
    "mask_device": lambda: lstm()(zeros(20, 16, 3), mask=flags(20, 16, device="meta")),
    "reset_integer": lambda: layer()(zeros(4, 2, 3), reset=torch.tensor([[1, 0]] * 4)),
    "reset_axes": lambda: layer()(zeros(20, 3), reset=flags(20, 1)),
    "trace_unknown": lambda: lstm()(zeros(20, 16, 3), trace=("c",)),
    "trace_text": lambda: lstm()(zeros(20, 16, 3), trace="c'"),
    "trace_matrix": lambda: layer(MATRIX)(zeros(20, 16, 3), trace=("V",)),
    "states_which": lambda: lstm()(zeros(20, 16, 3), return_states="every"),
    "option_zoneout": lambda: lstm(zoneout=1.5),
    "option_zoneout_state": lambda: lstm(zoneout={"h": 0.1, "cc": 0.1}),
    "option_zoneout_share": lambda: layer("lstm", zoneout={"c": "half"}),
    "option_zoneout_infinite": lambda: layer("slstm", zoneout=0.1),
    "option_variational": lambda: lstm(variational_dropout=-0.1),
    "option_weight_dropout": lambda: layer(weight_dropout=True),
    "option_input_name": lambda: layer(RESET),
    "engine_torch": lambda: lstm(backend="torch")(zeros(2, 1, 3), lengths=[2]),
    "engine_torch_zoneout": lambda: lstm(backend="torch", zoneout=0.1),
    "engine_torch_memory": lambda: lstm(backend="torch", memory="recompute"),
    "option_memory": lambda: layer(memory="less"),
    "to_torch_memory": lambda: lstm(memory="recompute").to_torch(),
    "to_torch": lambda: lstm(zoneout={"c": 0.5}, weight_dropout=0.2).to_torch(),
    "states_one_of_two": lambda: lstm()(zeros(20, 16, 3), zeros(1, 16, 8)),
    "states_three_of_two": lambda: lstm()(zeros(20, 16, 3), (zeros(1, 16, 8),) * 3),
    "states_two_of_one": lambda: layer("gru")(zeros(20, 16, 3), (zeros(1, 16, 8),) * 2),
    "state_batch": lambda: lstm()(zeros(20, 16, 3), (zeros(1, 16, 8), zeros(1, 20, 8))),
    "state_projected": lambda: lstm(proj_size=2, num_layers=2, bidirectional=True)(
        zeros(20, 16, 3), (zeros(4, 16, 8), zeros(4, 16, 8))
    ),
    "state_unbatched": lambda: lstm()(zeros(20, 3), (zeros(1, 8), zeros(1, 1, 8))),
    "state_dtype": lambda: layer("gru")(
        zeros(20, 16, 3), zeros(1, 16, 8, dtype=torch.float64)
    ),
    "further_missing": lambda: layer(PHASED)(zeros(20, 16, 3)),
    "further_shape": lambda: layer(PHASED)(zeros(20, 16, 3), time=zeros(16, 20)),
    "further_unknown": lambda: layer(PHASED)(zeros(20, 16, 3), clock=zeros(20, 16)),
    "option_unknown": lambda: layer("lstm_proj", proj_sise=2),
    "option_missing": lambda: layer("lstm_proj"),
    "option_not_whole": lambda: layer("slstm", heads=3),
    "option_no_number": lambda: layer("slstm", heads="four"),
    "option_dropout": lambda: layer(dropout=2.0),
    "option_backend": lambda: layer(backend="cuda"),
    "option_backend_dropin": lambda: lstm(backend="cuda"),
    "option_nonlinearity": lambda: cw.nn.RNN(3, 8, nonlinearity=WRONG),
    "option_reserved": lambda: layer(RESERVED),
    "option_constant_shape": lambda: layer("izhikevich", a=zeros(3)),
    "option_constant_value": lambda: layer("izhikevich", slope="steep"),
    "option_flag": lambda: layer(bidirectional=2),
    "option_forget_bias": lambda: lstm(forget_bias="one"),
    "option_projection": lambda: cw.nn.GRU(3, 8, proj_size=2),
    "option_no_cell": lambda: layer(None),
    "script": lambda: lstm().__prepare_scriptable__(),
    "script_cell": lambda: layer().__prepare_scriptable__(),
    "forget_bias": lambda: layer("gru", forget_bias=1.0),
    "forget_bias_dropin": lambda: cw.nn.GRU(3, 8, forget_bias=1.0),
    "chrono": lambda: layer("gru", chrono=100),
    "chrono_dropin": lambda: cw.nn.GRU(3, 8, chrono=100),
    "chrono_twice": lambda: lstm(chrono=100, forget_bias=1.0),
    "option_chrono": lambda: lstm(chrono=1),
    "option_init": lambda: layer(init="orthogonal"),
    "init_text": lambda: layer(init={"b_f": "1\noutput c'"}),
    "init_name": lambda: lstm(init={"u_*": "orthogonal"}),
    "init_micro_step": lambda: layer("rhn", init={"R_n_2": "glorot"}),
    "init_faults": lambda: layer(init={"U_*": "orthogona", "b_*": "glorot"}),
    "init_later": lambda: layer(init={"b_f": 1, "b_i": "-b_f"}),
    "from_torch": lambda: cw.nn.LSTM.from_torch(nn.GRU(3, 8)),
    "convert_no_module": lambda: cw.convert(WRONG),
    "convert_direction": lambda: cw.convert(nn.GRU(3, 8), to=WRONG),
    "carried_no_layer": lambda: cw.nn.CarriedStates(nn.Linear(3, 8)),
    "carried_layers": lambda: cw.nn.CarriedStates(
        nn.ModuleDict({"a": lstm(bidirectional=True), "b": nn.GRUCell(3, 8)})
    ),
    "carried_hx": lambda: carried(Behind("hx")),
    "carried_twice": lambda: carried(Behind("twice")),
    "carried_none": call_none,
    "carried_nested": call_nested,
    "carried_batch": lambda: call_after(lstm()),
    "carried_rows": lambda: carried().select([15, 16]),
    "carried_misfit": lambda: carried().load_state_dict(misfit()),
    "carried_missing": lambda: carried().load_state_dict({"h": zeros(1, 4, 8)}),
    "carried_batches": lambda: carried().load_state_dict(
        {"h": zeros(1, 4, 8), "c": zeros(1, 5, 8)}
    ),
    "stream_training": lambda: cw.Stream(lstm()).step(zeros(16, 3)),
    "stream_not_the_sequence": lambda: step("mean"),
    "stream_squeezed": lambda: step("squeeze"),
    "stream_no_rows": lambda: step("rows"),
    "stream_no_tensor": lambda: step("mapping"),
    "stream_layout": lambda: cw.Stream(lstm().eval(), True).step(zeros(16, 3)),
    "stream_list": lambda: stream().step(WRONG),
    "stream_scalar": lambda: stream().step(zeros()),
    "stream_inputs": lambda: stream().step(zeros(2, 3), reset=flags(3)),
    "stream_no_names": lambda: stream().step(zeros(3, 3)),
    "stream_one_name": lambda: stream().step(zeros(2, 3), streams=WRONG),
    "stream_names": lambda: stream().step(zeros(2, 3), streams=["north"]),
    "stream_name_twice": lambda: stream().step(zeros(2, 3), streams=["north"] * 2),
    "stream_leave": lambda: stream().leave("north", "east", "west"),
    "stream_restore": lambda: stream().restore({"streams": ()}),
    "stream_restore_rows": lambda: stream().restore(
        {"streams": ("east",), "states": stream().snapshot()["states"]}
    ),
    "stack_plain_widths": lambda: cw.nn.Stack([gru(3, 8), cw.nn.LSTM(5, 5)]),
    "stack_skip_widths": lambda: cw.nn.Stack([gru(3, 8), cw.nn.LSTM(8, 5)], "skip"),
    "stack_residual_widths": lambda: stack("residual"),
    "stack_wiring": lambda: stack("residul"),
    "stack_empty": lambda: cw.nn.Stack([]),
    "stack_no_list": lambda: cw.nn.Stack(WRONG),
    "stack_no_layer": lambda: cw.nn.Stack(LINEAR),
    "stack_cell": lambda: cw.nn.Stack([WRONG]),
    "stack_layouts": lambda: cw.nn.Stack([gru(3, 8), gru(8, 5, batch_first=True)]),
    "stack_project": lambda: stack("skip", project=True),
    "stack_dropout": lambda: stack(dropout=2),
    "stack_cells_sizes": lambda: cw.nn.Stack.of_cells(["gru", "lstm"], 3, [8, 5, 4]),
    "stack_torch": lambda: cw.nn.Stack([nn.GRU(3, 8)])(zeros(20, 16, 3), lengths=[20]),
    "stack_input": lambda: stack("dnc")(zeros(20, 16, 4)),
    "stack_states_number": lambda: stack()(zeros(20, 16, 3), [None] * 3),
    "stack_states_tensor": lambda: stack()(zeros(20, 16, 3), zeros(1, 16, 8)),
    "stack_states_of_one": lambda: stack()(zeros(20, 16, 3), (None, zeros(1, 16, 5))),
    "stack_state_shape": lambda: stack()(zeros(20, 16, 3), (zeros(1, 16, 5), None)),
    "stack_trace": lambda: stack()(zeros(20, 16, 3), trace=("cc'",)),
    "stack_trace_text": lambda: stack()(zeros(20, 16, 3), trace="c'"),
    "stack_further": lambda: stack()(zeros(20, 16, 3), time=zeros(20, 16)),
    "coders_states": lambda: coders(lstm(), gru(3, 16)),
    "coders_stacks": lambda: coders(stack("dnc", bidirectional=True), stack()),
    "coders_nested": lambda: coders(lstm(num_layers=2), stack()),
    "coders_names": lambda: coders(gru(3, 8), layer(RENAMED)),
    "coders_bridge": lambda: coders(lstm(), gru(3, 16), "liner"),
    "coders_layouts": lambda: coders(lstm(), lstm(batch_first=True)),
    "coders_backwards": lambda: coders(lstm(), lstm(bidirectional=True)),
    "coders_no_layer": lambda: coders(lstm(), nn.GRUCell(3, 8)),
    "coders_torch": lambda: coders(nn.GRU(3, 8), gru(3, 8))(
        zeros(20, 16, 3), zeros(5, 16, 3), lengths=[20]
    ),
    "coders_feed": lambda: coders(lstm(), lstm()).generate(
        zeros(20, 16, 3), zeros(16, 3), 5
    ),
    "coders_steps": lambda: coders(lstm(), lstm()).generate(
        zeros(20, 16, 3), zeros(16, 3), 0
    ),
    "coders_first": lambda: generated(zeros(20, 16, 3), zeros(15, 3)),
    "coders_first_axes": lambda: generated(zeros(20, 3), zeros(1, 3)),
    "coders_first_none": lambda: generated(zeros(20, 16, 3), None),
    "coders_no_feed": lambda: generated(zeros(20, 16, 3), zeros(16, 3), "x"),
    "coders_feed_returns": lambda: generated(zeros(20, 16, 3), zeros(16, 3), argmax),
    "coders_batch": lambda: coders(lstm(), lstm())(zeros(20, 16, 3), zeros(5, 15, 3)),
    "coders_unbatched": lambda: coders(lstm(), lstm())(packed(), zeros(5, 3)),
    "coders_bridge_dtype": lambda: coders(
        lstm(dtype=torch.float64), gru(3, 16), "linear"
    )(zeros(20, 16, 3, dtype=torch.float64), zeros(5, 16, 3)),
    "compare_no_counterpart": lambda: cw.compare(nn.GRU(3, 8), "cifg"),
    "compare_names": lambda: cw.compare(nn.RNN(3, 8), "elman", names={"bias": "c"}),
    "compare_shapes": lambda: cw.compare(nn.RNN(3, 8), "elman", hidden_size=7),
}


@pytest.mark.parametrize("case", CASES)
def test_error_says_where_rule_found_and_fix(case: str):
    """Every error of a layer has exactly the text of its golden file."""
    with pytest.raises(CellwrightError) as caught:
        CASES[case]()
    text = f"{type(caught.value).__name__}: {caught.value}\n"
    assert text == (GOLDEN / f"{case}.txt").read_text(encoding="utf-8")


def test_every_golden_text_has_its_case():
    """No file outlives its case."""
    assert {path.stem for path in GOLDEN.iterdir()} == set(CASES)


# Arguments that torch.nn has not raise errors of arguments.
CALLS = [c for c in CASES if c.startswith(("input", "state"))]
CALLS = [c for c in CALLS if c not in ("input_packed_lengths", "states_which")]


@pytest.mark.parametrize("case", CALLS)
def test_call_errors_are_runtime_errors(case: str):
    """What torch.nn's users catch, they catch here too."""
    with pytest.raises(RuntimeError):
        CASES[case]()
