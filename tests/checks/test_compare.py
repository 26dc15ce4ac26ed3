from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import cellwright as cw
from cellwright.checks.calls import CompareError
from cellwright.checks.matching import MatchError

I, H = 3, 4  # noqa: E741, the field's names of these axes
Pair = tuple[Tensor, Tensor]


class Gates(nn.Module):
    """An LSTM over time with one Linear a gate, and faults to switch on."""

    def __init__(self, fault: str = "", lean: str = ""):
        super().__init__()
        self.fault = fault
        for gate in "ifgo":
            setattr(self, f"W_{gate}", nn.Linear(I, H, bias=gate != lean))
            setattr(self, f"U_{gate}", nn.Linear(H, H, bias=False))

    def gate(self, name: str, x: Tensor, h: Tensor) -> Tensor:
        """Return a gate before its squashing."""
        source = (
            {"i": "f", "f": "i"}.get(name, name) if self.fault == "swapped" else name
        )
        w = getattr(self, f"W_{source}")
        bias = None if (self.fault, name) == ("unused bias", "f") else w.bias
        sign = -1 if (self.fault, name) == ("sign", "o") else 1
        return F.linear(x, w.weight, bias) + sign * getattr(self, f"U_{source}")(h)

    def forward(self, x: Tensor, hx: Pair | None = None) -> tuple[Tensor, Pair]:
        """Run over time."""
        h, c = (torch.zeros(x.shape[1], H),) * 2 if hx is None else hx
        outputs: list[Tensor] = []
        last = x.shape[0] - (self.fault == "last step")
        for t in range(last):
            i, f, g, o = (self.gate(name, x[t], h) for name in "ifgo")
            kept = c.detach() if self.fault == "detached" else c
            c = torch.sigmoid(f) * kept + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
            outputs.append(h)
        return torch.stack(outputs), (h, c)


class Packed(nn.Module):
    """An LSTM over time with one matrix for everything, as many write it."""

    def __init__(self, order: str = "ifgo", batch_first: bool = False):
        super().__init__()
        self.gates = nn.Linear(I + H, 4 * H)
        self.order = order
        self.flip = batch_first

    def forward(self, x: Tensor, hx: Pair | None = None) -> tuple[Tensor, Pair]:
        """Run over time."""
        x = x.transpose(0, 1) if self.flip else x
        h, c = (x.new_zeros(x.shape[1], H),) * 2 if hx is None else hx
        outputs: list[Tensor] = []
        for t in range(x.shape[0]):
            parts = self.gates(torch.cat([x[t], h], dim=-1)).chunk(4, dim=-1)
            gate = dict(zip(self.order, parts, strict=True))
            c = torch.sigmoid(gate["f"]) * c
            c = c + torch.sigmoid(gate["i"]) * torch.tanh(gate["g"])
            h = torch.sigmoid(gate["o"]) * torch.tanh(c)
            outputs.append(h)
        output = torch.stack(outputs)
        return output.transpose(0, 1) if self.flip else output, (h, c)


class Step(nn.Module):
    """One step of a simple network, with weights of the cell's own names."""

    def __init__(self, form: str = "state"):
        super().__init__()
        self.form = form
        self.W = nn.Parameter(torch.randn(H, I))
        self.U = nn.Parameter(torch.randn(H, H))
        self.b = nn.Parameter(torch.zeros(H))

    def forward(self, x: Tensor, state: Tensor) -> Any:
        """Run one step."""
        h = torch.tanh(F.linear(x, self.W, self.b) + F.linear(state, self.U))
        return {"state": h, "pair": (h, h), "text": "h"}[self.form]


NAMES = {
    "gates.weight": [[f"W_{gate}", f"U_{gate}"] for gate in "ifgo"],
    "gates.bias": [f"b_{gate}" for gate in "ifgo"],
}

