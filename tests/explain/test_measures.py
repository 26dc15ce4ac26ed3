"""What a network does when it runs, measured: each number against plain torch."""

import copy
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from cellwright.cli.main import main
from cellwright.explain.facts import Network
from cellwright.explain.figures.network import unrolled
from cellwright.explain.layers.boxes import boxes_of, is_chain
from cellwright.explain.measures import sequence
from cellwright.explain.measures.facts import Measured
from cellwright.explain.measures.faults import MeasureError
from cellwright.explain.measures.measuring import Asked, measure
from cellwright.explain.measures.words import measured_rows, network_rows
from cellwright.explain.network import network
from cellwright.explain.stacks import read_stack
from cellwright.nn import LSTM, Recurrent
from cellwright.tolerances import TOLERANCES, error
from scene_checks import faults


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
        assert each.after is not None
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
    assert measured(frozen, torch.randn(5, 3), run=True).twins[0].apart == (None,)
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


@pytest.mark.parametrize("front", [nn.Linear(3, 4), nn.Embedding(9, 4)], ids=str)
def test_windows_are_of_time_behind_other_layers_too(front: nn.Module):
    """Which axis is time the recurrent layer knows, and all in front of it follow."""
    x = torch.randn(7, 2, 3)
    if isinstance(front, nn.Embedding):
        x = torch.randint(9, (7, 2))
    module = read_stack("nn.LSTM(4, 5)").module
    module.insert(0, copy.deepcopy(front))
    facts = network(module, [x])
    found = measured(module, x, run=True, window=1)

    assert [[a.name for a in layer.takes[0]][:2] for layer in facts.layers] == [
        ["time", "batch"]
    ] * 2
    for each in found.reaches:
        assert each.steps == 7
        assert each.reach == 0
        assert "exactly 0 from k=1 on" in each.finding


def test_all_layers_in_front_know_what_is_time():
    """Not the nearest alone."""
    line = "nn.Linear(3, 4); nn.Tanh(); nn.Linear(4, 4); nn.GRU(4, 5)"
    facts = network(read_stack(line).module, [torch.zeros(7, 2, 3)])

    for layer in facts.layers:
        assert [axis.name for axis in layer.takes[0]][:2] == ["time", "batch"]


class Turned(nn.Module):
    """Takes the batch first, and hands its layer time first."""

    def __init__(self):
        super().__init__()
        self.inner = nn.LSTM(3, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Run the layer."""
        return self.inner(x.transpose(0, 1))[0]


def test_a_window_of_an_axis_that_nobody_knows_is_refused():
    """Sizes that are equal by chance say nothing."""
    with pytest.raises(MeasureError, match="found none"):
        measured(Turned(), torch.randn(5, 5, 3), run=True, window=2)
    with pytest.raises(MeasureError, match="found none"):
        measured(nn.Linear(3, 4), torch.randn(5, 3), run=True, window=2)


class Bends(nn.Module):
    """Two layers with something between that is no module."""

    def __init__(self, layers: Sequence[nn.Module], between: Callable[..., object]):
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.between = between

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Run both."""
        first, second = self.layers
        return second(self.between(first(x)))


def test_what_bends_in_place_is_seen():
    """A tensor that was written to is another one."""
    layers = [nn.Linear(4, 5), nn.Linear(5, 3)]
    straight = network(Bends(layers, lambda x: x), [torch.zeros(2, 4)])
    bent = network(Bends(layers, F.relu_), [torch.zeros(2, 4)])

    assert len(straight.collapses) == 1
    assert bent.collapses == ()
    assert bent.layers[1].follows is None


def test_receptive_fields_begin_at_the_input():
    """Not at a layer within that takes as many; a norm in front is no window."""
    layers = [nn.Conv1d(2, 2, 3, padding=1), nn.Conv1d(2, 2, 3, padding=1)]
    inner = network(Bends(layers, torch.relu), [torch.zeros(1, 2, 9)])
    normed = network(nn.Sequential(nn.BatchNorm1d(2), *layers), [torch.zeros(1, 2, 9)])

    assert not any("through the" in r for each in inner.layers for r in each.remarks)
    (said,) = [r for r in normed.layers[-1].remarks if "through the 2 layers" in r]
    assert "hangs on 5 places" in said


def test_an_input_without_a_batch_is_measured():
    """One row of features, and one picture."""
    assert measured(nn.Linear(3, 4), torch.randn(3), run=True).spreads[0].units == 4
    module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Conv2d(2, 2, 3))
    facts = network(module, [torch.zeros(1, 9, 9)])
    assert any("hangs on 5×5 places" in each for each in facts.layers[-1].remarks)


