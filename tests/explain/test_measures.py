"""What a network does when it runs, measured: each number against plain torch."""

import copy
import json

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from cellwright.cli.main import main
from cellwright.explain.facts import Network
from cellwright.explain.measures import sequence
from cellwright.explain.measures.facts import Measured
from cellwright.explain.measures.faults import MeasureError
from cellwright.explain.measures.measuring import Asked, measure
from cellwright.explain.measures.words import measured_rows, network_rows
from cellwright.explain.network import network
from cellwright.nn import LSTM, Recurrent
from cellwright.tolerances import TOLERANCES, error


def measured(module: nn.Module, x: torch.Tensor, **asked: object) -> Measured:
    """Return what was measured of a module."""
    return measure(module, x, network(module, [x]), Asked(**asked))  # type: ignore[arg-type]


CHAINS = {
    "two": [nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Conv2d(2, 3, 5)],
    "a stride": [nn.Conv2d(1, 2, 3, stride=2), nn.Tanh(), nn.Conv2d(2, 2, 3)],
    "holes": [nn.Conv2d(1, 2, 3, dilation=3), nn.Conv2d(2, 1, (3, 2), stride=(1, 2))],
    "pooling": [nn.Conv2d(1, 2, 5), nn.ReLU(), nn.AvgPool2d(2), nn.Conv2d(2, 2, 3)],
    "one axis": [nn.Conv1d(1, 2, 4), nn.Dropout(0.5), nn.Conv1d(2, 2, 3, stride=3)],
    "padded": [nn.Conv2d(1, 2, 3, padding=1), nn.SiLU(), nn.Conv2d(2, 2, 3, padding=1)],
}


