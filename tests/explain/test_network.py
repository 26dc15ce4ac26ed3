"""What is told of a network is what it is: every number is worked out anew here."""

import re
from collections import Counter
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

import cellwright as cw
from any_cell import sizes_for
from any_module import MODULES
from cellwright.checks.tolerances import TOLERANCES, error
from cellwright.explain.arithmetic import in_words
from cellwright.explain.facts import Layer, Sum
from cellwright.explain.network import network
from cellwright.nn.torch_weights import TORCH, from_packed

PER_FLOP = 2
"""torch counts a multiplication and an addition."""


def worked_out(text: str) -> int:
    """Return the value of an arithmetic as it is printed, with its words left out."""
    left, _, _ = text.partition("=")
    signs = re.sub(r"[^\d×+() ]", "", left.replace(",", ""))
    return int(eval(signs.replace("×", "*")))  # noqa: S307  # digits and signs alone


def assert_adds_up(total: Sum) -> None:
    """Fail unless what is printed gives the number that is printed behind it."""
    text = in_words(total)
    assert worked_out(text) == total.count
    if total.terms:
        assert text.endswith(f"= {total.count:,}")


def by_tensor(layer: Layer) -> Counter[str]:
    """Return how many numbers the arithmetic counts in each tensor."""
    found: Counter[str] = Counter()
    for term in layer.parameters.terms:
        times = 1
        for factor in term.factors:
            times *= factor.times
        for product in term.products:
            for name in product.tensors:
                found[name] += times * product.count // len(product.tensors)
    return found


# torch says that it has another path for projections.
@pytest.mark.filterwarnings("ignore:LSTM with projections")
@pytest.mark.parametrize("name", MODULES)
def test_the_arithmetic_is_that_of_the_tensors(name: str):
    """As printed: in total, and tensor by tensor."""
    make, example = MODULES[name]
    module = make()
    found = network(module, [example()])
    assert found.parameters == sum(p.numel() for p in module.parameters())
    for layer in found.layers:
        assert_adds_up(layer.parameters)
        own = module.get_submodule(layer.path)
        inside = not any(own.children())
        sizes = {n: p.numel() for n, p in own.named_parameters(recurse=inside)}
        assert {t.name: t.count for t in layer.tensors} == sizes
        assert by_tensor(layer) == sizes
        if layer.multiply_adds is not None:
            assert_adds_up(layer.multiply_adds)


@pytest.mark.parametrize("name", cw.cells.names())
def test_of_our_cells_it_comes_from_the_symbols(name: str):
    """Two layers, both directions; the sizes are those of the cell's file."""
    wide, high, more = sizes_for(cw.cells.load(name).graph, 5, 12)
    layer = cw.nn.Recurrent(name, wide, high, **more)
    (found,) = network(layer).layers
    assert_adds_up(found.parameters)
    sizes = {n: p.numel() for n, p in layer.named_parameters()}
    assert by_tensor(found) == sizes


PLAIN = [
    name
    for name in MODULES
    if not re.search("lstm|gru|rnn|embed|transformer|norm", name)
]


@pytest.mark.parametrize("name", PLAIN)
def test_multiply_adds_are_those_that_torch_counts(name: str):
    """Of linear layers and convolutions."""
    make, example = MODULES[name]
    module, x = make(), example()
    with FlopCounterMode(display=False) as counter:
        module(x)
    assert counter.get_total_flops() == PER_FLOP * (
        network(module, [x]).multiply_adds or 0
    )


@pytest.mark.parametrize("name", ["lstm", "gru", "elman", "peephole_lstm", "lstm_proj"])
def test_multiply_adds_of_cells_are_those_that_torch_counts(name: str):
    """Of the reference, which multiplies by torch's own functions."""
    more: dict[str, Any] = {"proj_size": 4} if name == "lstm_proj" else {}
    layer = cw.nn.Recurrent(name, 3, 8, num_layers=2, backend="reference", **more)
    x = torch.zeros(5, 2, 3)
    with FlopCounterMode(display=False) as counter:
        layer(x)
    assert counter.get_total_flops() == PER_FLOP * (
        network(layer, [x]).multiply_adds or 0
    )


@pytest.mark.parametrize(("kind", "cell"), [("LSTM", "lstm"), ("GRU", "gru")])
def test_rows_of_a_gate_are_its_weights(kind: str, cell: str):
    """By the table that runs the layers."""
    module = getattr(nn, kind)(3, 4)
    tensors = {n.removesuffix("_l0"): p.detach() for n, p in module.named_parameters()}
    own = from_packed(TORCH[cell], tensors)
    (layer,) = network(module).layers
    assert layer.recurrence is not None
    letters = {"weight_ih": "W", "weight_hh": "U"}
    seen = [b for b in layer.recurrence.blocks if b.tensor in letters]
    assert len(seen) == 2 * len({b.gate for b in seen})
    for block in seen:
        rows = tensors[block.tensor][slice(*block.rows)]
        assert torch.equal(rows, own[f"{letters[block.tensor]}_{block.gate}"])


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("hidden", [4, 6])
def test_places_hold_what_is_told(hidden: int, batch_first: bool):
    """What is evaluated as it is printed gives the last states."""
    made: dict[str, Any] = {
        "num_layers": 2,
        "bidirectional": True,
        "batch_first": batch_first,
    }
    module = nn.LSTM(3, hidden, **made)
    x = torch.randn(2, 5, 3) if batch_first else torch.randn(5, 2, 3)
    output, (h_n, c_n) = module(x)
    (layer,) = network(module, [x]).layers
    assert layer.recurrence is not None
    places = {each.holds: each.place for each in layer.recurrence.places}

    def at(words: str, t: int) -> Tensor:
        names = {"output": output, "h_n": h_n, "c_n": c_n, "t": t}
        return eval(places[words], names)  # noqa: S307  # our own text

    forwards = at("h of layer 1 after step t, read forwards", 4)
    backwards = "h of layer 1 read backwards: it has seen the last step down to step t"
    assert torch.equal(forwards, at("h of layer 1 after the last step", 0))
    assert torch.equal(
        at(backwards, 0), at("h of layer 1 read backwards, after step 0", 0)
    )
    assert len(places) == 2 + 2 * 4


