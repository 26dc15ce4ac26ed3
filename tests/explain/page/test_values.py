"""A page computes what was traced, and shows what it computes."""

import json
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
import torch
from playwright.sync_api import Page
from torch import Tensor, nn

from any_cell import further_inputs, sizes_for
from cellwright.cells import load, names
from cellwright.explain.opened import Explained
from cellwright.ir.ops import OPS
from cellwright.nn import Recurrent
from cellwright.tolerances import TOLERANCES, error
from page_runs import SHOWN, Open, explained

EVERYTHING = """([run, row]) => {
  cellwright.go({ run, row });
  const { call } = cellwright;
  const own = call.runs[run];
  const found = {};
  for (const [name, place] of Object.entries(own.values))
    found[name] = Array.from({ length: call.steps }, (_, t) =>
      Array.from(cellwright.values(call, own, t, row)[place], String));
  return JSON.stringify(found);
}"""


def everything(page: Page, run: int = 0, row: int = 0) -> dict[str, Tensor]:
    """Return what a page computes: every value of a run at every step, [T, size]."""
    found = json.loads(page.evaluate(EVERYTHING, [run, row]))
    return {
        name: torch.tensor(
            [[float(v.replace("Infinity", "inf")) for v in step] for step in steps],
            dtype=torch.float64,
        )
        for name, steps in found.items()
    }


def assert_is_traced(page: Page, found: Explained, batch: int = 1) -> None:
    """Fail unless a page computes all that was traced."""
    assert found.traces is not None
    trace = found.traces.only
    dtype = str(trace.output.dtype).removeprefix("torch.")
    bound = TOLERANCES["page", dtype].bound
    for place, run in enumerate(trace.runs):
        for row in range(batch):
            values = everything(page, place, row)
            assert values
            for name, value in values.items():
                expected = trace[name + run.suffix][:, row].double()
                expected = expected.reshape(len(value), -1)
                assert error(value.expand_as(expected), expected) <= bound, name


@pytest.mark.parametrize("name", names())
def test_a_page_computes_what_was_traced(opened: Open, name: str):
    """Every value of every cell of the library, at every step."""
    sizes = sizes_for(load(name).graph, 3, 8)
    torch.manual_seed(1)
    # Kernels take seconds to build, and the reference is what a page has to equal.
    own = {"backend": "reference", "dtype": torch.float64, **sizes.options}
    layer = Recurrent(name, sizes.input_size, 8, **own)
    x = torch.randn(6, 2, sizes.input_size, dtype=torch.float64)
    found = explained(layer, x, **further_inputs(load(name).graph, 6, 2, x.dtype))

    page = opened(found)
    assert_is_traced(page, found, batch=2)
    assert page.locator("#through-time").is_visible()
    said = page.locator("#cell .words").all_inner_texts()
    assert all(" = " in text for text in said)
    assert_unfolds(page)


def assert_unfolds(page: Page) -> None:
    """Fail unless every value is what its formula makes of the numbers shown in it."""
    for name, unit, tree in page.evaluate(TREES):
        check_tree(tree, f"{name}[{unit}]")


TREES = """() => {
  const open = (name, unit) => {
    cellwright.go({ run: 0, row: 0, t: 2, name, unit });
    return [name, cellwright.at.unit, cellwright.tree()];
  };
  const names = Object.keys(cellwright.run.values);
  return names.flatMap((name) => [open(name, 0), open(name, 5)]);
}"""


def check_tree(tree: dict[str, Any], where: str) -> None:
    """Work out a formula from its parts, and each part from its own."""
    parts = tree.get("parts", [])
    for part in parts:
        check_tree(part, where)
    match tree["kind"]:
        case "dot":
            pairs = zip(tree["weights"], tree["operands"], strict=True)
            value = sum(w * v for w, v in pairs)
        case "group":
            value = (sum if tree["op"] == "sum" else max)(tree["terms"])
        case "call":
            fold = OPS[tree["op"]].fold
            assert fold is not None
            value = float(fold(*(part["value"] for part in parts)))
        case _:
            return
    pair = [torch.tensor(each, dtype=torch.float64) for each in (value, tree["value"])]
    assert error(*pair) <= TOLERANCES["page", "float64"].bound, where


OPS_CELL = """
input x [input_size]
state h, s [hidden_size]
state t
weight W, V [hidden_size, input_size]
weight p [hidden_size] = uniform(0.5, 1.5)
weight R [2, hidden_size / 2, hidden_size / 2]
output y
a  = W @ x
b  = transpose(R) @ h + layer_norm(V @ x, 2)
u, v = split(concat(a, b, x), 2 * hidden_size, input_size)
k  = surrogate(h > 0.1, softplus(h))
t' = t + 1
d  = where(t % 3 == 1, abs(a) ** 1.5 * p, exp(-relu(b)))
e  = d - floor(3 * b) / 7 + sqrt(abs(b))
r  = repeat(max(a, 2), hidden_size / 2) + softmax(b) + minimum(a, b) * maximum(a, 0.1)
l  = log(1 + abs(a)) + sin(a) * cos(b) + log_sigmoid(b) + (a <= b) * (a != 0) + (a < b)
q  = silu(a) * hard_sigmoid(b) * (a >= b)
h' = tanh(e + r + mean(v)) * (p * 0.5) + 0.1 * sum(u) * q
s' = l + 0.5 * s + clip(e, -1, 1) + mean(r)
y  = h' + s' * k
"""


