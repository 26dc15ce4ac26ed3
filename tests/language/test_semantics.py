"""The nineteen rules of the language, each by a cell that would break without it."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

import cellwright as cw
from cell_texts import HEAD, STEP, child, codes_of, elman, faults_of
from cellwright.cells import find, library
from cellwright.ir.graph import Graph
from cellwright.language.cell import Cell, read_cell
from cellwright.language.report import Source

SCALAR = "input x\nstate s\noutput s'\n"


def step(cell: Cell, x: float, s: float = 0.0, **options: Any) -> float:
    """Return the output of one step of a scalar cell."""
    layer = cw.nn.Recurrent(cell, 1, 1, dtype=torch.float64, **options)
    hx = torch.tensor([[s]], dtype=torch.float64)
    output, _ = layer(torch.tensor([[x]], dtype=torch.float64), hx.squeeze(-1))
    return output.item()


def value(text: str, x: float, s: float = 0.0) -> float:
    """Return the value of ``text`` as the layer computes it."""
    return step(find(f"{SCALAR}s' = where(x < 1e9, {text}, s)\n"), x, s)


def names(graph: Graph) -> set[str]:
    """Return the names of the values of a graph."""
    return {v.name for v in graph.values}


def known(graph: Graph, name: str) -> object:
    """Return the number that a value is known to be."""
    found = graph.value(name)
    assert found is not None
    node = graph.nodes[found.node]
    return node.attr if node.op == "const" else None


def test_rule_1_primes_keep_carets_in_place() -> None:
    """Rule 1: a caret behind primes points at its column, on every line."""
    text = f"{HEAD}n = h' + h' + (h'\n  + h' + zz)\nh' = {STEP}"
    (fault,) = [f for f in faults_of(text) if f.code == "unknown-name"]
    assert (fault.span.line, fault.span.column, fault.span.length) == (8, 9, 2)


def test_rule_2_before_and_after() -> None:
    """Rule 2: s is the value before the step, s' the one after it."""
    cell = find("input x\nstate s, t\noutput t'\ns' = s + x\nt' = 10 * s' + s + t\n")
    layer = cw.nn.Recurrent(cell, 1, 1)
    output, _ = layer(torch.ones(2, 1))
    assert output.flatten().tolist() == [10.0, 31.0]


def test_rule_3_order_is_free() -> None:
    """Rule 3: lines in the reverse order say the same graph."""
    lines = ["n = tanh(m)", f"m = {STEP}", "h' = n"]
    graphs = [elman(*order).graph for order in (lines, lines[::-1])]
    assert len(graphs[0].nodes) == len(graphs[1].nodes)
    assert names(graphs[0]) == names(graphs[1])


def test_rule_4_scalars_broadcast_and_nothing_else() -> None:
    """Rule 4: scalars fill; a vector of another size does not."""
    assert codes_of(f"{HEAD}h' = 2 * tanh({STEP})") == []
    assert codes_of(f"{HEAD}h' = tanh({STEP} + x)") == ["shape"]


def test_rule_4_matrices_are_made_of_weights() -> None:
    """Rule 4: an expression of weights may stand on the left of @."""
    assert codes_of(f"{HEAD}h' = tanh(W @ x + (2 * U - 1) @ h + b)") == []


def test_rule_5_block_diagonal_weights() -> None:
    """Rule 5: a weight of three sizes is block-diagonal."""
    text = "size k = 2\ninput x [input_size]\nstate h [k * 2]\nweight R [k, 2, 2] = 1\n"
    text += (
        "weight W [k * 2, input_size] = 0\noutput h'\nh' = R @ (h + 1) + W @ x + h\n"
    )
    layer = cw.nn.Recurrent(find(text), 1, 4)
    output, _ = layer(torch.ones(1, 1), torch.tensor([[1.0, 2.0, 3.0, 4.0]]))
    assert output.tolist() == [[5.0 + 1, 5.0 + 2, 9.0 + 3, 9.0 + 4]]


@pytest.mark.parametrize(
    "text", ["U @ h * b", "b * U @ h", "U @ h / b", "U @ h % b", "b / U @ h"]
)
def test_rule_6_product_order_is_written(text: str) -> None:
    """Rule 6: @ beside * / % needs parentheses."""
    assert codes_of(f"{HEAD}h' = W @ x + {text} + b") == ["matmul-order"]


