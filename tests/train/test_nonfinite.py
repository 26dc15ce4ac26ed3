"""A loss that is not finite: the place where it began, for models of any form."""

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import cellwright as cw
from cellwright.train import DivergedError, Tensors, TruncatedBPTT, fit

SUM = """
input  x [input_size]
state  h [hidden_size]
weight W [hidden_size, input_size]
output h'
s  = W @ x
q  = exp(s)
h' = h + q
"""
"""At the weight 1 of `summing`, an x of 60 takes it beyond float32."""


class Model(nn.Module):
    """A layer 'l', a head 'h', and a forward of the test's own."""

    def __init__(self, layer, forward, head=None):
        super().__init__()
        self.l = layer
        self.h = nn.Linear(3, 1) if head is None else head
        self._forward = forward

    def forward(self, x):
        """Return what the test's function says."""
        return self._forward(self.l, self.h, x)


def summing(**options):
    """Return a layer that is easily taken beyond float32."""
    layer = cw.nn.Recurrent(SUM, 2, 3, **options)
    with torch.no_grad():
        layer.get_parameter("W_l0").fill_(1.0)
    return layer


def gru():
    """Return a layer whose output lies between -1 and 1."""
    return cw.nn.GRU(2, 3)


def told(model, x=None, source=None):
    """Return the line of the error that says where it began."""
    if source is None:
        x = torch.randn(6, 4, 2) if x is None else x
        source = Tensors(x, torch.zeros(6, 4, 1), 4, False, batch_first=False)
    with pytest.raises(DivergedError) as caught:
        fit(model, source, progress=False, epochs=1)
    lines = str(caught.value).splitlines()
    return next(line.strip() for line in lines if "began: " in line)


def large(step, row=2):
    """Return an input that is beyond what `summing` can hold from a step on."""
    x = torch.zeros(6, 4, 2)
    x[step, row] = 60.0
    return x


@pytest.mark.parametrize("batch_first", [False, True])
def test_packed_input_is_looked_into(batch_first: bool):
    """The step is that of the sequence, also in a row that is sorted elsewhere."""

    def forward(layer, head, x):
        x = x.transpose(0, 1) if batch_first else x
        packed = pack_padded_sequence(x, [3, 4, 6, 2], batch_first, False)
        output = pad_packed_sequence(layer(packed)[0], batch_first)[0]
        return head(output.transpose(0, 1) if batch_first else output)

    model = Model(summing(batch_first=batch_first), forward)

    assert told(model, large(4)) == "began: q_l0 of Recurrent 'l', step 4"


def test_traces_of_the_model_itself_stay_what_they_were():
    """A forward that asks for traces gets those, and no others."""
    seen = []

    def forward(layer, head, x):
        output, _, traces = layer(x, trace=["h'", "s"])
        seen.append(list(traces))
        return head(output + traces["s_l0"])

    assert told(Model(summing(), forward), large(3)) == (
        "began: q_l0 of Recurrent 'l', step 3"
    )
    assert seen == [["h'_l0", "s_l0"]] * 2


def test_a_trace_that_is_not_finite_is_an_output_of_the_layer():
    """A layer whose output is finite may still return what is none."""

    def forward(layer, head, x):
        _, _, traces = layer(x, trace=["q"])
        return head(traces["q_l0"])

    layer = cw.nn.Recurrent(SUM.replace("h + q", "tanh(h + q)"), 2, 3)
    with torch.no_grad():
        layer.get_parameter("W_l0").fill_(1.0)

    assert told(Model(layer, forward), large(5)) == (
        "began: q_l0 of Recurrent 'l', step 5"
    )


def test_a_diagnosis_that_fails_hides_nothing():
    """The run has diverged whatever happens then, and what happened is said."""
    calls = []

    def forward(layer, head, x):
        calls.append(x)
        if len(calls) > 1:
            raise ValueError("only once\nplease")
        return head(layer(x)[0]) + torch.inf

    assert told(Model(gru(), forward)) == (
        "began: not found, for the model failed when it was run again to see: "
        "ValueError: only once"
    )


