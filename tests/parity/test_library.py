"""Every cell of the library equals an implementation that somebody else wrote.

Where a library has the cell, that is the library; and where somebody has written the
step from the paper, without having seen the cell, it is that one too.
"""

import inspect
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torchrecurrent import (
    AntisymmetricRNNCell,
    IndRNNCell,
    JANETCell,
    MGUCell,
    MultiplicativeLSTMCell,
    OriginalLSTMCell,
    PeepholeLSTMCell,
    UGRNNCell,
)

import paper_steps
from any_cell import sizes_for
from cellwright.cells import find, names
from cellwright.checks.tolerances import TOLERANCES, error
from cellwright.nn import Recurrent
from cellwright.nn.stateful import first_states
from oracles import (
    Given,
    Oracle,
    Weights,
    from_paper,
    gates,
    gru_values,
    lstm_values,
    rnn_values,
    stacked,
    torch_nn,
    torchrecurrent,
)

BOUND = TOLERANCES["reference", "float64"].bound
STEPS, ROWS, INPUT, HIDDEN = 4, 3, 5, 8


def logistic(a: Any) -> Any:
    """Jordan, 1986, has logistic units; other texts give tanh and a linear output."""
    return 1 / (1 + paper_steps.np.exp(-a))


def antisymmetric_values(w: Weights) -> dict[str, Tensor]:
    """Their U is made antisymmetric inside, as ours is."""
    return {"weight_ih": w["W"], "weight_hh": w["U"], "bias_ih": w["b"]}


def indrnn_values(w: Weights) -> dict[str, Tensor]:
    """One recurrent weight a unit."""
    return {"weight_ih": w["W"], "vector_u": w["u"], "bias_ih": w["b"]}


def janet_values(w: Weights) -> dict[str, Tensor]:
    """Their beta is a parameter, which begins and here stays at the paper's 1."""
    return gates("fg")(w) | {"beta": torch.tensor(1.0)}


def multiplicative_values(w: Weights) -> dict[str, Tensor]:
    """Their m comes first; biases of m and of what m feeds stay 0."""
    zeros = torch.zeros_like(w["b_i"])
    return {
        "weight_ih": torch.cat([w["W_m"], stacked(w, "W", "ifgo")]),
        "weight_hh": w["U_m"],
        "weight_mh": stacked(w, "U", "ifgo"),
        "bias_ih": torch.cat([zeros, stacked(w, "b", "ifgo")]),
    }


