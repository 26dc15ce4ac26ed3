"""A sum takes a product in one step where the text says so, not where it suits."""

import pytest
import torch

import cellwright as cw
from cellwright.backends.c.toolchain import FLAGS
from cellwright.cells import find
from cellwright.compiler.plan import pipeline
from many_kernels import sources_of

ONE_VECTOR = """
input    x [hidden_size]
state    c [hidden_size]
output   c'
a = tanh(c)
b = exp(c)
d = abs(c)
e = relu(x)
c' = ({}) / (a + b + d + e)
"""
FUSED = {
    "a * b + d": "fused(a_, b_, d_)",
    "d + a * b": "fused(a_, b_, d_)",
    "a * b - d": "fused(a_, b_, -d_)",
    "d - a * b": "fused(-a_, b_, d_)",
    "a * b + d * e": "fused(a_, b_, d_ * e_)",
    "d * e - a * b": "fused(d_, e_, -(a_ * b_))",
    "a * b * d + e": "fused(a_ * b_, d_, e_)",
    "(a * b + d) * e + d": "fused(fused(a_, b_, d_), e_, d_)",
    "-a * b + d": "fused(-a_, b_, d_)",
    "d - (-a) * b": "fused(-(-a_), b_, d_)",
    "a / b + d": "a_ / b_ + d_",
    "exp(a * b) + d": "v_exp(a_ * b_) + d_",
}
"""How a sum is written, by its equation."""
LEAKY_CELL = """
input    x [input_size]
state    c [hidden_size]
weight   W [hidden_size, input_size]
weight   U [hidden_size, hidden_size]
bias     p, q [hidden_size]
output   c'
z = W @ x + q
"""
LEAKY = [
    "c' = 0.29 * c + 0.1 * tanh(z + U @ c + p)",
    "c' = c + 0.1 * tanh(z + U @ c + p)",
    "a = exp(z)\nc' = a * c - 0.1 * tanh(U @ c + p)",
    "c' = 0.5 * c + 0.1 * tanh(z + mean(c) + U @ c + p)",
    "a = tanh(U @ c + p) * tanh(z)\nc' = a + p * tanh(a)",
    "a = tanh(U @ c + p) * tanh(z)\nc' = a + p * layer_norm(c + a)",
]
"""Cells of which a training call stores other values than one without gradients."""


@pytest.mark.parametrize("said", FUSED)
def test_how_a_sum_is_written(said: str):
    """The first product that it reads is taken, whatever its sign and place."""
    graph = find(ONE_VECTOR.format(said)).graph
    (ahead,) = [*sources_of(pipeline(graph, gradients="none"))][:1]
    assert f"= ({FUSED[said]}) /" in ahead.step or f"= {FUSED[said]} /" in ahead.step


@pytest.mark.parametrize("equations", LEAKY)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gradients_cost_no_bit(equations: str, dtype: torch.dtype):
    """What is kept for a backward pass does not change what is put out."""
    layer = cw.nn.Recurrent(LEAKY_CELL + equations, 5, 21, backend="c", dtype=dtype)
    torch.manual_seed(0)
    with torch.no_grad():
        for weight in layer.parameters():
            weight.normal_()
    x = torch.randn(12, 3, 5, dtype=dtype)
    with torch.no_grad():
        alone = layer(x)[0]
    assert torch.equal(layer(x)[0], alone)
    assert torch.equal(layer(x.requires_grad_())[0], alone)


def test_compilers_fuse_nothing_on_their_own():
    """They would where nobody else reads a product, and in one block alone."""
    assert "-ffp-contract=off" in FLAGS