def test_every_op_is_the_references(opened: Open):
    """Also those that no cell of the library has."""
    torch.manual_seed(3)
    own = {"backend": "reference", "dtype": torch.float64}
    layer = Recurrent(OPS_CELL, 3, 6, 2, bidirectional=True, **own)
    ops = {node.op for node in layer.cell.graph.nodes}
    assert ops >= {"row_max", "row_sum", "transpose", "surrogate", "repeat", "mod"}
    found = explained(layer, torch.randn(7, 2, 3, dtype=torch.float64))

    page = opened(found)
    assert_is_traced(page, found, batch=2)
    assert_unfolds(page)


LAYERS: dict[str, Callable[[], tuple[nn.Module, Any]]] = {
    "bidirectional": lambda: (
        nn.LSTM(3, 5, 3, bidirectional=True, batch_first=True),
        torch.randn(2, 9, 3),
    ),
    "projected": lambda: (nn.LSTM(3, 6, 2, proj_size=2), torch.randn(9, 2, 3)),
    "gru": lambda: (nn.GRU(3, 5, 2), torch.randn(9, 2, 3)),
    "relu": lambda: (nn.RNN(3, 5, nonlinearity="relu"), torch.randn(9, 2, 3)),
    "packed": lambda: (
        nn.GRU(3, 5, 2, bidirectional=True),
        nn.utils.rnn.pack_padded_sequence(torch.randn(9, 2, 3), [9, 4]),
    ),
}


@pytest.mark.filterwarnings("ignore:LSTM with projections")
@pytest.mark.parametrize("name", LAYERS)
def test_layers_of_torch(opened: Open, name: str):
    """Directions, layers, projections and padding; what is below is computed too."""
    torch.manual_seed(4)
    layer, x = LAYERS[name]()
    found = explained(layer, x)

    assert_is_traced(opened(found), found, batch=2)


ARRAYS = "JSON.parse(document.getElementById('told').textContent).arrays.rows"


def test_few_states_are_enough(opened: Open, monkeypatch: pytest.MonkeyPatch):
    """A large page keeps few states and 24 bits; the rest follows from equations."""
    monkeypatch.setattr("cellwright.explain.page.payload.LARGE", 1_000)
    monkeypatch.setattr("cellwright.explain.page.arrays.LARGE", 1_000)
    torch.manual_seed(5)
    for layer in (nn.LSTM(3, 40, 2, bidirectional=True), nn.LSTM(3, 40, 2)):
        found = explained(layer, torch.randn(37, 1, 3))
        page = opened(found)
        assert page.evaluate("cellwright.run.every") == 16
        assert "i24" in {row["kind"] for row in page.evaluate(ARRAYS)}
        assert_is_traced(page, found)


class Loop(nn.Module):
    """A torch.nn cell whose states are changed between its steps."""

    def __init__(self, units: int, factors: tuple[float, float]) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(3, units)
        self.factors = factors

    def forward(self, x: Tensor) -> Tensor:
        """Return the last h."""
        h = c = torch.zeros(x.shape[1], self.cell.hidden_size)
        for step in x:
            h, c = self.cell(step, (h, c))
            h, c = self.factors[0] * h, self.factors[1] * c
        return h


@pytest.mark.parametrize("factors", [(0.5, 0.5), (0.5, 1.0), (1.0, 0.5), (1.0, 1.0)])
@pytest.mark.parametrize("units", [4, 40])
def test_cells_in_a_loop(
    opened: Open,
    monkeypatch: pytest.MonkeyPatch,
    units: int,
    factors: tuple[float, float],
):
    """Their calls are one sequence; states that a loop changes are all kept."""
    monkeypatch.setattr("cellwright.explain.page.payload.LARGE", 1_000)
    found = explained(Loop(units, factors), torch.randn(5, 2, 3))
    assert_is_traced(opened(found), found, batch=2)


FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    **dict.fromkeys("ifo", torch.sigmoid),
    "g": torch.tanh,
}


def test_the_dot_product_that_is_shown_is_the_traced_one(opened: Open):
    """Recomputed from the operands that stand in the tables, 200 times by chance."""
    torch.manual_seed(6)
    layer = nn.LSTM(20, 30, 2)
    found = explained(layer, torch.randn(25, 1, 20))
    assert found.traces is not None
    page = opened(found)
    bound = TOLERANCES["page", "float32"].bound
    draws = Random(7)
    page.get_by_role("button", name="all of them").first.click()
    for _ in range(200):
        at = {
            "run": draws.randrange(2),
            "name": draws.choice(sorted(FUNCTIONS)),
            "unit": draws.randrange(30),
            "t": draws.randrange(25),
        }
        page.evaluate("(at) => cellwright.go(at)", at)
        shown = page.evaluate(SHOWN)
        assert shown["left"] == f"{at['name']}[{at['unit']}]"
        assert len(shown["products"]) == (50, 60)[at["run"]]
        total = sum(float(w) * float(v) for w, v in shown["products"])
        total += float(shown["bias"])
        value = FUNCTIONS[at["name"]](torch.tensor(total, dtype=torch.float64))
        traced = found.traces.only[f"{at['name']}_l{at['run']}"][at["t"], 0, at["unit"]]
        assert error(value, traced.double()) <= bound
        assert error(torch.tensor(float(shown["value"])).double(), value) <= bound
