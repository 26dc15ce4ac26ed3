import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import cellwright as cw
from cellwright.nn.errors import OptionError
from cellwright.nn.regularise import REGULARISERS
from cellwright.nn.torch_weights import RECURRENT, TORCH
from cellwright.passes.rewrite import recurrent_matrices
from layer_runs import assert_same, outcome

SEED = 21
DROPINS: dict[str, Callable[..., Any]] = {
    "LSTM": cw.nn.LSTM,
    "GRU": cw.nn.GRU,
    "RNN": cw.nn.RNN,
}


def sequence(*shape: int) -> Tensor:
    """Return a random input with a fixed seed."""
    draws = torch.Generator().manual_seed(7)
    return torch.randn(shape, generator=draws, dtype=torch.float64)


def lstm(**options: Any) -> Any:
    """Return a drop-in with 3 inputs and 4 units."""
    torch.manual_seed(3)
    return cw.nn.LSTM(3, 4, dtype=torch.float64, **options)


def drawn(layer: Any, x: Tensor, hx: Any = None) -> dict[str, Tensor]:
    """Return a layer's outcome under one seed."""
    torch.manual_seed(SEED)
    return outcome(layer, x, hx)


class ByHand:
    """An LSTM written down step by step, with what each test changes in it.

    Args:
        layer: has the weights.
        carry: a state's name, the step, its old and its new value to what is carried.
        x: factors of every input.
        h: factors of every h that enters the products.
    """

    def __init__(
        self,
        layer: Any,
        carry: Callable[[str, int, Tensor, Tensor], Tensor] = lambda *a: a[-1],
        x: Tensor | float = 1.0,
        h: Tensor | float = 1.0,
    ):
        self._layer, self._carry, self._x, self._h = layer, carry, x, h
        self.named_parameters = layer.named_parameters

    def __call__(self, x: Tensor, hx: Any) -> tuple[Tensor, Any]:
        """Run it."""
        own = self._layer
        h, c = (s[0] for s in hx) if hx else x.new_zeros(2, x.shape[1], 4)
        outputs: list[Tensor] = []
        for t in range(len(x)):
            pre = F.linear(x[t] * self._x, own.weight_ih_l0, own.bias_ih_l0)
            pre = pre + F.linear(h * self._h, own.weight_hh_l0, own.bias_hh_l0)
            i, f, g, o = pre.chunk(4, dim=-1)
            new_c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            new_h = o.sigmoid() * new_c.tanh()
            h, c = self._carry("h", t, h, new_h), self._carry("c", t, c, new_c)
            outputs.append(h)
        return torch.stack(outputs), (h.unsqueeze(0), c.unsqueeze(0))


def hx() -> list[Tensor]:
    """Return first states."""
    return [sequence(1, 2, 4), sequence(1, 2, 4) + 1]


def test_zoneout_keeps_drawn_units():
    """In training each state's units keep their value where its mask says so."""
    layer = lstm(zoneout={"c": 0.5, "h": 0.3})
    torch.manual_seed(SEED)
    draw = {
        name: torch.empty(6, 2, 4, dtype=torch.float64).bernoulli_(p)
        for name, p in (("h", 0.3), ("c", 0.5))
    }

    def carry(name: str, t: int, old: Tensor, new: Tensor) -> Tensor:
        return torch.where(draw[name][t] == 1, old, new)

    assert all(0 < mask.mean() < 1 for mask in draw.values())
    by_hand: Any = ByHand(layer, carry)
    x = sequence(6, 2, 3)
    assert_same(drawn(layer, x, hx()), outcome(by_hand, x, hx()))


def test_zoneout_mixes_in_evaluation():
    """In evaluation a state is what it would be on average."""
    layer = lstm(zoneout={"c": 0.5, "h": 0.3}).eval()
    shares = {"h": 0.3, "c": 0.5}

    def carry(name: str, t: int, old: Tensor, new: Tensor) -> Tensor:
        return shares[name] * old + (1 - shares[name]) * new

    by_hand: Any = ByHand(layer, carry)
    x = sequence(6, 2, 3)
    before = torch.get_rng_state()
    found = outcome(layer, x, hx())
    assert torch.equal(torch.get_rng_state(), before)
    assert_same(found, outcome(by_hand, x, hx()))