@pytest.mark.parametrize("text", ["(U @ h) * b", "U @ (h * b)", "-U @ h", "U @ h**2"])
def test_rule_6_parentheses_are_enough(text: str) -> None:
    """Rule 6: with parentheses either reading is fine."""
    assert codes_of(f"{HEAD}h' = W @ x + {text} + b") == []


@pytest.mark.parametrize(
    ("text", "x", "expected"),
    [
        ("x > 2", 3.0, 1.0),
        ("x >= 3", 3.0, 1.0),
        ("x < 3", 3.0, 0.0),
        ("x <= 3", 3.0, 1.0),
        ("x == 3", 3.0, 1.0),
        ("x != 3", 3.0, 0.0),
        ("where(x, 5, 7)", -0.5, 5.0),
        ("where(x, 5, 7)", 0.0, 7.0),
    ],
)
def test_rule_7_comparisons_and_where(text: str, x: float, expected: float) -> None:
    """Rule 7: comparisons give 0 or 1; where takes b only where m is 0."""
    assert value(text, x) == expected


def test_rule_7_nan_is_not_zero() -> None:
    """Rule 7: a condition that is NaN is not 0, so where takes its second argument."""
    cell = find(f"{SCALAR}s' = where(x, 5, 7) + s\n")
    assert step(cell, math.nan) == 5.0


@pytest.mark.parametrize(
    ("text", "x", "expected"),
    [
        ("x % 3", -1.0, 2.0),
        ("x % -3", 1.0, -2.0),
        ("floor(x)", -1.5, -2.0),
        ("x ** 2", 3.0, 9.0),
        ("x ** -1", 4.0, 0.25),
        ("-x ** 2", 3.0, -9.0),
    ],
)
def test_rule_8_floored_remainder_and_powers(
    text: str, x: float, expected: float
) -> None:
    """Rule 8: % and floor are floored, ** has a number as exponent."""
    assert value(text, x) == expected


@pytest.mark.parametrize(
    ("text", "x"),
    [
        ("x % 3", -7.0),
        ("x % -3", 7.0),
        ("x % 0.1", 1.0),
        ("x % inf", 5.0),
        ("floor(x)", -2.5),
        ("x ** 3", -1.5),
    ],
)
def test_rule_8_folding_is_what_torch_computes(text: str, x: float) -> None:
    """Rule 8: a folded number is the one that the same text gives at run time."""
    folded = text.replace("x", f"({x})")
    graph = find(f"{SCALAR}k = {folded}\ns' = x + s + k\n").graph
    assert known(graph, "k") == value(text, x)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("0 * s", set()),
        ("s * 0", set()),
        ("0 * inf", set()),
        ("1 * s", {"s"}),
        ("s + 0", {"s"}),
        ("0 + s", {"s"}),
        ("s - 0", {"s"}),
        ("s / 1", {"s"}),
        ("0 / s", set()),
        ("s ** 1", {"s"}),
        ("s ** 0", set()),
        ("where(1, s, t)", {"s"}),
        ("where(0, s, t)", {"t"}),
        ("where(x > 0, s, s)", {"s"}),
        ("s - s", {"s"}),
    ],
)
def test_rule_9_literals_annihilate_or_are_neutral(text: str, left: set[str]) -> None:
    """Rule 9: 0 annihilates, 0 and 1 are neutral, a known choice takes its side."""
    lines = ["input x", "state s, t, u", "output u'", "s' = x + s", "t' = x + t"]
    text = "\n".join([*lines, f"u' = x + u + ({text}) + 0 * (s + t)\n"])
    assert {state.name for state in find(text).graph.states} == left | {"u"}


def test_rule_9_zero_removes_parameters() -> None:
    """Rule 9: `p_i = 0` removes a parameter, with its shape and its count."""
    cell = child("peephole_lstm", "p_i = 0", "p_f = 0", "p_o = 0")
    stock = library.load("lstm").graph
    assert [p.name for p in cell.graph.parameters] == [p.name for p in stock.parameters]


