from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import rnn

import cellwright as cw
from layer_runs import assert_same, outcome, states_of

KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "lstm": ("LSTM", {}),
    "lstm_proj": ("LSTM", {"proj_size": 3}),
    "gru": ("GRU", {}),
    "rnn_relu": ("RNN", {"nonlinearity": "relu"}),
}
FORMS = [
    {"num_layers": 1, "bidirectional": False, "batch_first": False},
    {"num_layers": 1, "bidirectional": True, "batch_first": True},
    {"num_layers": 2, "bidirectional": False, "batch_first": True},
    {"num_layers": 2, "bidirectional": True, "batch_first": False},
]
CELLS = ["lstm", "gru", "peephole_lstm", "slstm", "rhn", "lstm_norm_joint"]


def sequence(*shape: int) -> Tensor:
    """Return a random input with a fixed seed."""
    draws = torch.Generator().manual_seed(7)
    return torch.randn(shape, generator=draws, dtype=torch.float64)


def flags(*shape: int, share: float = 0.5, seed: int = 9) -> Tensor:
    """Return random booleans with a fixed seed."""
    draws = torch.Generator().manual_seed(seed)
    return torch.rand(shape, generator=draws) < share


def recurrent(cell: str, **options: Any) -> Any:
    """Return a layer of any cell with 4 inputs and 4 units."""
    torch.manual_seed(3)
    return cw.nn.Recurrent(cell, 4, 4, dtype=torch.float64, **options)


class Packed:
    """torch.nn's way: pack, run, pad."""

    def __init__(self, layer: Any, lengths: Sequence[int]):
        self._layer = layer
        self._lengths = torch.tensor(lengths)
        self.named_parameters = layer.named_parameters

    def __call__(self, x: Tensor, hx: Any) -> tuple[Tensor, Any]:
        """Run the padded input."""
        first = self._layer.batch_first
        packed = rnn.pack_padded_sequence(x, self._lengths, first, enforce_sorted=False)
        output, state = self._layer(packed, hx)
        steps = x.shape[1 if first else 0]
        return rnn.pad_packed_sequence(output, first, total_length=steps)[0], state


def by_steps(
    layer: Any, x: Tensor, hx: Any, keep: Tensor, reset: Tensor
) -> tuple[Tensor, list[Tensor]]:
    """Run one layer, one direction, row by row and step by step."""
    outputs: list[Tensor] = []
    last: list[list[Tensor]] = []
    _, declared = layer(x[:1, :1], lengths=[0])
    for row in range(x.shape[1]):
        state = [s[:, row : row + 1] for s in states_of(hx)]
        mine: list[Tensor] = []
        begins = False
        for t in range(len(x)):
            begins |= bool(reset[t, row])
            output = x.new_zeros(1, 1, layer.output_size)
            if keep[t, row]:
                if begins:
                    state, begins = states_of(declared), False
                given = tuple(state) if len(state) > 1 else state[0]
                output, after = layer(x[t : t + 1, row : row + 1], given)
                state = states_of(after)
            mine.append(output)
        outputs.append(torch.cat(mine))
        last.append(state)
    return torch.cat(outputs, 1), [
        torch.cat(rows, 1) for rows in zip(*last, strict=True)
    ]


class BySteps:
    """The same as a layer that `outcome` can run."""

    def __init__(self, layer: Any, keep: Tensor, reset: Tensor):
        self._layer, self._keep, self._reset = layer, keep, reset
        self.named_parameters = layer.named_parameters

    def __call__(self, x: Tensor, hx: Any) -> tuple[Tensor, Any]:
        """Run it."""
        return by_steps(self._layer, x, hx, self._keep, self._reset)


@pytest.mark.parametrize("given", [True, False], ids=["hx", "none"])
@pytest.mark.parametrize(
    "form", FORMS, ids=lambda f: "-".join(str(int(v)) for v in f.values())
)
@pytest.mark.parametrize("kind", KINDS)
def test_lengths_equal_torchs_packed_path(kind: str, form: dict[str, Any], given: bool):
    """Outputs, last states and all gradients are those of pack, run and pad."""
    name, options = KINDS[kind]
    torch.manual_seed(3)
    theirs = getattr(nn, name)(4, 5, **form, **options, dtype=torch.float64)
    ours = getattr(cw.nn, name).from_torch(theirs)
    lengths = [4, 1, 6, 5]
    x = sequence(4, 7, 4) if form["batch_first"] else sequence(7, 4, 4)
    rows = form["num_layers"] * (1 + form["bidirectional"])
    widths = [options.get("proj_size", 5), 5][: 2 if name == "LSTM" else 1]
    hx = [sequence(rows, 4, width) for width in widths] if given else None
    packed: Any = Packed(theirs, lengths)
    expected = outcome(packed, x, hx)
    assert_same(outcome(ours, x, hx, lengths=torch.tensor(lengths)), expected)
    listed: Any = lengths
    assert_same(outcome(ours, x, hx, lengths=listed), expected)