def test_zoneout_of_one_state_leaves_the_others():
    """A state that is not named is carried as ever; a number means all."""
    x = sequence(6, 2, 3)
    only_c = lstm(zoneout={"c": 1.0, "h": 0})
    _, (h, c) = only_c(x, tuple(hx()))
    assert torch.equal(c, hx()[1])
    assert not torch.equal(h, hx()[0])
    _, both = lstm(zoneout=1)(x, tuple(hx()))
    assert all(map(torch.equal, both, hx()))


def test_the_output_is_the_state_after_zoneout():
    """output[-1] stays the last h."""
    output, (h, _) = lstm(zoneout=0.5)(sequence(6, 2, 3))
    assert torch.equal(output[-1], h[0])


def test_variational_dropout_drops_the_same_at_every_step():
    """One mask a sequence for x and one for h, scaled by 1 / (1 - p)."""
    layer = lstm(variational_dropout=0.4)
    torch.manual_seed(SEED)
    x_mask, h_mask = (
        F.dropout(torch.ones(2, size, dtype=torch.float64), 0.4) for size in (3, 4)
    )
    assert set(x_mask.unique().tolist()) == {0.0, 1 / (1 - 0.4)}
    assert 0 < (h_mask == 0).sum() < 8
    by_hand: Any = ByHand(layer, x=x_mask, h=h_mask)
    x = sequence(6, 2, 3)
    assert_same(drawn(layer, x, hx()), outcome(by_hand, x, hx()))


def test_variational_dropout_keeps_the_mean():
    """Over many rows a linear cell's output is what it is without."""
    text = "input x\nstate h\noutput h'\nh' = x + 0.5 * h\n"
    layer: Any = cw.nn.Recurrent(text, 1, 1, variational_dropout=0.5)
    torch.manual_seed(SEED)
    rows = 2**16
    output, _ = layer(torch.ones(2, rows, 1))
    assert set(output[1].unique().tolist()) == {0.0, 3.0}
    # Sixteen standard deviations of the mean of so many rows.
    assert abs(float(output[1].mean()) - 1.5) < 16 * 1.5 / rows**0.5


def test_variational_dropout_masks_every_product_of_a_state():
    """A projection's operand has a mask of its own."""
    layer = lstm(proj_size=2, variational_dropout=1.0)
    output, _ = layer(sequence(6, 2, 3))
    assert not output.any()


def test_every_layer_and_direction_draws_for_itself():
    """Two directions over one input and two layers have masks of their own."""
    layer: Any = cw.nn.Recurrent(
        "elman", 3, 4, num_layers=2, bidirectional=True, zoneout=0.5
    )
    _, h = layer(torch.zeros(1, 64, 3), torch.ones(4, 64, 4))
    kept = [(state == 1).flatten().tolist() for state in h]
    assert len({tuple(each) for each in kept}) == 4


@pytest.mark.parametrize("backend", ["auto", "reference"])
@pytest.mark.parametrize("options", [{}, {"proj_size": 2}], ids=["lstm", "proj"])
def test_weight_dropout_drops_recurrent_matrices_only(
    backend: str, options: dict[str, Any]
):
    """It is F.dropout on weight_hh and weight_hr, once a call, by any backend."""
    layer = lstm(weight_dropout=0.5, backend=backend, num_layers=2, **options)
    plain = lstm(num_layers=2, **options)
    x = sequence(6, 2, 3)
    found = drawn(layer, x)
    torch.manual_seed(SEED)
    masks: dict[str, Tensor] = {}
    for name, weight in plain.named_parameters():
        masks[name] = torch.ones_like(weight)
        if name.startswith(("weight_hh", "weight_hr")):
            masks[name] = F.dropout(masks[name], 0.5)
        weight.data *= masks[name]
    expected = outcome(plain, x, None)
    for name, mask in masks.items():
        expected[f"gradient of {name}"] *= mask
    assert_same(found, expected)
    assert_same(drawn(layer, x), found, "exact", "any")