TORCH: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "LSTM": (lambda: nn.LSTM(I, H, 2, bidirectional=True), "lstm"),
    "projected LSTM": (lambda: nn.LSTM(I, H, proj_size=2), "lstm_proj"),
    "batch-first GRU": (lambda: nn.GRU(I, H, batch_first=True), "gru"),
    "GRU without biases": (lambda: nn.GRU(I, H, bias=False), "gru"),
    "RNN": (lambda: nn.RNN(I, H), "elman"),
    "relu RNN": (lambda: nn.RNN(I, H, nonlinearity="relu"), "elman_relu"),
    "LSTMCell": (lambda: nn.LSTMCell(I, H), "lstm"),
    "GRUCell": (lambda: nn.GRUCell(I, H), "gru"),
    "RNNCell": (lambda: nn.RNNCell(I, H), "elman"),
    "our LSTM": (lambda: cw.nn.LSTM(I, H), "lstm"),
    "our layer": (lambda: cw.nn.Recurrent("slstm", I, H, heads=2), "slstm"),
    "two inputs": (lambda: cw.nn.Recurrent("phased_lstm", I, H), "phased_lstm"),
}


@pytest.mark.parametrize("which", TORCH)
def test_torchs_layers_compute_our_cells(which: str):
    """Layers and steps of torch.nn, and our own, are found equal in all quantities."""
    make, cell = TORCH[which]
    module = make()
    found = cw.compare(module, cell)
    assert found, str(found)
    names = [row.quantity for row in found.rows]
    assert {"output", "gradient of x"} <= set(names)
    gradients = [n for n in names if n.startswith("gradient of ")]
    states = sum(n.startswith("gradient of first ") for n in names)
    assert states == len(cw.cells.find(cell).graph.states)
    assert len(gradients) == 1 + states + len(list(module.parameters()))


@pytest.mark.parametrize("which", [Gates, Packed, Step])
def test_hand_written_modules_compute_the_cell(which: Any):
    """A person's layers and steps are equal, whatever they call their weights."""
    names = NAMES if which is Packed else None
    found = cw.compare(which(), "elman" if which is Step else "lstm", names=names)
    assert found, str(found)


@pytest.mark.parametrize("fault", ["swapped", "unused bias", "sign", "last step"])
def test_faults_in_values_are_found(fault: str):
    """Another equation, or a step too few, is told by the output."""
    found = cw.compare(Gates(fault), "lstm")
    assert not found
    output = next(row for row in found.rows if row.quantity == "output")
    assert not output.equal
    assert "does not compute lstm" in str(found)


def test_detached_gradient_is_found_though_values_are_equal():
    """Values alone would not show a gradient that is cut off."""
    found = cw.compare(Gates("detached"), "lstm")
    wrong = {row.quantity: row for row in found.rows if not row.equal}
    assert wrong
    assert all(name.startswith("gradient") for name in wrong)
    assert "none arrives" in wrong["gradient of first c"].note


def test_bias_that_gets_no_gradient_is_found():
    """A bias that the forward pass forgets differs by its gradient too."""
    found = cw.compare(Gates("unused bias"), "lstm")
    row = next(r for r in found.rows if r.quantity == "gradient of W_f.bias")
    assert not row.equal
    assert "none arrives" in row.note


def test_last_step_that_is_dropped_shows_both_shapes():
    """A missing step is told by the shapes."""
    found = cw.compare(Gates("last step"), "lstm")
    assert found.rows[0].note == "shape [11, 3, 4], the cell's is [12, 3, 4]"


def test_missing_bias_is_named():
    """A bias that the module has not cannot be compared, and the error says which."""
    with pytest.raises(MatchError, match=r"the cell's b_f \[hidden_size\] is not in"):
        cw.compare(Gates(lean="f"), "lstm")


def test_cell_without_biases_is_asked_for():
    """bias=False compares with the cell without biases."""
    layer = Gates()
    for gate in "ifgo":
        getattr(layer, f"W_{gate}").bias = None
    assert cw.compare(layer, "lstm", bias=False)
    with pytest.raises(MatchError, match="b_i"):
        cw.compare(layer, "lstm")