@pytest.mark.parametrize("cell", CELLS)
def test_mask_and_reset_equal_single_steps(cell: str):
    """Any mask and resets give what running each step by itself gives."""
    layer = recurrent(cell)
    x, keep = sequence(6, 3, 4), flags(6, 3, share=0.6)
    reset = flags(6, 3, share=0.3, seed=4)
    assert (reset & ~keep).any()
    assert (reset & keep)[1:].any()
    hx = [sequence(1, 3, 4) + 3 for _ in layer.graph.states]
    oracle: Any = BySteps(layer, keep, reset)
    expected = outcome(oracle, x, hx)
    assert_same(outcome(layer, x, hx, mask=keep, reset=reset), expected)
    assert expected["gradient of first 0"].any()


@pytest.mark.parametrize("batch_first", [True, False])
def test_mask_equals_the_kept_steps_alone(batch_first: bool):
    """Two layers, two directions: leaving steps out gives the same."""
    layer = recurrent("lstm", num_layers=2, bidirectional=True, batch_first=batch_first)
    x, kept = sequence(6, 1, 4), [0, 2, 3, 5]
    mask = torch.zeros(6, 1, dtype=torch.bool)
    mask[kept] = True
    given = (lambda v: v.transpose(0, 1)) if batch_first else (lambda v: v)
    alone, last = layer(given(x[kept]))
    output, state = layer(given(x), mask=given(mask))
    output = given(output)
    assert not output[[1, 4]].any()
    found = {"o": output[kept], "h": state[0], "c": state[1]}
    assert_same(found, {"o": given(alone), "h": last[0], "c": last[1]})


@pytest.mark.parametrize("cell", ["gru", "slstm"])
@pytest.mark.parametrize("bidirectional", [True, False])
def test_reset_equals_sequences_apart(cell: str, bidirectional: bool):
    """Two sequences in one row are two runs, also backwards."""
    layer = recurrent(cell, bidirectional=bidirectional)
    x = sequence(7, 2, 4)
    reset = torch.zeros(7, 2, dtype=torch.bool)
    reset[3] = True
    joined, last = layer(x, reset=reset)
    (first, early), (second, late) = layer(x[:3]), layer(x[3:])
    assert_same({"o": joined}, {"o": torch.cat([first, second])})
    for found, one, two in zip(*map(states_of, (last, early, late)), strict=True):
        # Each direction ends at another end.
        assert_same({"s": found[:1]}, {"s": two[:1]})
        assert_same({"s": found[1:]}, {"s": one[1:]})


@pytest.mark.parametrize("backend", ["reference", "c"])
@pytest.mark.parametrize("cell", ["gru", "slstm"])
@pytest.mark.parametrize("bidirectional", [True, False])
def test_reset_behind_the_last_step_is_no_reset(
    cell: str, bidirectional: bool, backend: str
):
    """What stands in the padding has no effect, in no direction, on nothing."""
    layer = recurrent(cell, bidirectional=bidirectional, backend=backend)
    x, lengths = sequence(6, 3, 4), torch.tensor([3, 0, 6])
    hx = [sequence(1 + bidirectional, 3, 4) + 3 for _ in layer.graph.states]
    padding = torch.arange(6).unsqueeze(1) >= lengths
    reset = flags(6, 3, share=0.3) & ~padding
    expected = outcome(layer, x, hx, lengths=lengths, reset=reset)
    assert_same(outcome(layer, x, hx, lengths=lengths, reset=reset | padding), expected)
    for row, steps in enumerate(lengths.tolist()):
        if not steps:
            continue
        alone = layer(
            x[:steps, [row]],
            tuple(s[:, [row]] for s in hx) if len(hx) > 1 else hx[0][:, [row]],
            reset=reset[:steps, [row]],
        )
        found = {f"last {i}": expected[f"last {i}"][:, [row]] for i in range(len(hx))}
        assert_same(found, dict(zip(found, states_of(alone[1]), strict=True)))