class Wired(nn.Module):
    """Shares a layer, freezes another, bends by a function, holds a number itself."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(3, 3), nn.Linear(3, 3)
        self.tied = nn.Linear(3, 3)
        self.tied.weight = self.first.weight
        self.second.requires_grad_(False)
        self.scale = nn.Parameter(torch.ones(2))
        self.never = nn.Linear(9, 9)

    def forward(self, x: Tensor) -> Tensor:
        """Run first twice, once behind a function."""
        x = F.relu(self.first(x))
        return self.tied(self.second(self.first(x)))


def test_shared_frozen_and_unused_weights_are_told():
    """Shared ones are counted once."""
    module = nn.ModuleDict({"wired": Wired()})
    found = network(module["wired"], [torch.zeros(2, 3)])
    whole = module["wired"]
    assert found.parameters == sum(p.numel() for p in whole.parameters())
    assert found.trained == found.parameters - 12
    layers = {layer.path: layer for layer in found.layers}
    (tied,) = [t for t in layers["tied"].tensors if t.same_as]
    assert (tied.name, tied.same_as) == ("weight", "first.weight")
    assert layers["first"].calls == 2
    assert layers["never"].calls == 0


def test_layers_with_nothing_between_are_one_map():
    """The map that is told is the one that they compute."""
    module = nn.Sequential(nn.Linear(5, 2), nn.Linear(2, 7), nn.ReLU(), nn.Linear(7, 3))
    (found,) = network(module, [torch.zeros(1, 5)]).collapses
    assert (found.paths, found.inputs, found.outputs) == (("0", "1"), 5, 7)
    pair: Any = module[:2]
    matrix = pair[1].weight @ pair[0].weight
    offset = pair[1].weight @ pair[0].bias + pair[1].bias
    x = torch.randn(4, 5)
    assert (
        error(pair(x), x @ matrix.T + offset)
        <= TOLERANCES["reference", "float32"].bound
    )
    assert int(torch.linalg.matrix_rank(matrix)) == found.rank == 2


class Bent(nn.Module):
    """Two linear layers with a function between them."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(3, 3), nn.Linear(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Bend once."""
        return self.second(F.relu(self.first(x)))


def test_a_function_between_layers_is_seen():
    """Nobody knows what it does, so nothing is claimed; nor of what runs twice."""
    assert network(Bent(), [torch.zeros(2, 3)]).collapses == ()
    (found,) = network(Wired(), [torch.zeros(2, 3)]).collapses
    assert found.paths == ("second", "tied")


def test_a_module_stays_as_it_is():
    """Modes, running statistics, hooks and the generator."""
    module = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3), nn.Dropout(0.5))
    module[1].eval()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    state = torch.get_rng_state()
    network(module, [torch.randn(4, 3, generator=torch.Generator().manual_seed(0))])
    assert [each.training for each in module] == [True, False, True]
    after = module.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())
    assert not any(each._forward_hooks for each in module)
    assert torch.equal(torch.get_rng_state(), state)


class Loop(nn.Module):
    """A single step, run in a loop by hand."""

    def __init__(self):
        super().__init__()
        self.cell = nn.LSTMCell(3, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Run all steps."""
        state = None
        for step in x:
            state = self.cell(step, state)
        assert state is not None
        return state[0]


def test_all_calls_of_a_layer_are_counted():
    """And what a single step returns is its states, without an axis of layers."""
    facts = network(Loop(), [torch.zeros(6, 2, 3)])
    (layer,) = facts.layers

    assert layer.multiply_adds is not None
    assert layer.multiply_adds.count == facts.multiply_adds == 6 * 2 * 4 * 4 * (3 + 4)
    assert in_words(layer.multiply_adds).startswith("6 calls × 2 rows × 4 gates")
    assert layer.recurrence is not None
    assert [(each.place, each.holds) for each in layer.recurrence.places] == [
        ("result[0]", "h after this one step, [B, 4]"),
        ("result[1]", "c after this one step, [B, 4]"),
    ]


def test_results_have_the_names_of_the_layer_that_gave_them():
    """Time first, where that is what the layer before has."""
    module = nn.Sequential(nn.RNN(3, 4), Output(), nn.Linear(4, 2))
    facts = network(module, [torch.zeros(6, 2, 3)])

    assert [axis.name for axis in facts.gives[0]] == ["time", "batch", "features"]


class Output(nn.Module):
    """Hands on the output of a recurrent layer, without its states."""

    def forward(self, result: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        """Return the first of both."""
        return result[0]
