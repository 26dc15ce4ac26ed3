import copy
import math
import pickle
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import cellwright as cw
from cellwright.checks.tolerances import TOLERANCES, error
from cellwright.compiler import programs as compiler
from cellwright.language.report import CellError
from cellwright.nn.errors import OptionError
from cellwright.nn.initialise import init_values, initialised
from cellwright.nn.torch_weights import TORCH, cell_name, from_packed

REFERENCE = TOLERANCES["reference", "float64"].bound
MANY = {"U_*": "orthogonal", "W_*": "glorot", "b_*": 0, "b_f": "normal(1, 0)"}
FORM = {"num_layers": 2, "bidirectional": True}


def layer(cell: Any = "lstm", **options: Any) -> Any:
    """Return a layer with 3 inputs in float64, made under one seed."""
    torch.manual_seed(2)
    return cw.nn.Recurrent(cell, 3, 8, dtype=torch.float64, **options)


def dropin(kind: str = "LSTM", **options: Any) -> Any:
    """Return a drop-in with 3 inputs in float64, made under one seed."""
    torch.manual_seed(2)
    return getattr(cw.nn, kind)(3, 8, dtype=torch.float64, **options)


def gates(made: Any, suffix: str) -> dict[str, Tensor]:
    """Return the cell's parameters of one layer and direction, by their names there."""
    state = made.state_dict()
    if "weight_ih_l0" in state:
        packing = TORCH[cell_name(made.mode, made.proj_size)]
        state = from_packed(packing, state)
    return {
        name.removesuffix(suffix): value
        for name, value in state.items()
        if name.endswith(suffix)
    }


def is_glorot(weight: Tensor) -> bool:
    """Whether entries fill the range of torch's xavier_uniform_, and only it."""
    rows, columns = weight.shape
    bound = math.sqrt(6 / (rows + columns))
    return 0.8 * bound < float(weight.detach().abs().max()) <= bound


@pytest.mark.parametrize("make", [layer, dropin])
@pytest.mark.parametrize("suffix", ["_l0", "_l1", "_l0_reverse", "_l1_reverse"])
def test_each_gate_begins_as_the_call_says(make: Any, suffix: str):
    """Orthogonal, Glorot and numbers go into every gate's own block, everywhere."""
    found = gates(make(**FORM, init=MANY), suffix)
    for gate in "ifgo":
        recurrent = found[f"U_{gate}"]
        assert error(recurrent @ recurrent.T, torch.eye(8)) <= REFERENCE
        assert is_glorot(found[f"W_{gate}"])
        assert (found[f"b_{gate}"] == (1 if gate == "f" else 0)).all()
    assert not found["U_i"].equal(found["U_f"])


@pytest.mark.parametrize(
    ("kind", "options", "init", "changed"),
    [
        ("GRU", {}, {"U_n": "orthogonal", "d_n": 0.5}, {"U_n", "d_n"}),
        ("RNN", {}, {"U": "orthogonal", "b": -1}, {"U", "b"}),
        ("RNN", {"nonlinearity": "relu"}, {"?": "0"}, {"W", "U", "b"}),
        ("LSTM", {"proj_size": 2}, {"P": "orthogonal", "U_f": "0"}, {"P", "U_f"}),
        ("LSTM", {"bias": False}, {"U_[if]": "orthogonal"}, {"U_i", "U_f"}),
    ],
)
def test_all_else_is_as_torch_draws_it(
    kind: str, options: Any, init: Any, changed: set[str]
):
    """A drop-in differs from torch.nn's under the same seed in what was named alone."""
    form = {"num_layers": 2, "dtype": torch.float64, **options}
    made = dropin(kind, init=init, num_layers=2, **options)
    torch.manual_seed(2)
    torchs = getattr(nn, kind)(3, 8, **form)
    for suffix in ("_l0", "_l1"):
        ours, theirs = gates(made, suffix), gates(torchs, suffix)
        assert {n for n in ours if not ours[n].equal(theirs[n])} == changed
        for name, text in init.items():
            if isinstance(text, float | int):
                assert (ours[name] == text).all()
            elif name == "P":
                assert error(ours["P"] @ ours["P"].T, torch.eye(2)) <= REFERENCE


def test_the_second_bias_of_a_drop_in_is_0():
    """The value is the sum of both vectors, as with forget_bias."""
    made = dropin(init={"b_g": 3})
    assert (made.bias_ih_l0[16:24] == 3).all()
    assert (made.bias_hh_l0[16:24] == 0).all()
    plain = dropin()
    assert made.bias_hh_l0[:16].equal(plain.bias_hh_l0[:16])