def test_rule_10_surrogate_has_value_and_slope() -> None:
    """Rule 10: the value of the first argument, the slope of the second."""
    cell = find(f"{SCALAR}s' = surrogate(x > 0, x * x) + s\n")
    layer = cw.nn.Recurrent(cell, 1, 1, dtype=torch.float64)
    x = torch.tensor([[3.0]], dtype=torch.float64, requires_grad=True)
    output, _ = layer(x)
    output.sum().backward()
    assert output.item() == 1.0
    assert x.grad is not None
    assert x.grad.item() == 6.0


def test_rule_10_stop_gradient() -> None:
    """Rule 10: stop_gradient passes the value and no gradient."""
    cell = find(f"{SCALAR}s' = stop_gradient(x) * x + s\n")
    layer = cw.nn.Recurrent(cell, 1, 1, dtype=torch.float64)
    x = torch.tensor([[3.0]], dtype=torch.float64, requires_grad=True)
    output, _ = layer(x)
    output.sum().backward()
    assert output.item() == 9.0
    assert x.grad is not None
    assert x.grad.item() == 3.0


@pytest.mark.parametrize(
    ("text", "x", "slope"),
    [("maximum(x, 2)", 2.0, 0.5), ("minimum(x, 2)", 2.0, 0.5), ("relu(x)", 0.0, 0.0)],
)
def test_rule_11_ties_share_the_gradient(text: str, x: float, slope: float) -> None:
    """Rule 11: a tie of maximum or minimum splits the gradient; relu'(0) is 0."""
    layer = cw.nn.Recurrent(find(f"{SCALAR}s' = {text} + s\n"), 1, 1)
    given = torch.tensor([[x]], requires_grad=True)
    layer(given)[0].sum().backward()
    assert given.grad is not None
    assert given.grad.item() == slope


def test_rule_12_sizes_are_compared_in_normal_form() -> None:
    """Rule 12: heads * (hidden_size / heads) is hidden_size; equal only if declared."""
    head = HEAD.replace("b [hidden_size]", "b [heads * (hidden_size / heads)]")
    assert codes_of(f"size heads = 2\n{head}h' = tanh({STEP})") == []
    assert codes_of(f"{HEAD}h' = tanh({STEP}) * x") == ["shape"]
    text = f"size input_size = hidden_size\n{HEAD}h' = tanh({STEP}) * x\n"
    assert codes_of(text) == []
    with pytest.raises(cw.errors.CellwrightError, match="input_size = hidden_size"):
        cw.nn.Recurrent(text, 3, 4)


def test_rule_12_quotients_come_out_whole() -> None:
    """Rule 12: layers refuse a quotient that is not whole, and a size below 1."""
    head = HEAD.replace("b [hidden_size]", "b [hidden_size]\nbias d [hidden_size / 2]")
    text = f"{head}h' = tanh({STEP}) + sum(d)\n"
    assert cw.nn.Recurrent(text, 3, 4).d_l0.shape == (2,)
    with pytest.raises(cw.errors.CellwrightError, match="hidden_size/2"):
        cw.nn.Recurrent(text, 3, 5)
    less = text.replace("hidden_size / 2", "hidden_size - 4")
    with pytest.raises(cw.errors.CellwrightError, match="hidden_size - 4 is 0"):
        cw.nn.Recurrent(less, 3, 4)


def test_rule_12_groups_come_out_whole() -> None:
    """Rule 12: a sum over groups needs a length that the groups divide."""
    text = f"{HEAD}h' = tanh({STEP}) + sum(sum(h, 2))\n"
    assert [str(size) for size in find(text).graph.whole] == ["hidden_size/2"]


def test_rule_12_vanished_sizes_ask_nothing() -> None:
    """Rule 12: a size whose users vanished is no argument and must not be whole."""
    base = library.load("slstm").graph
    assert {size.name for size in base.sizes} == {"heads", "head_size"}
    lines = [f"{g} = tanh(W_{g} @ x + b_{g})" for g in ("z", "o")]
    gone = child("slstm", *lines, "a = W_i @ x + b_i", "q = W_f @ x + b_f + m")
    assert gone.graph.sizes == ()
    assert gone.graph.whole == ()
    cw.nn.Recurrent(gone, 2, 3)


BLOCK = "count depth = 3\ninput x\nstate h\noutput h'\ns = h\n"


def test_rule_13_micro_steps() -> None:
    """Rule 13: s and s' are before and after the micro-step, s' outside is the last."""
    text = f"{BLOCK}for l in 1..depth:\n    s' = 10 * s + l * x\nh' = s'\n"
    assert step(find(text), 1.0, 4.0) == 4123.0
    assert step(find(text), 1.0, 4.0, depth=2) == 412.0