def test_weight_dropout_of_any_cell():
    """Recurrent drops what stands before a state, and nothing in evaluation."""
    layer: Any = cw.nn.Recurrent("lstm", 3, 4, weight_dropout=1.0, dtype=torch.float64)
    plain = copy.deepcopy(layer).eval()
    x = sequence(6, 2, 3)
    whole = outcome(plain, x, None)
    for name, weight in plain.named_parameters():
        if name.startswith("U_"):
            weight.data.zero_()
    found, expected = drawn(layer, x), outcome(plain.train(False), x, None)
    recurrent = {f"gradient of {n}" for n, _ in layer.named_parameters() if "U_" in n}
    assert_same(
        {k: v for k, v in found.items() if k not in recurrent},
        {k: v for k, v in expected.items() if k not in recurrent},
    )
    assert not any(found[name].any() for name in recurrent)
    assert_same(drawn(layer.eval(), x), whole)


@pytest.mark.parametrize("name", TORCH)
def test_torchs_recurrent_matrices_are_those_of_the_graph(name: str):
    """What torch calls hh and hr is what stands before a state in the cell."""
    sources = {
        piece.source
        for matrix in recurrent_matrices(cw.cells.load(name).graph)
        for piece in TORCH[name][matrix]
    }
    assert all(source.startswith(RECURRENT) for source in sources)
    packed = {piece.source for pieces in TORCH[name].values() for piece in pieces}
    assert sources == {source for source in packed if source.startswith(RECURRENT)}


@pytest.mark.parametrize("kind", DROPINS)
def test_shares_of_0_leave_torchs_layer(kind: str):
    """With every share 0 torch's path can run, and gives the very same bits."""
    torch.manual_seed(3)
    theirs = getattr(nn, kind)(3, 4, dtype=torch.float64)
    torch.manual_seed(3)
    options = {"dtype": torch.float64, "backend": "torch"}
    ours = DROPINS[kind](3, 4, **options, **REGULARISERS)
    x = sequence(6, 2, 3)
    assert_same(outcome(ours, x, None), outcome(theirs, x, None), "exact", "any")
    assert "zoneout" not in repr(ours)
    assert ours.backend_report().rows[0].backend == "torch"


@pytest.mark.parametrize("kind", DROPINS)
@pytest.mark.parametrize("name", REGULARISERS)
def test_evaluation_is_torchs_without_zoneout(kind: str, name: str):
    """The dropouts are off in evaluation; zoneout mixes there too."""
    layer = DROPINS[kind](3, 4, dtype=torch.float64, **{name: 0.5}).eval()
    plain = DROPINS[kind](3, 4, dtype=torch.float64).eval()
    plain.load_state_dict(layer.state_dict())
    found, expected = (made(sequence(6, 2, 3))[0] for made in (layer, plain))
    assert torch.equal(found, expected) == (name != "zoneout")
    assert layer.backend_report().rows[0].backend == "c"


def test_backend_report_says_why():
    """The report names what torch.nn has not."""
    layer = lstm(zoneout=0.1, variational_dropout=0.1).bfloat16()
    (row,) = layer.backend_report().rows
    assert row.backend == "reference"
    assert "torch.nn has no zoneout, variational_dropout" in row.reason


@pytest.mark.parametrize(
    "make", [*DROPINS.values(), lambda *a, **o: cw.nn.Recurrent("lstm", *a, **o)]
)
def test_copies_and_pickles_keep_the_shares(make: Any):
    """Copies carry the options, and the same draws."""
    layer = make(3, 4, zoneout={"h": 0.5}, variational_dropout=0.25, weight_dropout=0.5)
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):  # noqa: S301
        found, expected = (
            drawn(each.double(), sequence(6, 2, 3)) for each in (other, layer)
        )
        assert_same(found, expected, "exact", "any")
        assert "zoneout={'h': 0.5}" in repr(other)
        assert "variational_dropout=0.25" in repr(other)


@pytest.mark.parametrize("name", REGULARISERS)
def test_torch_cannot_have_it(name: str):
    """to_torch refuses, convert leaves the layer alone; set to 0 both go."""
    model = nn.ModuleDict({"rnn": lstm(**{name: 0.5})})
    layer: Any = model["rnn"]
    with pytest.raises(OptionError, match=name):
        layer.to_torch()
    (row,) = cw.convert(model, to="torch").rows
    assert row.reason == f"torch.nn.LSTM has no {name}: left alone"
    assert type(model["rnn"]) is cw.nn.LSTM
    setattr(layer, name, 0.0)
    assert type(layer.to_torch()) is nn.LSTM
    cw.convert(model, to="torch")
    assert type(model["rnn"]) is nn.LSTM
    assert not REGULARISERS.keys() & vars(model["rnn"]).keys()