def kept_alone(
    layer: Any, x: Tensor, hx: list[Tensor], keep: Tensor, reset: Tensor
) -> tuple[Tensor, list[Tensor]]:
    """Run a row's sequences one by one, each without the steps that do not happen.

    The first direction takes hx into the first sequence, the second into the last, and
    each gives the state of the other end.
    """
    steps = keep.nonzero().flatten().tolist()
    pieces: list[list[int]] = [[]]
    fresh = False
    before = 0
    for step in steps:
        begins = bool(reset[before : step + 1].any())
        fresh |= begins and not pieces[0]
        if begins and pieces[-1]:
            pieces.append([])
        pieces[-1].append(step)
        before = step + 1
    declared = states_of(layer(x[:1], lengths=[0])[1])
    output = x.new_zeros(len(x), 1, 2 * layer.output_size)
    last: list[Tensor] = [torch.empty_like(state) for state in hx]
    for number, piece in enumerate(pieces):
        given = [state.clone() for state in declared]
        ends = (number == 0, number == len(pieces) - 1)
        for state, whole in zip(given, hx, strict=True):
            state[0] = whole[0] if ends[0] and not fresh else state[0]
            state[1] = whole[1] if ends[1] else state[1]
        first = tuple(given) if len(given) > 1 else given[0]
        part, state = layer(x[piece], first)
        output[piece] = part
        for kept, one in zip(last, states_of(state), strict=True):
            kept[0] = one[0] if ends[1] else kept[0]
            kept[1] = one[1] if ends[0] else kept[1]
    return output, last


@pytest.mark.parametrize("backend", ["reference", "c"])
@pytest.mark.parametrize("cell", ["gru", "slstm"])
def test_reset_at_a_step_that_does_not_happen_waits(cell: str, backend: str):
    """Both directions: it is splitting by hand at the next step that happens."""
    layer = recurrent(cell, bidirectional=True, backend=backend)
    x, hx = sequence(6, 40, 4), [sequence(2, 40, 4) + 3 for _ in layer.graph.states]
    keep, reset = flags(6, 40, share=0.6), flags(6, 40, share=0.3, seed=4)
    lengths = torch.tensor([6, 4, 5, 3]).repeat(10)
    both = keep & (torch.arange(6).unsqueeze(1) < lengths)
    first = tuple(hx) if len(hx) > 1 else hx[0]
    output, last = layer(x, first, mask=keep, lengths=lengths, reset=reset)
    assert (reset & ~both).any()
    for row in range(40):
        if not both[:, row].any():
            continue
        mine = [state[:, [row]] for state in hx]
        alone = kept_alone(layer, x[:, [row]], mine, both[:, row], reset[:, row])
        assert_same({"o": output[:, [row]]}, {"o": alone[0]})
        for found, expected in zip(states_of(last), alone[1], strict=True):
            assert_same({"s": found[:, [row]]}, {"s": expected})


@pytest.mark.parametrize("cell", ["gru", "slstm"])
def test_no_gradient_crosses_a_reset(cell: str):
    """Nothing before the reset is felt after it: neither inputs nor hx."""
    layer = recurrent(cell, num_layers=2)
    x = sequence(7, 2, 4).requires_grad_()
    hx = [sequence(2, 2, 4).requires_grad_() for _ in layer.graph.states]
    reset = torch.zeros(7, 2, dtype=torch.bool)
    reset[3] = True
    output, _ = layer(x, tuple(hx) if len(hx) > 1 else hx[0], reset=reset)
    found = torch.autograd.grad(output[3:].sum(), [x, *hx])
    assert found[0][3:].any(-1).all()
    assert not any(g[:3].any() for g in found[:1])
    assert not any(g.any() for g in found[1:])


@pytest.mark.parametrize("cell", ["lstm", "slstm", "lstm_norm_joint"])
@pytest.mark.parametrize("bidirectional", [True, False])
def test_padding_may_hold_anything(cell: str, bidirectional: bool):
    """NaN and infinities in padding reach no value and no gradient."""
    layer = recurrent(cell, num_layers=2, bidirectional=bidirectional)
    x, lengths = sequence(6, 3, 4), torch.tensor([2, 6, 0])
    clean = outcome(layer, x, None, lengths=lengths)
    padding = torch.arange(6).unsqueeze(1) >= lengths
    x[padding] = torch.tensor([torch.nan, torch.inf, -torch.inf, 1e300]).double()
    dirty = outcome(layer, x, None, lengths=lengths)
    assert_same(dirty, clean, "exact", "any")
    assert not dirty["gradient of x"][padding].any()
    assert not dirty["output"][padding].any()