@pytest.mark.parametrize("name", CHAINS)
def test_receptive_fields_are_where_the_gradient_is(name: str):
    """With weights above 0, a value in the middle moves with just these places."""
    module = nn.Sequential(*copy.deepcopy(CHAINS[name])).eval()
    for weight in module.parameters():
        nn.init.constant_(weight, 0.1)
    axes = 1 if isinstance(module[0], nn.Conv1d) else 2
    x = torch.ones(1, 1, *[41] * axes, requires_grad=True)
    result = module(x)
    middle = tuple(size // 2 for size in result.shape[2:])
    result[0, 0][middle].backward()
    assert x.grad is not None
    touched = x.grad[0, 0].nonzero()
    spans = (touched.max(0).values - touched.min(0).values + 1).tolist()

    facts = network(module, [x.detach()])
    (said,) = [
        remark
        for remark in facts.layers[-1].remarks
        if remark.startswith("through the")
    ]

    assert f"hangs on {'×'.join(map(str, spans))} places" in said
    for each in said.partition("input: ")[2].split(", "):
        size, _, term = each.partition(" = ")
        assert int(size) == eval(term.replace("×", "*")) in spans  # noqa: S307


@pytest.mark.parametrize("stride", [1, 2])
def test_convolutions_without_a_bend_are_one(stride: int):
    """One with the window that is told gives the same numbers."""
    first = nn.Conv2d(2, 3, 3, stride=stride, bias=False, dtype=torch.float64)
    second = nn.Conv2d(3, 4, (5, 3), bias=False, dtype=torch.float64)
    x = torch.randn(2, 2, 30, 30, dtype=torch.float64)
    module = nn.Sequential(first, second)

    (found,) = network(module, [x]).collapses

    # Each of its weights is what the chain gives for a single 1.
    height, width = found.window
    ones = torch.eye(2 * height * width, dtype=torch.float64)
    flat = module(ones.reshape(-1, 2, height, width))
    one = flat[:, :, 0, 0].T.reshape(4, 2, height, width)
    apart = error(F.conv2d(x, one, stride=stride), module(x))
    assert apart <= TOLERANCES["reference", "float64"].bound
    assert (found.inputs, found.outputs) == (2, 4)


@pytest.mark.parametrize(
    "layers",
    [
        [nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Conv2d(2, 2, 3)],
        [nn.Conv2d(1, 2, 3), nn.Conv2d(2, 2, 3, padding=1)],
        [nn.Conv2d(1, 2, 3), nn.MaxPool2d(2)],
        [nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(98, 2)],
    ],
    ids=["a bend", "zeros between", "a maximum", "another kind"],
)
def test_what_is_not_one_convolution_is_not_told_to_be(layers: list[nn.Module]):
    """A nonlinearity or zeros between two make them more than one."""
    assert network(nn.Sequential(*layers), [torch.zeros(1, 1, 9, 9)]).collapses == ()


LAYERS = {
    "lstm": (lambda: nn.LSTM(3, 5), "nn.LSTMCell"),
    "gru": (lambda: nn.GRU(3, 5, batch_first=True), "nn.GRUCell"),
    "relu": (lambda: nn.RNN(3, 5, nonlinearity="relu", bias=False), "nn.RNNCell"),
    "two levels": (lambda: nn.LSTM(3, 5, num_layers=2), "LSTM"),
    "projected": (lambda: nn.LSTM(3, 5, proj_size=2), "LSTM"),
    "a drop-in": (lambda: LSTM(3, 5), "LSTM"),
    "a cell": (lambda: Recurrent("slstm", 3, 4, batch_first=True), "Recurrent"),
}


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported")
@pytest.mark.parametrize("name", LAYERS)
def test_single_steps_are_the_sequence(name: str):
    """A loop of torch.nn's cell where there is one, of the layer itself elsewhere."""
    make, loop = LAYERS[name]
    found = measured(make(), torch.randn(7, 2, 3), run=True)

    (alike,) = found.alike
    assert alike.loop == loop
    assert alike.apart <= alike.bound
    assert alike.steps == (2 if name in ("gru", "a cell") else 7)


def test_a_loop_that_differs_is_told(monkeypatch: pytest.MonkeyPatch):
    """With another bias in the cell, the line says by how much they differ."""
    right = sequence._cell

    def wrong(layer: nn.RNNBase, kind: type[nn.RNNCellBase]) -> nn.RNNCellBase:
        cell = right(layer, kind)
        nn.init.zeros_(cell.bias_hh)
        return cell

    monkeypatch.setattr(sequence, "_cell", wrong)
    found = measured(nn.LSTM(3, 5), torch.randn(7, 2, 3), run=True)

    (said,) = [text for label, text in measured_rows(found, "") if label == "by steps"]
    assert f"differ by {found.alike[0].apart:.3g}" in said


def test_both_directions_have_no_single_steps():
    """The backward direction has to have read the rest first."""
    module = nn.LSTM(3, 5, bidirectional=True)
    found = measured(module, torch.randn(7, 2, 3), run=True)

    assert found.alike == ()
    assert [each.state for each in found.reaches] == [
        *("h_l0", "c_l0", "h_l0_reverse", "c_l0_reverse")
    ]


def twice(out: float) -> nn.Sequential:
    """Return a network of two hidden units, equal but for what is made of them."""
    module = nn.Sequential(nn.Linear(3, 2), nn.Tanh(), nn.Linear(2, 1))
    for weight in module.parameters():
        nn.init.constant_(weight, 0.5)
    with torch.no_grad():
        module.get_parameter("2.weight")[0, 1] = out
    return module


@pytest.mark.parametrize(("out", "said"), [(0.5, "leave them the same"), (0.7, "part")])
def test_twins_part_by_what_is_behind_them(out: float, said: str):
    """Equal weights stay equal where the next layer treats both alike, else not."""
    found = measured(twice(out), torch.randn(5, 3), run=True)

    rows = [text for label, text in measured_rows(found, "0") if label == "twins"]
    assert found.twins[0].groups == ((0, 1),)
    assert len(rows) == 1
    assert said in rows[0]


def test_descent_is_towards_a_smaller_loss():
    """By a small rate always; and gradients are those of all tensors at once."""
    module = nn.Sequential(nn.Linear(3, 4), nn.PReLU(), nn.Linear(4, 2))
    found = measured(module, torch.randn(8, 3), rates=(1e-3, 1e-2))

    for each in found.descents:
        assert each.after < each.before
        assert [name for name, _ in each.moved] == [
            n for n, _ in module.named_parameters()
        ]
    small, large = (dict(each.moved) for each in found.descents)
    for name, most in small.items():
        apart = abs(large[name] - 10 * most)
        assert apart <= TOLERANCES["reference", "float64"].bound
    assert len(list(network_rows(found))) == 4


def test_the_module_stays_as_it_is():
    """Weights, gradients, modes and hooks are what they were."""
    module = nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.5), nn.Linear(4, 2)).train()
    before = {name: p.detach().clone() for name, p in module.named_parameters()}
    measured(module, torch.randn(8, 3), run=True, rates=(1.0,), unit=0)

    assert module.training
    assert module[1].training
    for name, p in module.named_parameters():
        assert p.equal(before[name])
        assert p.grad is None
        assert p.dtype is torch.float32
    assert not any(each._forward_hooks for each in module.modules())


