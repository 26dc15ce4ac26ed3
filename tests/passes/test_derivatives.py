"""Each derivative row against torch's own derivative of the same op."""

import itertools
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from backward_reference import evaluate
from cellwright.backends.reference.interpret import resolve
from cellwright.backends.reference.ops import TORCH
from cellwright.checks.tolerances import TOLERANCES, error
from cellwright.ir.builder import Builder
from cellwright.ir.graph import Graph, Node
from cellwright.ir.ops import BACKWARD_ONLY, OPS, Attr, ShapeRuleError
from cellwright.ir.sizes import Size
from cellwright.passes.derivatives import DERIVATIVES, Site

REFERENCE = TOLERANCES["reference", "float64"].bound
VALUES = (-3.7, -2.0, -1.0, -0.3, 0.0, 0.1, 0.5, 1.0, 2.5, 40.0)
ELEMENTWISE = [op for op in OPS.values() if op.kind == "elementwise"]
GROUPS = Size.number(3)
Case = tuple[str, list[Tensor], Attr]


def tensor(*values: float) -> Tensor:
    """Return a float64 vector."""
    return torch.tensor(values, dtype=torch.float64)


def normal(*shape: int) -> Tensor:
    """Return random numbers, the same each time."""
    generator = torch.Generator().manual_seed(sum(shape))
    return torch.randn(shape, dtype=torch.float64, generator=generator)


def by_row(
    op: str, args: Sequence[Tensor], attr: Attr, g: Tensor
) -> list[Tensor | None]:
    """Return what a row hands back, by the builder's folding and by none."""
    found: list[list[Tensor | None]] = []
    given = {f"a{i}": arg for i, arg in enumerate(args)}
    given |= {"g": g, "out": TORCH[op](args, resolve(attr, {}))}
    shapes = [tuple(map(Size.number, arg.shape)) for arg in args]
    shape = OPS[op].shape
    assert shape is not None
    leaves = {f"a{i}": each for i, each in enumerate(shapes)}
    leaves |= dict.fromkeys(("g", "out"), shape(shapes, attr))
    for fold in (True, False):
        b = Builder(fold)

        def leaf(name: str, b: Builder = b) -> int:
            return b.leaf("input", name, leaves[name])

        def argument(which: int, b: Builder = b) -> int:
            known = op == "power" and which == 1
            return b.const(float(args[1])) if known else leaf(f"a{which}")

        node = Node(op, tuple(range(len(args))), (), attr)
        parts = DERIVATIVES[op](
            Site(b, node, shapes, argument, lambda: leaf("out")), leaf("g")
        )
        graph = Graph("row", tuple(b.nodes), (), (), (), (), (), (), (), 0)
        values = evaluate(
            graph, [p for p in parts if p is not None], lambda n: given[str(n.attr)], {}
        )
        found.append([None if part is None else values[part] for part in parts])
    for one, other in zip(*found, strict=True):
        assert (one is None) == (other is None)
        assert one is None or error(one + 0 * g.sum(), other + 0 * g.sum()) <= REFERENCE
    return found[0]


def assert_row(op: str, args: Sequence[Tensor], attr: Attr = None) -> None:
    """Compare a row with torch; where torch has no gradient there is none, or 0."""
    leaves = [arg.clone().requires_grad_() for arg in args]
    if op == "power":
        leaves[1] = args[1]
    result = TORCH[op](leaves, resolve(attr, {}))
    g = normal(*result.shape)
    expected: Sequence[Tensor | None] = [None] * len(args)
    if result.requires_grad:
        wanted = [leaf for leaf in leaves if leaf.requires_grad]
        expected = torch.autograd.grad(result, wanted, g, allow_unused=True)
        expected = [*expected, *[None] * (len(args) - len(expected))]
    for which, (ours, theirs) in enumerate(
        zip(by_row(op, args, attr, g), expected, strict=True)
    ):
        said = f"argument {which} of {op}"
        if ours is None or theirs is None:
            assert ours is None, said
            assert theirs is None or not theirs.any(), said
        else:
            theirs = theirs.reshape(ours.shape) if theirs.numel() == 1 else theirs
            assert error(ours.expand_as(theirs), theirs) <= REFERENCE, said


def test_every_op_has_a_row():
    """Only leaves, draws, slices and what differentiation itself makes have none."""
    computed = {op.name for op in OPS.values() if op.kind not in ("leaf", "draw")}
    assert DERIVATIVES.keys() == computed - {"slice"} - BACKWARD_ONLY


@pytest.mark.parametrize("op", ELEMENTWISE, ids=lambda op: op.name)
def test_elementwise_rows(op):
    """At random values, and at zeros, ties, kinks, jumps and negative numbers."""
    if op.name == "power":
        for exponent in (1.0, 2.0, 3.0, 0.5, -0.5, -1.0):
            assert_row("power", [tensor(*VALUES), torch.tensor(exponent).double()])
        return
    values = list(itertools.product(VALUES, repeat=op.arity))
    if op.name == "mod":
        values = [(a, b) for a, b in values if b != 0]
    columns = [tensor(*column) for column in zip(*values, strict=True)]
    assert_row(op.name, columns)
    assert_row(op.name, [normal(50 + which)[:50] for which in range(op.arity)])


def test_exponent_is_a_number():
    """A power of anything else has no row."""
    b = Builder()
    a, e = (b.leaf("input", name, ()) for name in "ae")
    site = Site(b, Node("power", (0, 1), ()), [(), ()], (a, e).__getitem__, lambda: a)
    with pytest.raises(ShapeRuleError, match="is a number"):
        DERIVATIVES["power"](site, a)


WHOLE: list[Case] = [
    ("row_sum", [normal(6)], None),
    ("row_sum", [normal(6)], GROUPS),
    ("row_max", [normal(6)], None),
    ("row_max", [normal(6)], GROUPS),
    ("row_max", [tensor(2, 5, 5, 1, 5, 0)], None),
    ("row_max", [tensor(2, 2, 0, -1, 3, 3)], GROUPS),
    ("concat", [normal(2), normal(3), normal(1)], None),
    ("repeat", [normal(4)], GROUPS),
    ("fill", [torch.tensor(0.7).double()], (Size.number(5),)),
    ("transpose", [normal(2, 3)], None),
    ("transpose", [normal(3, 2, 4)], None),
    ("matmul", [normal(2, 3), normal(3)], None),
    ("matmul", [normal(3, 2, 4), normal(12)], None),
]


@pytest.mark.parametrize("case", WHOLE, ids=lambda case: f"{case[0]}-{case[2]}")
def test_rows_of_whole_vectors(case: Case):
    """Groups, ties, blocks on the diagonal and parts of any length."""
    assert_row(*case)


def test_every_row_is_tried():
    """The tests above try every row."""
    tried = {op.name for op in ELEMENTWISE} | {op for op, _, _ in WHOLE}
    assert tried == DERIVATIVES.keys()