def test_rule_13_states_may_be_carried_themselves() -> None:
    """Rule 13: h' in the block carries the state h, and h' can be traced by name."""
    text = BLOCK.replace("s = h\n", "for l in 1..depth:\n    h' = 10 * h + l * x\n")
    assert step(find(text), 1.0, 4.0) == 4123.0
    assert {"h'", "h_1", "h_2", "h_3"} <= names(find(text).graph)


def test_rule_13_declarations_in_the_block() -> None:
    """Rule 13: what the block declares exists once per micro-step, also constants."""
    lines = ["    weight R = l", "    constant k = R * 10", "    s' = s + x * R + k"]
    text = BLOCK + "for l in 1..depth:\n" + "\n".join(lines) + "\nh' = s'\n"
    graph = find(text).graph
    assert [p.name for p in graph.parameters] == ["R_1", "R_2", "R_3"]
    assert [c.name for c in graph.constants] == ["k_1", "k_2", "k_3"]
    assert step(find(text), 1.0) == 66.0


def test_rule_13_known_choices_fold() -> None:
    """Rule 13: where(l == 1, a, 0) is a in the first micro-step, then gone."""
    text = (
        BLOCK + "for l in 1..depth:\n    s' = 10 * s + where(l == 1, x, 0)\nh' = s'\n"
    )
    graph = find(text).graph
    assert not [node for node in graph.nodes if node.op in ("where", "eq")]


@pytest.mark.parametrize(
    ("change", "codes"),
    [
        (("l in", "h in"), ["twice"]),
        (("h' = s'", "h' = s' + l"), ["inside-block"]),
        (("for l", "s_2 = x\nfor l"), ["twice"]),
        (("    s'", "    s = x\n    s'"), ["twice"]),
        (("1..", "4.."), ["for-block"]),
        (("    s'", "    x' = s\n    s'"), ["no-state"]),
    ],
)
def test_rule_13_names_of_the_block(change: tuple[str, str], codes: list[str]) -> None:
    """Rule 13: the block's names are its own, and its index is known inside only."""
    text = BLOCK + "for l in 1..depth:\n    s' = 10 * s + x\nh' = s'\n"
    assert codes_of(text.replace(*change)) == codes


def test_rule_14_overrides_keep_their_place() -> None:
    """Rule 14: a redeclared state stays where it was; new ones come last."""
    cell = child("lstm", "state z, h [hidden_size]", "z' = h", "o = sigmoid(z)")
    assert [s.name for s in cell.graph.states] == ["h", "c", "z"]


def test_rule_14_a_state_that_stops_takes_its_equation_along() -> None:
    """Rule 14: c as an equation ends c', and all that only c' used."""
    cell = child("lstm", "c = tanh(W_g @ x + b_g)", "h' = o * c")
    assert [s.name for s in cell.graph.states] == ["h"]
    assert "f" not in names(cell.graph)


def test_rule_14_an_equation_may_become_a_state() -> None:
    """Rule 14: a gate of the base may be a state of the child."""
    cell = child("lstm", "state f [hidden_size] = 1", "f' = 1 - i")
    assert [s.name for s in cell.graph.states] == ["h", "c", "f"]
    assert "U_f" not in {p.name for p in cell.graph.parameters}


def test_rule_14_scalars_fill() -> None:
    """Rule 14: a scalar that replaces a vector has the shape that the vector had."""
    i = child("lstm", "i = 1").graph
    found = i.value("i")
    assert found is not None
    assert [str(n) for n in i.nodes[found.node].shape] == ["hidden_size"]


def test_rule_14_redeclared_sizes_reach_the_fill() -> None:
    """Rule 14: a scalar fills the base's shape in terms of the child's sizes."""
    head = HEAD.replace("output", "weight V [n, input_size]\noutput")
    base = Source("base", f"size n\n{head}q = V @ x\nh' = {STEP} * sum(q)\n", "base")
    text = "extends  base\nsize n = hidden_size / 2\nq = 1\nh' = U @ h + W @ x + sum(q)"
    text += " + sum(V @ x)"
    cell = read_cell(Source("a", text, "a"), lambda name, user: base)
    found = cell.graph.value("q")
    assert found is not None
    assert [str(n) for n in cell.graph.nodes[found.node].shape] == ["hidden_size/2"]
    assert [str(size) for size in cell.graph.whole] == ["hidden_size/2"]