def test_worst_entry_is_named_with_its_gate():
    """The answer names quantity, entry and both values."""
    found = cw.compare(nn.RNN(I, H), "elman_relu")
    worst = found.worst
    assert worst.error == max(row.error for row in found.rows)
    line = str(found).splitlines()[-1]
    assert line.startswith(f"worst: {worst.quantity}{worst.entry} is ")
    first = found.rows[0]
    assert first.quantity == "output"
    assert first.entry.startswith("[T=")
    assert abs(first.module - first.cell) > 0.01


def test_packed_gradient_names_the_gate():
    """An entry of a packed matrix is told with the gate that it belongs to."""
    layer = nn.GRU(I, H)
    found = cw.compare(layer, "gru")
    row = next(r for r in found.rows if r.quantity == "gradient of weight_ih_l0")
    place = int(row.entry.partition("row=")[2].partition(",")[0])
    assert row.entry.endswith(f"(W_{'rzn'[place // H]})")


def test_other_order_of_gates_is_the_likely_cause():
    """A packed matrix in another order is told with the order that fits."""
    found = cw.compare(Packed("iofg"), "lstm", names=NAMES)
    assert not found
    (cause,) = found.notes
    assert cause.endswith("the rows of gates.bias read as b_i, b_o, b_f, b_g.")
    names = {
        "gates.weight": [[f"W_{gate}", f"U_{gate}"] for gate in "iofg"],
        "gates.bias": [f"b_{gate}" for gate in "iofg"],
    }
    assert cw.compare(Packed("iofg"), "lstm", names=names)


class Flipped(nn.Module):
    """A GRU that reads [B, T, I] and does not say so."""

    def __init__(self):
        super().__init__()
        self.weight_ih = nn.Parameter(torch.randn(3 * H, I))
        self.weight_hh = nn.Parameter(torch.randn(3 * H, H))
        self.bias_ih = nn.Parameter(torch.randn(3 * H))
        self.bias_hh = nn.Parameter(torch.randn(3 * H))

    def forward(self, x: Tensor) -> Tensor:
        """Run over the second axis."""
        weights: list[Tensor] = [
            self.weight_ih,
            self.weight_hh,
            self.bias_ih,
            self.bias_hh,
        ]
        h = x.new_zeros(1, x.shape[0], H)
        return torch.gru(x, h, weights, True, 1, 0.0, False, False, True)[0]


def test_batch_first_is_the_likely_cause():
    """A transposed reading that matches is named, and asked for it matches."""
    found = cw.compare(Flipped(), "gru")
    assert not found
    assert any("compare with batch_first=True" in note for note in found.notes)
    assert cw.compare(Flipped(), "gru", batch_first=True)


def test_batch_first_module_that_cannot_run_is_told_too():
    """Where the wrong axes stop the module, the cause is told, not only the error."""
    found = cw.compare(Packed(batch_first=True), "lstm", names=NAMES)
    assert not found
    assert "does not run on" in found.rows[0].note
    assert any("compare with batch_first=True" in note for note in found.notes)
    assert cw.compare(Packed(batch_first=True), "lstm", names=NAMES, batch_first=True)


def test_module_without_states_says_what_was_not_compared():
    """A layer that returns only its output is compared by it, and a note says so."""
    found = cw.compare(Flipped(), "gru", batch_first=True)
    assert found.notes == ("The module returns no state: only its output is compared.",)
    assert "last h" not in [row.quantity for row in found.rows]


@pytest.mark.parametrize("two", [True, False])
def test_two_biases_are_summed(two: bool):
    """Two vectors that are added count as the cell's one; one of two is missed."""

    class Both(Step):
        def __init__(self):
            super().__init__()
            self.b2 = nn.Parameter(torch.zeros(H))

        def forward(self, x: Tensor, state: Tensor) -> Tensor:
            more = self.b2 if two else 0
            wx = F.linear(x, self.W, self.b)
            return torch.tanh(wx + F.linear(state, self.U) + more)

    with pytest.raises(MatchError, match=r"the module's b2 \[4\] is not in the cell"):
        cw.compare(Both(), "elman")
    found = cw.compare(Both(), "elman", names={"b2": "b"})
    assert found.equal == two
    assert "gradient of b2" in [row.quantity for row in found.rows]