def test_units_of_wide_rows_are_the_last_axis():
    """A linear layer's features stand last, and so do those of what acts on values."""
    module = nn.Sequential(nn.Linear(3, 6), nn.ReLU())
    nn.init.constant_(module.get_parameter("0.bias"), -9.0)
    found = measured(module, torch.randn(2, 4, 5, 3) / 9, run=True)

    assert [each.units for each in found.spreads] == [6, 6]
    assert found.spreads[1].off == 6


class Heads(nn.Module):
    """Two outputs, of two pairs of twins: one that parts, and one that does not."""

    def __init__(self):
        super().__init__()
        self.body = nn.Linear(3, 4)
        self.first, self.second = nn.Linear(4, 1), nn.Linear(4, 1)
        for weight in self.parameters():
            nn.init.constant_(weight, 0.5)
        with torch.no_grad():
            self.body.weight[2:] = 0.25
            self.first.weight[0, 3] = 0.9

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        """Run both heads."""
        h = self.body(x).tanh()
        return {"first": self.first(h), "second": self.second(h)}


def test_each_group_of_twins_has_its_own_end():
    """And each of several outputs its part of the loss."""
    found = measured(Heads(), torch.randn(8, 3), run=True, rates=(0.1,)).twins[0]

    assert found.groups == ((0, 1), (2, 3))
    together, parted = found.apart
    assert together is not None
    assert parted is not None
    assert together <= TOLERANCES["reference", "float64"].bound < parted
    moved = measured(Heads(), torch.randn(8, 3), rates=(0.1,)).descents[0].moved
    assert len(moved) == 6


class Own(nn.Module):
    """Makes its first states itself, and counts its calls."""

    def __init__(self):
        super().__init__()
        self.inner = nn.GRU(3, 4)
        self.calls: torch.Tensor
        self.register_buffer("calls", torch.tensor(0))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Run from states that are as wide as torch makes them."""
        self.calls += 1
        return self.inner(x, torch.zeros(1, x.shape[1], 4))[0]


def test_modules_that_make_tensors_and_count_are_measured():
    """What they make is as wide as the weights; what they count is put back."""
    module = Own()
    x = torch.randn(5, 2, 3)
    found = measured(module, x, run=True, rates=(0.1,))

    assert len(found.descents[0].moved) == 4
    assert int(module.calls) == 0
    assert torch.get_default_dtype() is torch.float32


@pytest.mark.parametrize(
    ("rate", "said"),
    [("0", "stays at"), ("1e200", "to no number at all")],
)
def test_steps_that_lead_nowhere_are_told(
    rate: str, said: str, capsys: pytest.CaptureFixture[str]
):
    """Neither falls nor grows; as JSON it is null."""
    line = ["explain", "nn.Linear(3, 4); nn.Linear(4, 2)", "--input", "5,3"]
    assert main([*line, "--rate", rate]) == 0
    assert said in " ".join(capsys.readouterr().out.split())
    assert main([*line, "--rate", rate, "--json"]) == 0
    json.loads(capsys.readouterr().out)
    assert main([*line, "--rate", "inf"]) == 2
    assert "--rate: is a number; found inf" in capsys.readouterr().err


def test_measures_stand_beside_a_picture(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """What was asked for is told, whatever else is written."""
    line = ["explain", "nn.Linear(3, 4)", "--input", "5,3", "--measure"]
    assert main([*line, "--svg", str(tmp_path / "a.svg")]) == 0
    out = capsys.readouterr().out
    assert "Wrote" in out
    assert "spread" in out


class Skips(nn.Module):
    """What goes in is added to what comes out."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(3, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Run the layer, and add."""
        return self.inner(x) + x


class Last(nn.Module):
    """The commonest form: a layer, its last step, a linear layer."""

    def __init__(self):
        super().__init__()
        self.rnn = nn.LSTM(3, 4, batch_first=True)
        self.head = nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Run both."""
        return self.head(self.rnn(x)[0][:, -1])


def test_pictures_are_of_what_was_run():
    """A skip is no chain; of what is none the recurrent layers stand alone."""
    skips = Skips()
    assert boxes_of(skips, network(skips, [torch.zeros(2, 3)])) == []
    last = Last()
    facts = network(last, [torch.zeros(2, 5, 3)])
    assert [box.name for box in boxes_of(last, facts)] == ["lstm"]
    assert not is_chain(facts)
    flat = read_stack("nn.LSTM(3, 4, batch_first=True); nn.Flatten(); Linear(20, 2)")
    facts = network(flat.module, [torch.zeros(2, 5, 3)])
    boxes = boxes_of(flat.module, facts)
    assert [getattr(box, "ends", None) for box in boxes] == [None, "all", ""]
    drawn = unrolled(boxes, 5)
    texts = [text.text for shape in drawn.shapes for text in shape.texts]
    assert texts.count("Linear") == texts.count("output") == 1
    assert faults(drawn) == []
