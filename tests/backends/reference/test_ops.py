"""What each op is in torch."""

import itertools
import math

import pytest
import torch
from torch import Tensor
from torch.func import grad, hessian, jacfwd, jacrev, jvp, vmap

from cellwright.backends.reference.ops import TORCH, matrices, number, surrogate
from cellwright.checks.tolerances import TOLERANCES, error
from cellwright.ir.ops import OPS

REFERENCE = TOLERANCES["reference", "float64"].bound
FOLDED = [op for op in OPS.values() if op.fold is not None]
NUMBERS = (-3.7, -2.0, -1.0, -0.3, 0.0, 0.1, 0.5, 1.0, 2.5, 40.0, 800.0)


def tensor(*values: float) -> Tensor:
    """Return a float64 vector."""
    return torch.tensor(values, dtype=torch.float64)


def apply(op: str, *args: Tensor, attr: object = None) -> Tensor:
    """Return one op of some tensors."""
    return TORCH[op](list(args), attr)


def test_every_op_has_a_row():
    """Each op that is computed has one row here, and no row is left over."""
    computed = {op.name for op in OPS.values() if op.kind not in ("leaf", "draw")}
    assert computed == TORCH.keys()


@pytest.mark.parametrize("op", FOLDED, ids=lambda op: op.name)
def test_folding_computes_what_torch_computes(op):
    """An op on numbers, folded at build time, is the op on tensors."""
    compared = 0
    for values in itertools.product(NUMBERS, repeat=op.arity):
        try:
            folded = op.fold(*values)
        except (ArithmeticError, ValueError):
            continue  # the builder leaves these to run time
        if not math.isfinite(folded):
            continue
        found = float(apply(op.name, *(tensor(v) for v in values)))
        bound = TOLERANCES["fold", "float64"].bound * max(1.0, abs(folded))
        assert abs(found - folded) <= bound, f"{op.name}{values}"
        compared += 1
    assert compared >= len(NUMBERS) // 2


def test_mod_has_the_sign_of_the_divisor_and_is_exact():
    """The rest is that of exact division: 1 % 0.1 is just below 0.1."""
    found = apply("mod", tensor(1, -1, 1, -7), tensor(0.1, 3, -3, 2.5))
    assert found.tolist() == [1 % 0.1, 2.0, -2.0, 0.5]
    assert found[0] > 0.09


@pytest.mark.parametrize("op", ["maximum", "minimum"])
def test_ties_share_the_gradient(op: str):
    """Equal arguments get half of the gradient each."""
    a, b = tensor(1.0).requires_grad_(), tensor(1.0).requires_grad_()
    one, other = torch.autograd.grad(apply(op, a, b), [a, b])
    assert one.item() == other.item() == 0.5


def test_row_max_shares_a_tie():
    """All entries that are largest share the gradient equally."""
    v = tensor(2, 5, 5, 1).requires_grad_()
    (slope,) = torch.autograd.grad(apply("row_max", v).sum(), v)
    assert slope.tolist() == [0, 0.5, 0.5, 0]


@pytest.mark.parametrize("op", ["relu", "abs"])
def test_slope_at_zero_is_zero(op: str):
    """At its kink the slope is 0."""
    v = tensor(0.0).requires_grad_()
    (slope,) = torch.autograd.grad(apply(op, v), v)
    assert slope.item() == 0


def test_softplus_is_exact_beyond_twenty():
    """No identity from 20 on, as torch's own softplus has it."""
    assert apply("softplus", tensor(21.0)).item() == 21 + math.log1p(math.exp(-21))


def test_where_tests_for_zero():
    """Any condition but 0 takes the first side, fractions and NaN included."""
    m = tensor(0, -0.0, 0.2, -1, math.nan)
    assert apply("where", m, tensor(1), tensor(2)).tolist() == [2, 2, 1, 1, 1]


def test_comparisons_keep_the_dtype():
    """0 or 1 in the dtype of the arguments, also beside a scalar."""
    for dtype in (torch.float16, torch.float32, torch.float64):
        v = torch.tensor([1.0, 3.0], dtype=dtype)
        found = apply("gt", v, torch.tensor(2.0, dtype=dtype))
        assert found.dtype == dtype
        assert found.tolist() == [0, 1]