def test_bias_of_the_recurrent_product_is_the_cells_own():
    """In a GRU the bias of U_n stands in the reset product, so it is d_n."""

    class Mine(nn.Module):
        W_r: nn.Linear
        W_z: nn.Linear
        W_n: nn.Linear
        U_r: nn.Linear
        U_z: nn.Linear
        U_n: nn.Linear

        def __init__(self):
            super().__init__()
            for gate in "rzn":
                setattr(self, f"W_{gate}", nn.Linear(I, H))
                setattr(self, f"U_{gate}", nn.Linear(H, H, bias=gate == "n"))

        def forward(self, x: Tensor, h: Tensor) -> Tensor:
            r = torch.sigmoid(self.W_r(x) + self.U_r(h))
            z = torch.sigmoid(self.W_z(x) + self.U_z(h))
            n = torch.tanh(self.W_n(x) + r * self.U_n(h))
            return (1 - z) * n + z * h

    assert cw.compare(Mine(), "gru")


def test_weights_of_a_part_are_found_by_their_last_name():
    """A module inside the module may hold the weights."""

    class Outer(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell = nn.GRUCell(I, H)

        def forward(self, x: Tensor, h: Tensor) -> Tensor:
            return self.cell(x, h)

    assert cw.compare(Outer(), "gru")


def test_unmatched_weights_are_listed_with_a_near_name():
    """Nothing is guessed: both sides are listed, with what may have been meant."""

    class Odd(Step):
        def __init__(self):
            super().__init__()
            self.w = nn.Parameter(self.W.detach())
            del self.W
            self.extra = nn.Linear(H, 2)

    with pytest.raises(MatchError) as caught:
        cw.compare(Odd(), "elman")
    text = str(caught.value)
    assert text.startswith("Odd: not every weight has its counterpart in elman")
    assert "the cell's W [hidden_size, input_size] is not in the module" in text
    assert "the module's w [4, 3] is not in the cell" in text
    assert "the module's extra.weight [2, 4] is not in the cell" in text


def test_near_name_is_offered():
    """A name that is nearly the cell's is offered, not taken."""

    class Near(nn.Module):
        def __init__(self):
            super().__init__()
            self.W_ii = nn.Linear(I, H)

        def forward(self, x: Tensor, hx: Pair) -> Pair:
            return self.W_ii(x), hx[1]

    with pytest.raises(MatchError, match=r"did you mean 'W_i'\?"):
        cw.compare(Near(), "lstm", names={"W_ii.bias": None})


def test_left_out_weights_are_not_compared():
    """None leaves a parameter out of the comparison."""

    class More(Step):
        def __init__(self):
            super().__init__()
            self.head = nn.Linear(H, 2)

    names = {"head.weight": None, "head.bias": None}
    found = cw.compare(More(), "elman", names=names)
    assert found
    assert not any("head" in row.quantity for row in found.rows)
    assert "Left out, and so 0 in the module: head.weight, head.bias." in str(found)
    assert "Left out" not in str(cw.compare(Step(), "elman"))


class Extra(Step):
    """A step with a second bias, which elman has not; it is 0 when it is made."""

    def __init__(self, at: float = 0.0, fails: bool = False):
        super().__init__()
        self.b2 = nn.Parameter(torch.full((H,), at))
        self.fails = fails

    def forward(self, x: Tensor, state: Tensor) -> Tensor:
        """Run one step."""
        if self.fails:
            raise ValueError("no step today")
        wx = F.linear(x, self.W, self.b)
        return torch.tanh(wx + F.linear(state, self.U) + self.b2)


@pytest.mark.parametrize("at", [0.0, 5.0])
def test_a_bias_that_is_left_out_is_zero(at: float):
    """A module with one bias more is the cell when that bias counts as 0."""
    module = Extra(at)
    assert cw.compare(module, "elman", names={"b2": None})
    assert module.b2.tolist() == [at] * H


def test_a_left_out_weight_is_whole_after_an_error():
    """The module keeps its weights, whatever happens."""
    module = Extra(5.0, fails=True)
    with pytest.raises(CompareError, match="no step today"):
        cw.compare(module, "elman", names={"b2": None})
    assert module.b2.tolist() == [5.0] * H


@pytest.mark.parametrize(
    ("names", "text"),
    [
        ({"Q": "W"}, "names= has 'Q', which is no parameter of the module"),
        ({"W": "V"}, "names= gives 'W' as 'V'; elman has W, U, b"),
        ({"U": "W"}, "the cell's W would be the sum of W and U"),
    ],
)
def test_wrong_names_are_told(names: dict[str, str], text: str):
    """A mapping that names nothing, or one weight twice, is an error."""
    with pytest.raises(MatchError) as caught:
        cw.compare(Step(), "elman", names=names)
    assert text in str(caught.value)


def test_step_may_return_output_and_state():
    """Both forms of a step are read; anything else is told."""
    assert cw.compare(Step("pair"), "elman")
    with pytest.raises(CompareError, match="got str"):
        cw.compare(Step("text"), "elman")


def test_step_with_an_optional_state_is_asked_for():
    """step=True reads a module as a step whose state may be left out."""

    class Optional(Step):
        def forward(self, x: Tensor, state: Tensor | None = None) -> Tensor:
            return super().forward(
                x, x.new_zeros(x.shape[0], H) if state is None else state
            )

    found = cw.compare(Optional(), "elman", step=True)
    assert found
    assert "output, hx=None" in [row.quantity for row in found.rows]


def test_wrong_first_state_is_found():
    """A layer that starts from ones where the cell starts from zeros differs."""

    class Ones(Gates):
        def forward(self, x: Tensor, hx: Pair | None = None) -> tuple[Tensor, Pair]:
            one = torch.ones(x.shape[1], H)
            return super().forward(x, (one, one) if hx is None else hx)

    found = cw.compare(Ones(), "lstm")
    wrong = [row.quantity for row in found.rows if not row.equal]
    assert wrong == ["output, hx=None", "last h, hx=None", "last c, hx=None"]


def test_shapes_that_do_not_fit_are_told():
    """A weight of another shape is named with both shapes and the sizes."""

    class Wide(Step):
        def __init__(self):
            super().__init__()
            self.b = nn.Parameter(torch.zeros(H + 1))

    with pytest.raises(CompareError) as caught:
        cw.compare(Wide(), "elman")
    assert "b is [5], and [4] to hold b_l0" in str(caught.value)
    assert "hidden_size=4" in str(caught.value)


def test_sizes_that_nothing_tells_are_asked_for():
    """A cell without weights of its input asks for the sizes."""
    cell = """# Leaky sum.
input x [input_size]
state h [hidden_size]
weight U [2 * hidden_size + input_size]
output h'
h' = h * sum(U) + sum(x)
"""

    class Leaky(nn.Module):
        def __init__(self):
            super().__init__()
            self.U = nn.Parameter(torch.randn(2 * H + I))

        def forward(self, x: Tensor, h: Tensor) -> Tensor:
            return h * self.U.sum() + x.sum(-1, keepdim=True)

    with pytest.raises(
        CompareError, match=r"write input_size=\.\.\., hidden_size=\.\.\."
    ):
        cw.compare(Leaky(), cell)
    assert cw.compare(Leaky(), cell, input_size=I, hidden_size=H)
    assert cw.compare(Leaky(), cell, hidden_size=H)


def test_module_is_left_as_it_was():
    """Weights, mode, dtype and the random stream of the caller do not change."""
    module = nn.GRU(I, H)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    stream = torch.get_rng_state()
    cw.compare(module, "gru")
    assert module.training
    assert all(torch.equal(module.state_dict()[n], v) for n, v in before.items())
    assert torch.equal(torch.get_rng_state(), stream)
    assert torch.get_default_dtype() == torch.float32


def test_quotient_that_is_not_whole_is_no_size():
    """Rows that no number of gates divides are told as such, and no size is made up."""
    with pytest.raises(CompareError) as caught:
        cw.compare(nn.LSTM(3, 4), "gru")
    text = str(caught.value)
    said = "weight_ih_l0 is [16, 3]: 16 rows are no 3 equal parts; the cell has 3 gates"
    assert f"{said} in it: W_r, W_z, W_n" in text
    assert "hidden_size=" not in text


def test_modules_own_sizes_come_before_the_weights():
    """Weights of another cell that divide by chance do not outvote the module."""
    with pytest.raises(CompareError, match="hidden_size=6\\n") as caught:
        cw.compare(nn.LSTM(3, 6), "gru")
    assert "weight_ih_l0 is [24, 3], and [18, 3] to hold W_r_l0" in str(caught.value)


class Tiring(nn.Module):
    """A simple network over time that stops at the eighth step."""

    def __init__(self):
        super().__init__()
        self.W, self.U = nn.Linear(I, H), nn.Linear(H, H, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Run over time."""
        h = x.new_zeros(x.shape[1], H)
        outputs: list[Tensor] = []
        for t in range(x.shape[0]):
            h = torch.tanh(self.W(x[t]) + self.U(h)) if t < 7 else h
            outputs.append(h)
        return torch.stack(outputs)


def test_steps_say_how_far_the_comparison_looks():
    """A fault of the eighth step is seen by default, and the answer says how far."""
    found = cw.compare(Tiring(), "elman")
    assert not found
    assert str(found).startswith("Tiring does not compute elman (T=12, B=3)\n")
    short = cw.compare(Tiring(), "elman", steps=7)
    assert short
    assert str(short).startswith("Tiring computes elman (T=7, B=3)\n")
    assert not cw.compare(Tiring(), "elman", steps=8)
    with pytest.raises(CompareError, match="at least 1 step, got 0"):
        cw.compare(Tiring(), "elman", steps=0)


def test_lazy_module_is_an_error_of_ours():
    """Weights without a shape yet are named, with what gives them one."""
    with pytest.raises(CompareError) as caught:
        cw.compare(nn.LazyLinear(4), "elman")
    assert str(caught.value).startswith("LazyLinear: every weight must have its shape")
    assert "weight, bias of a lazy module wait for a first input" in str(caught.value)


def test_what_is_no_module_is_an_error():
    """The error names what was given."""
    module: Any = "lstm"
    with pytest.raises(CompareError, match="got str"):
        cw.compare(module, "lstm")


def test_weight_that_starts_as_zero_is_seen_in_the_values():
    """Weights are moved before the run, so that none hides a fault by being 0."""
    layer = Gates("sign")
    nn.init.zeros_(layer.get_parameter("U_o.weight"))
    found = cw.compare(layer, "lstm")
    assert not found.rows[0].equal


def test_dropout_rests_in_the_comparison():
    """The module runs in evaluation, so dropout between layers does not matter."""
    assert cw.compare(nn.GRU(I, H, 2, dropout=0.9), "gru")


def test_what_is_suggested_can_be_said():
    """A suggestion is a full name, of a tensor with as many axes."""

    class Theirs(nn.Module):
        def __init__(self):
            super().__init__()
            self.Wf = nn.Linear(3, 4)

    with pytest.raises(MatchError) as caught:
        cw.compare(Theirs(), "lstm", names={"Wf": "W_f"})
    said = str(caught.value)

    assert "which is no parameter of the module. did you mean 'Wf.weight'?" in said
    assert (
        "W_f [hidden_size, input_size] is not in the module. did you mean 'Wf.w" in said
    )
    assert "b_f [hidden_size] is not in the module. did you mean" not in said
    assert "the module's Wf.bias [4] is not in the cell. did you mean" not in said