BOTH = (0, 1)
ORACLES: dict[str, tuple[Oracle, ...]] = {
    # torch.nn
    "lstm": (torch_nn(nn.LSTM, lstm_values),),
    "lstm_proj": (torch_nn(partial(nn.LSTM, proj_size=HIDDEN // 2), lstm_values),),
    "gru": (torch_nn(nn.GRU, gru_values),),
    "elman": (torch_nn(nn.RNN, rnn_values),),
    "elman_relu": (torch_nn(partial(nn.RNN, nonlinearity="relu"), rnn_values),),
    "odyssey_np": (torch_nn(nn.LSTM, lstm_values), from_paper("odyssey_np")),
    # torchrecurrent
    "antisymmetric": (
        torchrecurrent(
            AntisymmetricRNNCell, antisymmetric_values, {"epsilon": 0.01, "gamma": 0.01}
        ),
        from_paper("antisymmetric", eps=0.01, gamma=0.01),
    ),
    "indrnn": (
        torchrecurrent(IndRNNCell, indrnn_values, {"nonlinearity": "relu"}),
        from_paper("indrnn"),
    ),
    "janet": (
        torchrecurrent(JANETCell, janet_values, states=(0, 0)),
        from_paper("janet"),
    ),
    "mgu": (torchrecurrent(MGUCell, gates("fn")), from_paper("mgu")),
    "ugrnn": (torchrecurrent(UGRNNCell, gates("ng")), from_paper("ugrnn")),
    "peephole_lstm": (
        torchrecurrent(PeepholeLSTMCell, gates("ifgo", more="ifo"), states=BOTH),
        from_paper("peephole_lstm"),
    ),
    "multiplicative_lstm": (
        torchrecurrent(MultiplicativeLSTMCell, multiplicative_values, states=BOTH),
        from_paper("multiplicative_lstm"),
    ),
    # From the papers, where their choices are the cells'
    **{
        name: (from_paper(name),)
        for name in (
            "cifg",
            "clockwork",
            "gru_reset_before",
            "izhikevich",
            "lif",
            "lstm_1997",
            "lstm_1997_blocks",
            "lstm_norm_joint",
            "lstm_norm_stored",
            "min_gru",
            "min_lstm",
            "nested_lstm",
            "odyssey_fgr",
            "odyssey_nfg",
            "odyssey_niaf",
            "odyssey_nig",
            "odyssey_noaf",
            "odyssey_nog",
            "phased_lstm",
            "qrnn_pool",
            "rhn",
            "rhn_coupled",
            "slstm",
            "sru",
            "sru_first",
        )
    },
    # and where a choice has to be said
    "jordan": (from_paper("jordan", hidden=logistic, out=logistic),),
    "lstm_norm_per_gate": (
        # TensorFlow's own norm has 1e-12; the language has one norm.
        from_paper("lstm_norm_per_gate", eps=1e-5),
    ),
}
"""Every cell of the library, with who else has written it."""

TEXTS = {path.stem: path for path in Path(__file__).parents[1].glob("language/cells/*")}
"""Cells that are no cells of the library: what a network's wiring would say."""
CELLS = {**ORACLES, **{name: (from_paper(name),) for name in TEXTS}}
ROWS_OF_TABLE = [(name, oracle) for name, row in CELLS.items() for oracle in row]


def layer_of(name: str, options: dict[str, Any]) -> Recurrent:
    """Return a layer of a cell, all its parameters off round values."""
    torch.manual_seed(1)
    cell = find(TEXTS.get(name, name))
    sizes = sizes_for(cell.graph, INPUT, HIDDEN)
    layer = Recurrent(
        cell,
        sizes.input_size,
        sizes.hidden_size,
        backend="reference",
        dtype=torch.float64,
        **sizes.options,
        **options,
    )
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return layer


@pytest.mark.parametrize(
    ("name", "oracle"), ROWS_OF_TABLE, ids=[f"{n}-{o.by}" for n, o in ROWS_OF_TABLE]
)
def test_cell_is_what_somebody_else_wrote(name: str, oracle: Oracle):
    """Outputs of some steps and the last states agree, from drawn weights."""
    layer = layer_of(name, dict(oracle.options))
    graph = layer.graph
    x = torch.randn(STEPS, ROWS, layer.input_size, dtype=torch.float64)
    further = further_of(layer)
    output, last = layer(x, **further)
    last = [last] if isinstance(last, Tensor) else list(last)
    weights = {n.removesuffix("_l0"): p.detach() for n, p in layer.named_parameters()}
    states = [state[0].detach() for state in first_states(layer, ROWS)]
    said, ends = oracle.run(Given(weights, x, further, states))

    assert error(output, said) <= BOUND
    assert len(ends) == len(last) == len(graph.states)
    for one, other in zip(last, ends, strict=True):
        assert error(one[0], other) <= BOUND


def further_of(layer: Recurrent) -> dict[str, Tensor]:
    """Return what the layer is called with beside x."""
    known = sizes_for(layer.graph, INPUT, HIDDEN).known()
    shapes = {
        row.name: [size.evaluate(known) for size in row.shape]
        for row in layer.graph.inputs[1:]
    }
    return {
        name: torch.rand(STEPS, ROWS, *shape, dtype=torch.float64)
        for name, shape in shapes.items()
    }


def test_every_cell_has_an_oracle():
    """A cell of the library without a row above is no published cell yet."""
    assert ORACLES.keys() == set(names())


def test_every_step_of_the_papers_is_asked():
    """What somebody wrote from a paper is compared: none is left out by a slip."""
    steps = {
        name
        for name, value in vars(paper_steps).items()
        if inspect.isfunction(value) and not name.startswith("_")
    }
    asked = {oracle.by.rpartition(".")[2] for _, oracle in ROWS_OF_TABLE}
    assert steps <= asked


def test_torchrecurrents_original_lstm_is_another_one():
    """It has tanh where the paper of 1997 has its own squashers, and no truncation."""
    oracle = torchrecurrent(OriginalLSTMCell, gates("igo"), states=BOTH)
    layer = layer_of("lstm_1997", {})
    x = torch.randn(STEPS, ROWS, INPUT, dtype=torch.float64)
    weights = {n.removesuffix("_l0"): p.detach() for n, p in layer.named_parameters()}
    states = [state[0].detach() for state in first_states(layer, ROWS)]
    said, _ = oracle.run(Given(weights, x, {}, states))

    assert error(layer(x)[0], said) > BOUND