def test_padding_of_further_inputs_may_hold_anything():
    """A time stamp at a step that does not happen is not looked at."""
    layer: Any = cw.nn.Recurrent("phased_lstm", 4, 4, dtype=torch.float64)
    x, mask, time = sequence(6, 3, 4), flags(6, 3), sequence(6, 3).abs()
    clean = outcome(layer, x, None, mask=mask, time=time)
    time = time.masked_fill(~mask, torch.nan)
    dirty = outcome(layer, x, None, mask=mask, time=time)
    assert_same(dirty, clean, "exact", "any")


def test_a_length_of_0_is_no_step():
    """The state stays as it came, the output is 0."""
    layer = recurrent("lstm", bidirectional=True)
    hx = (sequence(2, 3, 4), sequence(2, 3, 4) + 1)
    output, state = layer(sequence(6, 3, 4), hx, lengths=[0, 6, 0])
    assert not output[:, [0, 2]].any()
    for after, before in zip(state, hx, strict=True):
        assert torch.equal(after[:, [0, 2]], before[:, [0, 2]])
        assert not torch.equal(after[:, 1], before[:, 1])


def test_lengths_and_mask_both_hold():
    """A step happens where the mask says so and the length reaches."""
    layer = recurrent("gru")
    x, mask, lengths = sequence(6, 3, 4), flags(6, 3, share=0.7), [4, 6, 2]
    both = mask & (torch.arange(6).unsqueeze(1) < torch.tensor(lengths))
    assert not torch.equal(both, mask)
    expected = layer(x, mask=both)
    found = layer(x, mask=mask, lengths=lengths)
    assert all(map(torch.equal, found, expected))


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize(
    "make", [recurrent, lambda _, **o: cw.nn.GRU(4, 4, **o).double()]
)
def test_unbatched_input_takes_one_number_and_one_axis(make: Any, batch_first: bool):
    """[T] flags and a single length are those of a batch of one."""
    layer = make("gru", bidirectional=True, batch_first=batch_first)
    x, mask, reset = sequence(6, 4), flags(6), flags(2, 6)[1]
    time = 1 if batch_first else 0
    rows = [v.unsqueeze(1 - time) for v in (x, mask, reset)]
    output, state = layer(x, lengths=5, mask=mask, reset=reset)
    expected, last = layer(rows[0], lengths=[5], mask=rows[1], reset=rows[2])
    assert torch.equal(output, expected.squeeze(1 - time))
    assert torch.equal(state, last.squeeze(1))
    single = layer(x, lengths=torch.tensor(5), mask=mask, reset=reset)
    assert torch.equal(single[0], output)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_one_step_and_one_row(cell: str):
    """T=1 and B=1 are no special case."""
    layer = recurrent(cell)
    x = sequence(1, 1, 4)
    yes, no = torch.ones(1, 1).bool(), torch.zeros(1, 1).bool()
    hx = [sequence(1, 1, 4) for _ in layer.graph.states]
    expected = outcome(layer, x, hx)
    assert_same(outcome(layer, x, hx, mask=yes, reset=no), expected)
    assert_same(outcome(layer, x, hx, lengths=torch.tensor([1])), expected)
    fresh = {k: v for k, v in outcome(layer, x, None).items() if "first" not in k}
    found = outcome(layer, x, hx, reset=yes)
    assert_same({k: found[k] for k in fresh}, fresh)
    still = outcome(layer, x, hx, mask=no)
    assert torch.equal(still["last 0"], hx[0])
    assert not still["output"].any()


def test_lengths_may_be_of_any_whole_kind():
    """int32, int64, tuples and other libraries' integers count the same."""
    layer, x = recurrent("gru"), sequence(6, 2, 4)
    expected = layer(x, lengths=[3, 6])[0]
    for given in (
        torch.tensor([3, 6]),
        torch.tensor([3, 6], dtype=torch.int32),
        (3, 6),
        [torch.tensor(3), torch.tensor(6)],
    ):
        assert torch.equal(layer(x, lengths=given)[0], expected)