@pytest.mark.parametrize("proxy", [0.3, 1e17, math.inf, -math.inf, math.nan])
def test_surrogate_has_exactly_the_value(proxy: float):
    """Whatever the proxy is, the value is the first argument's, bit by bit."""
    for value in (0.0, 1.0, 0.1):
        assert surrogate([tensor(value), tensor(proxy)], None).item() == value


def test_surrogate_has_the_proxys_gradient():
    """Nothing goes into the value, all of it into the proxy, summed where it spread."""
    value = tensor(1, 0, 1).requires_grad_()
    proxy = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
    result = surrogate([value, 2 * proxy], None).sum()
    slopes = torch.autograd.grad(result, [value, proxy], allow_unused=True)
    assert slopes[0] is None
    assert slopes[1].item() == 6


# torch scripts its own formulas at the first forward-mode derivative of a process.
@pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:DeprecationWarning")
def test_surrogate_under_function_transforms():
    """Forward, reverse, batched and second derivatives are the proxy's."""
    v = tensor(-0.5, 0.2, 0.9)

    def spiked(p: Tensor) -> Tensor:
        return surrogate([(p > 0).double(), torch.tanh(p)], None)

    slope = torch.diag(1 - torch.tanh(v) ** 2)
    assert error(jacrev(spiked)(v), slope) <= REFERENCE
    assert error(jacfwd(spiked)(v), slope) <= REFERENCE
    along = jvp(spiked, (v,), (torch.ones_like(v),))[1]
    assert error(along, slope.diag()) <= REFERENCE
    assert error(vmap(grad(spiked))(v), slope.diag()) <= REFERENCE
    second = torch.diag(-2 * torch.tanh(v) * slope.diag())
    assert error(hessian(lambda p: spiked(p).sum())(v), second) <= REFERENCE


def test_block_diagonal_product():
    """A weight of three sizes is the product with the matrix of its blocks."""
    blocks, v = torch.randn(3, 4, 2).double(), torch.randn(5, 6).double()
    whole = torch.block_diag(*blocks)
    assert error(apply("matmul", blocks, v), v @ whole.T) <= REFERENCE


def test_groups_and_repeats():
    """Groups are neighbours, and repeat puts an entry's copies side by side."""
    v = tensor(1, 2, 3, 4, 5, 9)
    assert apply("row_sum", v, attr=3).tolist() == [3, 7, 14]
    assert apply("row_max", v, attr=2).tolist() == [3, 9]
    assert apply("row_sum", v).tolist() == [24]
    assert apply("repeat", tensor(1, 2), attr=3).tolist() == [1, 1, 1, 2, 2, 2]


@pytest.mark.parametrize("rows", [0, 1, 4])
def test_vector_ops_take_any_batch(rows: int):
    """An empty batch is a batch, and what has no batch gets the other's."""
    v = torch.randn(rows, 6).double()
    assert apply("concat", v, tensor(1, 2)).shape == (rows, 8)
    assert apply("row_max", v, attr=2).shape == (rows, 2)
    assert apply("repeat", v, attr=2).shape == (rows, 12)
    assert apply("slice", v, attr=(2, 3)).shape == (rows, 3)
    assert apply("fill", v[:, :1], attr=(4,)).shape == (rows, 4)
    assert apply("matmul", torch.randn(2, 4, 3).double(), v).shape == (rows, 8)


def test_numbers_round_like_a_buffer():
    """A literal beyond float32 is infinite there, as a constant of the layer is."""
    like = torch.empty(0)
    assert number(1e308, (2,), like).tolist() == [math.inf, math.inf]
    assert number(3.4028235e38, (), like).item() == torch.finfo(torch.float32).max
    assert number(-math.inf, (), like.double()).item() == -math.inf
    assert number(0.1, (3,), like.half()).dtype == torch.float16
    assert number(0.1, (3,), like.to("meta")).device.type == "meta"


def test_matrices_are_filled_block_by_block():
    """Each block of a weight of three sizes is orthogonal by itself."""
    found = matrices(torch.nn.init.orthogonal_, torch.empty(3, 4, 4).double())
    for block in found:
        assert error(block @ block.T, torch.eye(4)) <= REFERENCE
    assert error(found[0], found[1]) > REFERENCE