@pytest.mark.parametrize("make", [layer, dropin])
def test_a_first_value_may_be_made_of_others(make: Any):
    """An expression sees the weights that stand earlier, given anew or not."""
    found = gates(make(init={"b_i": "-log(uniform(1, 99))", "b_f": "-b_i"}), "_l0")
    assert found["b_f"].equal(-found["b_i"])
    assert 0 <= found["b_f"].min() < found["b_f"].max() <= math.log(99)
    kept = gates(make(init={"U_f": "2 * U_i"}), "_l0")
    assert kept["U_f"].equal(2 * kept["U_i"])
    # In a drop-in a bias is the sum of two vectors.
    total = gates(make(init={"b_f": "3 * b_i"}), "_l0")
    assert error(total["b_f"], 3 * total["b_i"]) <= REFERENCE


def test_of_several_patterns_the_last_counts():
    """A later entry writes over an earlier one, as later lines would."""
    assert (layer(init={"b_*": 1, "b_f": 2}).b_f_l0 == 2).all()
    assert (layer(init={"b_f": 2, "b_*": 1}).b_f_l0 == 1).all()


def test_a_weight_of_a_for_block_is_named_as_it_is_declared():
    """R_n stands for R_n_1, R_n_2 and R_n_3, each drawn by itself."""
    made = layer("rhn", init={"R_*": "orthogonal", "b_k": "-2"})
    for step in (1, 2, 3):
        weight = made.get_parameter(f"R_n_{step}_l0")
        assert error(weight @ weight.T, torch.eye(8)) <= REFERENCE
        assert (made.get_parameter(f"b_k_{step}_l0") == -2).all()
    assert not made.R_n_1_l0.equal(made.R_n_2_l0)
    plain = layer("rhn")
    assert made.W_n_l0.equal(plain.W_n_l0)


@pytest.mark.parametrize("cell", ["lstm", "cifg", "slstm", "lstm_proj", "izhikevich"])
def test_init_is_a_variant_s_text(cell: str):
    """The call draws what a file with these declarations would draw."""
    own = {"lstm_proj": {"proj_size": 8}}.get(cell, {})
    graph = cw.cells.load(cell).graph
    name, row = next((p.name, p) for p in graph.parameters if len(p.shape) == 2)
    shape = ", ".join(map(str, row.shape))
    made = layer(cell, init={name: "normal(0, 0.01)"}, **own)
    text = f"extends {cell}\n{row.role} {name} [{shape}] = normal(0, 0.01)\n"
    written = layer(text, **own)
    for key, value in written.state_dict().items():
        assert made.state_dict()[key].equal(value), key


def test_the_cell_is_still_what_it_is_called():
    """Name, title and references stay, and the file's equations."""
    made, plain = layer(init=MANY), layer()
    assert made.cell.name == "lstm"
    assert made.cell.title == plain.cell.title
    assert made.cell.references == plain.cell.references
    assert [e.text for e in made.cell.equations] == [
        e.text for e in plain.cell.equations
    ]
    assert made.init == {**MANY, "b_*": "0"}
    assert "init={'U_*': 'orthogonal'" in repr(made)
    assert "init" not in repr(plain)
    assert "init={'b_i': '0'}" in repr(dropin(init={"b_i": 0}))
    assert layer(init={}).init is None


def test_kernels_are_those_of_the_plain_cell(monkeypatch: pytest.MonkeyPatch):
    """How weights begin is nothing that a kernel's key knows of."""
    built: list[Any] = []
    monkeypatch.setattr(compiler, "build", lambda *asked: built.append(asked))
    made, plain = layer(init={"U_*": "orthogonal"}), layer()
    assert made.graph != plain.graph
    for each in (made, plain):
        compiler._program.cache_clear()
        compiler.program(each.graph, (), "all", torch.float64)
    compiler._program.cache_clear()
    forward, backward, *others = built
    assert others == [forward, backward]


def test_values_are_drawn_anew_by_reset_parameters():
    """Under the same seed they come again, and else they do not."""
    for made in (layer(init=MANY), dropin(init=MANY)):
        first = copy.deepcopy(made.state_dict())
        made.reset_parameters()
        assert any(not v.equal(first[n]) for n, v in made.state_dict().items())
        torch.manual_seed(2)
        made.reset_parameters()
        assert all(v.equal(first[n]) for n, v in made.state_dict().items())