def test_what_is_computed_between_modules_is_told():
    """A module whose input is not finite is not to blame for its output."""
    before_head = Model(gru(), lambda layer, head, x: head(torch.log(layer(x)[0] - 5)))
    before_layer = Model(
        gru(), lambda layer, head, x: head(layer(torch.log(x - 50))[0])
    )

    assert told(before_head) == (
        "began: what comes into Linear 'h' (between 'l' and 'h'), "
        "72 of whose 72 numbers are not finite"
    )
    assert told(before_layer) == (
        "began: what comes into GRU 'l' (between the input and 'l'), "
        "48 of whose 48 numbers are not finite"
    )


def test_input_of_a_container_is_told_by_the_container():
    """Of modules inside of one another, the outermost got it first."""
    head = nn.Sequential(nn.Sequential(nn.Linear(3, 1)))
    model = Model(gru(), lambda layer, head, x: head(torch.log(layer(x)[0] - 5)), head)

    assert "what comes into Sequential 'h' (between 'l' and 'h')" in told(model)


def test_the_output_of_the_model_is_watched():
    """What its forward computes behind its last module is no matter of the loss."""

    def forward(layer, head, x):
        return (0 * head(layer(x)[0]) + 500).exp()

    assert told(Model(gru(), forward)) == (
        "began: the model's own output, which it computes after 'h', "
        "24 of whose 24 numbers are not finite"
    )


def test_modules_with_modules_are_watched():
    """The innermost module is named whose inputs are finite and whose output is not."""
    inner = Model(
        gru(),
        lambda layer, head, x: torch.cat([(0 * head(layer(x)[0]) + 500).exp(), x], 2),
    )
    model = nn.Sequential(nn.Sequential(inner), nn.Linear(3, 1))

    assert told(model) == (
        "began: the output of Model '0.0', which it computes after '0.0.h', "
        "24 of whose 72 numbers are not finite"
    )


def test_infinities_that_do_no_harm_are_passed_over():
    """A mask's -inf and a state that begins there are no reason for an infinity."""

    def weigh(layer, head, x):
        return head(layer(x).masked_fill(x > 0, -torch.inf))

    def attend(layer, head, x):
        return head(layer(x).softmax(-1) + x)

    def forward(layer, head, x):
        return (0 * head(layer(x)[0]) + 500).exp()

    masked = Model(nn.Identity(), weigh, nn.Identity())
    attention = Model(masked, attend, cw.nn.Recurrent("slstm", 2, 3, heads=1))
    x = torch.randn(6, 4, 2)
    x[..., 0] = -1.0

    assert "the model's own output" in told(Model(attention, forward), x)


def test_a_step_of_a_cell_with_infinite_states_is_the_right_one():
    """-inf is where sLSTM begins, so that it is no fault of its first step."""
    layer = cw.nn.Recurrent("slstm", 2, 3, heads=1)
    with torch.no_grad():
        layer.get_parameter("W_i_l0").fill_(3e37)
    x = torch.zeros(6, 4, 2)
    x[3] = 100.0

    assert told(Model(layer, lambda layer, head, x: head(layer(x)[0])), x) == (
        "began: a_l0 of Recurrent 'l', step 3"
    )


@pytest.mark.parametrize("step", [2, 7])
def test_steps_are_those_of_the_window(step: int):
    """A window that overlaps the next is run in two parts, and counted as one."""
    x = torch.zeros(20, 2)
    x[step] = 60.0
    source = TruncatedBPTT(x, torch.zeros(20, 1), 10, 5)
    model = Model(summing(), lambda layer, head, x: head(layer(x)[0]))

    assert told(model, source=source) == (f"began: q_l0 of Recurrent 'l', step {step}")


def test_places_behind_the_window_s_first_part_begin_at_the_input():
    """The second call of the model does not go on behind the end of the first."""
    x = torch.zeros(20, 2)
    x[7] = 60.0
    source = TruncatedBPTT(x, torch.zeros(20, 1), 10, 5)
    model = Model(gru(), lambda layer, head, x: head(layer(torch.log(50 - x))[0]))

    assert "GRU 'l' (between the input and 'l')" in told(model, source=source)