def test_rule_14_unused_parts_of_the_base_disappear() -> None:
    """Rule 14: an inherited input that nothing reads vanishes; the next one is x."""
    lines = ["input y [input_size]", "i = sigmoid(W_i @ y)", "f = 1", "o = 1"]
    cell = child("lstm", *lines, "g = U_g @ h")
    assert [i.name for i in cell.graph.inputs] == ["y"]


@pytest.mark.parametrize(
    "line", ["f_ = 1", "weight V [hidden_size]", "size n", "input y"]
)
def test_rule_14_own_lines_must_be_used(line: str) -> None:
    """Rule 14: what a child writes and nothing uses is an error."""
    assert codes_of(f"extends  lstm\n{line}") == ["unused"]


def test_rule_14_only_the_end_of_an_unused_chain_is_told() -> None:
    """Rule 14: weights that only an unused equation uses are not told as well."""
    text = "extends  lstm\nweight V [hidden_size]\nk = V * h\nj = k"
    assert [f.found for f in faults_of(text)] == ["nothing uses 'j'"]


def test_rule_14_part_of_a_split_may_be_replaced() -> None:
    """Rule 14: one name of a split can be defined anew, the others stay."""
    cell = child("lstm_norm_joint", "a_f = 2")
    assert known(cell.graph, "a_f") == 2.0
    assert len([node for node in cell.graph.nodes if node.op == "slice"]) == 3


def test_rule_15_bias_false() -> None:
    """Rule 15: without biases a bias is 0, also in what is made of it."""
    text = f"{HEAD.replace('b [hidden_size]', 'b [hidden_size] = 3')}h' = {STEP}\n"
    layer = cw.nn.Recurrent(text, 1, 2, bias=False)
    assert [name for name, _ in layer.named_parameters()] == ["W_l0", "U_l0"]


def test_rule_16_descriptions() -> None:
    """Rule 16: a trailing comment describes its targets, and their state."""
    cell = find(
        f"# Title.\n#  doi:1/2, 1999\n{HEAD}h' = tanh({STEP})   #  hidden # x \n"
    )
    assert (cell.title, cell.year) == ("Title.", 1999)
    assert cell.references == ("doi:1/2, 1999",)
    assert cell.graph.states[0].description == "hidden # x"


def test_rule_17_counters_and_time_stamps() -> None:
    """Rule 17: a counter is a state, a time stamp an input of shape [T, B]."""
    cell = find(f"state t = 5\n{SCALAR}t' = t + 1\ns' = x + s * 0 + t + s\n")
    layer = cw.nn.Recurrent(cell, 1, 1)
    output, (_, _) = layer(torch.zeros(3, 1))
    assert output.flatten().tolist() == [5.0, 11.0, 18.0]


@pytest.mark.parametrize(
    ("count", "codes"), [(993, []), (995, ["too-many"])], ids=["fits", "too many"]
)
def test_rule_18_statements(count: int, codes: list[str]) -> None:
    """Rule 18: a thousand statements are read, one more is an error."""
    lines = [f"a{i} = a{i - 1}" for i in range(1, count)]
    text = "\n".join([HEAD, f"a0 = {STEP}", *lines, f"h' = a{count - 1}"])
    assert codes_of(text) == codes


def test_rule_18_depth() -> None:
    """Rule 18: an expression is nested at most 100 deep."""
    assert codes_of(f"{HEAD}h' = {'-' * 96}({STEP})") == []
    assert codes_of(f"{HEAD}h' = {'-' * 99}({STEP})") == ["too-deep"]


