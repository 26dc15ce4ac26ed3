from typing import Any

import pytest
import torch
from torch import nn

import cellwright as cw
from cellwright.errors import CellwrightError
from cellwright.nn.torch_weights import TORCH, cell_name, from_packed, to_packed
from layer_runs import assert_same, outcome

CASES = {
    "elman": (nn.RNN, {}),
    "elman_relu": (nn.RNN, {"nonlinearity": "relu"}),
    "gru": (nn.GRU, {}),
    "lstm": (nn.LSTM, {}),
    "lstm_proj": (nn.LSTM, {"proj_size": 3}),
}


def test_every_cell_of_torch_has_a_row():
    """The table holds the cells of torch.nn, and no other."""
    assert sorted(TORCH) == sorted(CASES)


@pytest.mark.parametrize("name", CASES)
def test_rows_name_the_cells_parameters(name: str):
    """A row has each parameter of its cell, once."""
    parameters = [p.name for p in cw.cells.load(name).graph.parameters]
    assert sorted(TORCH[name]) == sorted(parameters)


@pytest.mark.parametrize("name", CASES)
def test_mode_tells_the_cell(name: str):
    """A torch layer's mode and proj_size say which cell it is."""
    kind, options = CASES[name]
    layer = kind(3, 5, **options)
    assert cell_name(layer.mode, layer.proj_size) == name


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("name", CASES)
def test_cell_with_torchs_weights_gives_torchs_numbers(name: str, bias: bool):
    """Outputs, states and input gradients agree in two layers and directions."""
    kind, options = CASES[name]
    form: dict[str, Any] = {
        "num_layers": 2,
        "bidirectional": True,
        "bias": bias,
        "dtype": torch.float64,
    }
    torch.manual_seed(0)
    theirs = kind(4, 5, **form, **options)
    sizes: dict[str, Any] = {"proj_size": 3} if "proj_size" in options else {}
    ours = cw.nn.Recurrent(name, 4, 5, **form, **sizes)
    ours.load_state_dict(from_packed(TORCH[name], theirs.state_dict()))
    x = torch.randn(6, 2, 4, dtype=torch.float64)
    widths = [options.get("proj_size", 5), 5][: len(ours.graph.states)]
    hx = [torch.randn(4, 2, width, dtype=torch.float64) for width in widths]

    expected, actual = outcome(theirs, x, hx), outcome(ours, x, hx)
    shared = [key for key in expected if "_l" not in key]
    assert len(shared) == 2 + 2 * len(hx)
    assert_same({k: actual[k] for k in shared}, {k: expected[k] for k in shared})


@pytest.mark.parametrize("name", CASES)
def test_back_again_is_the_same_layer(name: str):
    """Weights that went to the cell and back hold both biases' sum in the first."""
    kind, options = CASES[name]
    layer = kind(3, 5, num_layers=2, **options)
    state = layer.state_dict()
    back = to_packed(TORCH[name], from_packed(TORCH[name], state))
    assert back.keys() == state.keys()
    own = slice(10, 15) if name == "gru" else slice(0, 0)  # n's second bias, d_n
    for key, value in state.items():
        if "weight" in key:
            assert torch.equal(back[key], value), key
        elif "bias_ih" in key:
            both = value + state[key.replace("ih", "hh")]
            both[own] = value[own]
            assert torch.equal(back[key], both), key
        else:
            rest = torch.zeros_like(value)
            rest[own] = value[own]
            assert torch.equal(back[key], rest), key


@pytest.mark.parametrize("name", CASES)
def test_weights_without_bias_go_both_ways(name: str):
    """Without biases nothing is invented."""
    kind, options = CASES[name]
    state = kind(3, 5, bias=False, **options).state_dict()
    back = to_packed(TORCH[name], from_packed(TORCH[name], state))
    assert back.keys() == state.keys()
    assert all(torch.equal(back[key], state[key]) for key in state)


def test_gates_stand_in_torchs_order():
    """The third quarter of an LSTM's rows is g, the last third of a GRU's is n."""
    state = nn.LSTM(3, 5).state_dict()
    cell = from_packed(TORCH["lstm"], state)
    assert torch.equal(cell["W_g_l0"], state["weight_ih_l0"][10:15])
    state = nn.GRU(3, 5).state_dict()
    cell = from_packed(TORCH["gru"], state)
    assert torch.equal(cell["U_n_l0"], state["weight_hh_l0"][10:15])


def test_unknown_weight_is_named():
    """A tensor that the packing has not is an error with its name."""
    with pytest.raises(CellwrightError, match="'weight_hr_l0'"):
        from_packed(TORCH["lstm"], nn.LSTM(3, 5, proj_size=2).state_dict())
    with pytest.raises(CellwrightError, match="'p_i_l0'"):
        to_packed(TORCH["lstm"], {"p_i_l0": torch.zeros(5)})


def test_missing_weight_is_named():
    """A tensor that is not there is an error with its name."""
    state = nn.GRU(3, 5).state_dict()
    cell = from_packed(TORCH["gru"], state)
    del state["bias_hh_l0"], cell["d_n_l0"]
    with pytest.raises(CellwrightError, match="bias_hh_l0 missing"):
        from_packed(TORCH["gru"], state)
    with pytest.raises(CellwrightError, match="d_n_l0 missing"):
        to_packed(TORCH["gru"], cell)