def test_layers_with_init_can_be_copied_and_pickled():
    """The copy draws as the layer would."""
    for made in (layer(init=MANY), dropin(init=MANY)):
        other = pickle.loads(pickle.dumps(copy.deepcopy(made)))  # noqa: S301, our own
        for each in (made, other):
            torch.manual_seed(5)
            each.reset_parameters()
        assert all(v.equal(made.state_dict()[n]) for n, v in other.state_dict().items())


def test_a_converted_layer_has_no_first_values_of_ours():
    """torch.nn's layer has no such attribute, nor one that came from it."""
    there = dropin(init=MANY).to_torch()
    assert "init" not in vars(there)
    back = cw.nn.LSTM.from_torch(there)
    assert back.init is None
    assert back.chrono is None


def test_layers_without_memory_take_init():
    """On the meta device nothing is drawn, and nothing breaks."""
    assert layer(init=MANY, device="meta").U_i_l0.is_meta
    for init in (MANY, {"U_f": "2 * U_i"}):
        assert dropin(init=init, chrono=9, device="meta").weight_hh_l0.is_meta


@pytest.mark.parametrize(
    "init",
    [
        {"U_*": "orthogonal()"},
        {"U_*": "__import__('os').getcwd()"},
        {"U_*": "W_i"},
        {"b_*": "orthogonal"},
        {"b_f": "x"},
        {"b_f": "h"},
        {"b_f": "b_g"},
        {"b_f": "1; output c'"},
        {"b_f": "1, 2"},
        {"b_f": "inf +"},
        {"b_f": "[1"},
        {"b_f": float("nan")},
    ],
)
@pytest.mark.parametrize("make", [layer, dropin])
def test_what_is_no_first_value_is_a_fault_of_the_language(make: Any, init: Any):
    """The language's own parser says what is wrong, with a caret in the expression."""
    with pytest.raises(CellError, match=r"init:\d+:\d+: ") as caught:
        make(init=init)
    assert "^" in str(caught.value)


@pytest.mark.parametrize("value", ["0\noutput c'", "0\r", "0 # why", "", " ", None, []])
def test_a_first_value_is_one_line(value: Any):
    """Nothing that could begin another statement reaches the parser."""
    with pytest.raises(OptionError, match="a first value is a number or one"):
        layer(init={"b_f": value})


def test_all_faults_are_told_at_once():
    """Each wrong expression is shown once, however many names it is for."""
    with pytest.raises(CellError) as caught:
        layer(init={"U_*": "orthogona", "b_*": "glorot"})
    assert [fault.code for fault in caught.value.faults] == ["unknown-name", "shape"]
    assert "did you mean 'orthogonal'?" in str(caught.value)
    lstm = cw.cells.load("lstm")
    with pytest.raises(CellError):
        initialised(lstm, lstm.graph, {"U_*": "orthogona"})


@pytest.mark.parametrize("make", [layer, dropin])
@pytest.mark.parametrize(
    ("options", "pattern"),
    [
        ({}, "U"),
        ({}, "u_i"),
        ({}, "U_i_l0"),
        ({}, "weight_hh"),
        ({}, "c"),
        ({"bias": False}, "b_*"),
        ({"bias": False}, "b_f"),
    ],
)
def test_a_pattern_that_fits_nothing_is_an_error(make: Any, options: Any, pattern: str):
    """Also one for biases of a layer that has none, or for a state."""
    with pytest.raises(OptionError, match="lstm has no weight or bias") as caught:
        make(init={"W_i": 0, pattern: 0}, **options)
    assert repr(pattern) in str(caught.value)


def test_numbers_are_written_so_that_the_language_reads_them():
    """Tiny and negative numbers and NumPy's come out as they are."""
    for value in (1e-12, -3, 0.1, np.float64(0.25), 12345678.9):
        assert (layer(init={"b_f": value}).b_f_l0 == float(value)).all()
    assert init_values("x", None) is None


def test_a_constant_that_only_a_replaced_value_used_is_gone():
    """As in a variant: nothing is left to set it for."""
    cell = cw.cells.find(
        "# Scaled.\ninput x [input_size]\nstate h [hidden_size]\nconstant k = 3\n"
        "weight W [hidden_size, input_size] = k\noutput h'\nh' = tanh(W @ x + h)\n"
    )
    made = layer(cell, init={"W": "glorot"})
    assert [c.name for c in made.graph.constants] == []
    assert is_glorot(made.W_l0)
    variant = initialised(cell, cell.graph, {"W": "k + 1"})
    assert [c.name for c in variant.graph.constants] == ["k"]