def test_rule_19_faults_do_not_multiply() -> None:
    """Rule 19: what hangs on a fault is silent, in shapes, sizes, names and blocks."""
    wrong_size = HEAD.replace("W [hidden_size", "W [hiden_size")
    assert codes_of(f"{wrong_size}h' = tanh({STEP})") == ["unknown-size"]
    wrong_word = HEAD.replace("weight   W", "wieght   W")
    assert codes_of(f"{wrong_word}h' = tanh({STEP})") == ["statement"]
    tab = HEAD.replace("state    h", "state\th")
    assert codes_of(f"{tab}h' = tanh({STEP})") == ["character"]
    size = "size n = hidden_size +\n" + HEAD.replace("b [hidden_size]", "b [n]")
    assert codes_of(f"{size}h' = tanh({STEP})") == ["expression"]
    assert codes_of(f"{HEAD}n = tanh({STEP}\nh' = n * n") == ["bracket"]
    assert codes_of(f"{HEAD}n = m\nm = n + k\nk = m\nh' = {STEP} * n") == ["circle"]
    assert codes_of(f"{HEAD}n = q\nm = n + q\nh' = {STEP} + m * q") == ["unknown-name"]


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ("weight w [i: hidden_size] = i", [0.0, 1.0, 2.0]),
        ("constant w [i: hidden_size] = 2 ** i", [1.0, 2.0, 4.0]),
        ("constant k = 2\nweight w [hidden_size] = 3 * k", [6.0, 6.0, 6.0]),
        ("weight v [hidden_size] = 4\nweight w [hidden_size] = v / 2", [2.0, 2.0, 2.0]),
        ("weight w [i: hidden_size] = i == hidden_size - 1", [0.0, 0.0, 1.0]),
        ("weight w [hidden_size] = uniform(7, 7)", [7.0, 7.0, 7.0]),
        ("weight w [hidden_size] = normal(7, 0)", [7.0, 7.0, 7.0]),
        ("weight w [hidden_size] = -inf", [-math.inf] * 3),
    ],
)
def test_first_values(declared: str, expected: list[float]) -> None:
    """Initialisers use numbers, sizes, indices, constants, parameters, draws."""
    extra = "v" if "v [" in declared else "1"
    head = HEAD.replace("output", f"{declared}\noutput")
    layer = cw.nn.Recurrent(f"{head}h' = {STEP} + w * {extra}\n", 2, 3)
    values = {**dict(layer.named_parameters()), **dict(layer.named_buffers())}
    assert values["w_l0"].tolist() == expected


def test_first_values_of_states() -> None:
    """A state's first value may use parameters, constants, sizes, other states'."""
    head = (
        "constant k = 2\nweight v = 3\nstate b = a + 1\nstate a = k * v + hidden_size\n"
    )
    cell = find(f"{head}input x\noutput b'\na' = a\nb' = b + a + x\n")
    layer = cw.nn.Recurrent(cell, 1, 4)
    output, (b, a) = layer(torch.zeros(1, 1))
    assert (a.item(), b.item(), output.item()) == (10.0, 21.0, 21.0)


def test_draws_are_counted_as_they_are_left() -> None:
    """A draw that vanishes with its weight leaves no gap, so equal cells are equal."""
    weights = [f"weight {name} [hidden_size] = uniform(0, 1)" for name in "vw"]
    head = HEAD.replace("output", "\n".join([*weights, "output"]))
    graph = find(f"{head}h' = {STEP} + 0 * v + w\n").graph
    assert [node.attr for node in graph.nodes if node.op == "uniform"] == [1]


def test_an_index_hides_a_name_of_the_cell() -> None:
    """A running index is its own statement's: a gate of the same name is no circle."""
    head = HEAD.replace("output", "constant w [i: hidden_size] = i\noutput")
    assert codes_of(f"{head}i = sigmoid(w * h)\nh' = tanh({STEP}) * i") == []
    assert codes_of(f"{head}i = h\nh' = tanh({STEP}) * w") == ["unused"]


def test_unknown_bases_are_guessed() -> None:
    """A base that the library has not is told with the likely one."""
    (fault,) = faults_of("extends  lstn\nf = 1")
    assert (fault.code, fault.fix) == ("extends", "did you mean 'lstm'?")


def test_one_group_is_the_whole_vector() -> None:
    """A written 1 is the default of the signature: sum(v, 1) is sum(v), a scalar."""
    texts = [f"{HEAD}h' = tanh({STEP}) * {v}\n" for v in ("sum(h, 1)", "sum(h)")]
    one, whole = (find(text).graph for text in texts)
    assert one == whole


def test_carriage_returns_end_lines() -> None:
    """A text with the line ends of an old Macintosh is a text, and no name."""
    text = f"{HEAD}h' = tanh({STEP})\n"
    assert find(text.replace("\n", "\r")).graph == find(text).graph