class Tied(nn.Module):
    """Two layers that are one, of equal units."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(3, 3)
        self.second = nn.Linear(3, 3, bias=False)
        self.second.weight = self.first.weight
        nn.init.constant_(self.first.weight, 0.5)
        nn.init.zeros_(self.first.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Run the one behind the other."""
        return self.second(self.first(x).tanh())


def test_shared_weights_are_moved_once():
    """They have the name of the first layer that has them; both have twins."""
    found = measured(Tied(), torch.randn(8, 3), run=True, rates=(0.1,))

    assert [name for name, _ in found.descents[0].moved] == [
        *("first.weight", "first.bias")
    ]
    assert [each.groups for each in found.twins] == [((0, 1, 2),)] * 2


def test_what_nothing_trains_has_no_descent():
    """Frozen weights, and an output of whole numbers."""
    frozen = twice(0.5).requires_grad_(False)
    assert measured(frozen, torch.randn(5, 3), run=True).twins[0].apart == 0
    with pytest.raises(MeasureError, match="weights that are trained; found none"):
        measured(frozen, torch.randn(5, 3), rates=(0.1,))


def test_wrong_questions_are_told():
    """A unit that there is not, and a window where there is no time."""
    x = torch.randn(4, 3)
    with pytest.raises(MeasureError, match=r"0 with 4, 1 with 2"):
        measured(nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2)), x, unit=4)
    with pytest.raises(MeasureError, match="found no linear layer"):
        measured(nn.LSTM(3, 4), torch.randn(5, 1, 3), unit=0)


def test_facts_and_measures_are_one_json(capsys: pytest.CaptureFixture[str]):
    """`--json` has what was measured under one key, and nothing without it."""
    line = ["explain", "nn.LSTM(3, 4)", "--input", "6,2,3", "--json"]
    assert main([*line, "--window", "4"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [each["reach"] for each in found["measured"]["reaches"]] == [1, 1]
    assert main(line) == 0
    assert "measured" not in json.loads(capsys.readouterr().out)


def test_seeds_draw_weights(capsys: pytest.CaptureFixture[str]):
    """The same line twice says the same; another seed says something else."""
    line = ["explain", "nn.Linear(3, 4)", "--input", "6,3", "--unit", "1"]
    outputs = []
    for seed in ("0", "0", "1"):
        assert main([*line, "--seed", seed]) == 0
        outputs.append(capsys.readouterr().out)
    assert outputs[0] == outputs[1] != outputs[2]


def test_a_network_without_layers_in_time_is_measured_too():
    """What is of recurrent layers alone is then empty."""
    module = nn.Sequential(
        nn.Conv1d(2, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(20, 2)
    )
    facts: Network = network(module, [torch.zeros(3, 2, 7)])
    found = measure(module, torch.randn(3, 2, 7), facts, Asked(run=True))

    assert [each.path for each in found.spreads] == ["0", "1", "2", "3"]
    assert [each.units for each in found.spreads] == [4, 4, 20, 2]
    assert found.extents == found.alike == found.reaches == ()


def test_what_does_nothing_is_a_layer_of_a_chain():
    """Dropout in evaluation hands on what it took, and is followed all the same."""
    module = nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.5), nn.Linear(4, 2))
    facts = network(module, [torch.zeros(1, 3)])

    assert [layer.follows for layer in facts.layers] == [None, "0", "1"]
    assert [each.paths for each in facts.collapses] == [("0", "2")]
