"""Runs whose difference quotients are the slopes that the language defines."""

from dataclasses import replace

import torch
from torch import Tensor

from cellwright.backends.reference.frozen import Frozen, moving_nodes
from cellwright.checks.tolerances import TOLERANCES, error
from cellwright.ir.builder import Builder
from cellwright.ir.graph import Graph
from cellwright.ir.ops import BACKWARD_ONLY, OPS
from cellwright.ir.sizes import Size

KEY = (0, 0)
REFERENCE = TOLERANCES["reference", "float64"].bound


def tensor(*values: float) -> Tensor:
    """Return a float64 vector."""
    return torch.tensor(values, dtype=torch.float64)


def twice(op: str, first: list[Tensor], later: list[Tensor]) -> tuple[Frozen, Tensor]:
    """Return the value of an op in a later run, and what remembers the first."""
    frozen = Frozen()
    frozen.value(KEY, op, first, None)
    frozen.again()
    return frozen, frozen.value(KEY, op, later, None)


def test_surrogate_moves_with_its_proxy():
    """The value is held, the proxy's change is added; inf that stays adds nothing."""
    _, found = twice(
        "surrogate",
        [tensor(1, 0, 1), tensor(0.5, 0.5, torch.inf)],
        [tensor(0, 0, 0), tensor(0.75, 0.5, torch.inf)],
    )
    assert found.tolist() == [1.25, 0, 1]


def test_jumps_are_held():
    """Comparisons and floor stay what they were, on either side of the jump."""
    for op in ("lt", "le", "gt", "ge", "eq", "ne"):
        frozen, found = twice(op, [tensor(1), tensor(2)], [tensor(3), tensor(2)])
        assert found.equal(frozen.value((1, 0), op, [tensor(1), tensor(2)], None))
    assert twice("floor", [tensor(1.9)], [tensor(2.1)])[1].item() == 1


def test_where_keeps_its_side():
    """A spike that moves by its proxy does not switch what it chooses."""
    one, other = tensor(5), tensor(7)
    _, found = twice("where", [tensor(0), one, other], [tensor(0.1), one, other])
    assert found.item() == 7


def test_mod_keeps_its_quotient():
    """The rest goes on beyond the divisor, so that its slope is that of the line."""
    _, found = twice("mod", [tensor(2.9), tensor(1.5)], [tensor(3.2), tensor(1.5)])
    assert error(found, tensor(1.7)) <= REFERENCE


def test_kinks_are_noticed():
    """A kinked op is computed as ever, and says when it stands on another side."""
    a, b = tensor(1, -2), tensor(0.5, 3)
    for op, args in (
        ("relu", [a]),
        ("abs", [a]),
        ("maximum", [a, b]),
        ("row_max", [a]),
    ):
        stayed, _ = twice(op, args, args)
        assert not stayed.crossed
        moved, value = twice(op, args, [-2 * arg for arg in args])
        assert moved.crossed, op
        plain = Frozen().value(KEY, op, [-2 * arg for arg in args], None)
        assert value.equal(plain)


def test_a_kink_that_nothing_feels_is_none():
    """The largest entry of a softmax may change place: its gradient is stopped."""
    b = Builder()
    v = b.leaf("input", "v", (Size.number(2),))
    largest = b.op("row_max", v)
    stopped = b.op("surrogate", largest, b.const(0))
    graph = Graph("g", tuple(b.nodes), (), (), (), (), (), (), (), stopped)
    assert largest not in moving_nodes(graph)
    assert largest in moving_nodes(replace(graph, output=largest))
    frozen = Frozen(moving_nodes(graph))
    for args in ([tensor(1, 2)], [tensor(2, 1)]):
        frozen.value((largest, 0), "row_max", args, None)
    assert not frozen.crossed


def test_infinities_are_no_crossing():
    """Two states of -inf are a tie, before and after."""
    low = tensor(-torch.inf)
    frozen, _ = twice("maximum", [low, low], [low, low])
    assert not frozen.crossed


def test_every_op_without_a_smooth_slope_is_covered():
    """What jumps or has a kink is frozen; the rest is smooth where it is defined."""
    smooth = {"add", "sub", "mul", "div", "power", "neg", "matmul", "row_sum"}
    smooth |= {"sigmoid", "tanh", "exp", "log", "sqrt", "sin", "cos"}
    smooth |= {
        "softplus",
        "log_sigmoid",
        "concat",
        "slice",
        "repeat",
        "fill",
        "transpose",
    }
    computed = {op.name for op in OPS.values() if op.kind not in ("leaf", "draw")}
    computed -= BACKWARD_ONLY
    assert {op for op in computed if Frozen().covers(op)} == computed - smooth
