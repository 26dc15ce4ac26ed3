"""A sum takes a product in one step where the text says so, not where it suits."""

import pytest
import torch

import cellwright as cw
from cellwright.backends.c.toolchain import FLAGS
from cellwright.cells import find
from cellwright.compiler.plan import pipeline
from many_kernels import source_of

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
    "a = tanh(U @ c + p) * tanh(z)\nc' = a + tanh(p)",
    "a = tanh(U @ c + p) * tanh(z)\nc' = a + p * layer_norm(c + a)",
]
"""Cells of which a training call stores other values than one without gradients."""


@pytest.mark.parametrize("said", FUSED)
def test_how_a_sum_is_written(said: str):
    """The first product that it reads is taken, whatever its sign and place."""
    graph = find(ONE_VECTOR.format(said)).graph
    step = source_of(pipeline(graph, gradients="none"), "forward").step
    assert f"= ({FUSED[said]}) /" in step or f"= {FUSED[said]} /" in step


@pytest.mark.parametrize(
    "said",
    [
        "a * b - floor(a * b)",
        "a * b - maximum(a * b, d)",
        "where(a * b > d, sqrt(a * b - d), e)",
        "a * b + tanh(a * b)",
        "a * b - a * b * d / (1 + d)",
    ],
)
def test_a_product_that_others_read_is_rounded(said: str):
    """It is one number: what is left of it above its floor is none below 0."""
    graph = find(ONE_VECTOR.format(said)).graph
    step = source_of(pipeline(graph, gradients="none"), "forward").step
    assert "fused(" not in step
    assert "a_ * b_" in step


@pytest.mark.parametrize("equations", LEAKY)
def test_gradients_cost_no_bit(equations: str):
    """What is kept for a backward pass does not change what is put out."""
    layer = cw.nn.Recurrent(LEAKY_CELL + equations, 5, 21, backend="c")
    torch.manual_seed(0)
    with torch.no_grad():
        for weight in layer.parameters():
            weight.normal_()
    for rows in (3, 1):
        x = torch.randn(12, rows, 5)
        with torch.no_grad():
            alone = layer(x)
        for each in (x, x.requires_grad_()):
            assert all(map(torch.equal, layer(each), alone))


def test_compilers_fuse_nothing_on_their_own():
    """They would where nobody else reads a product, and in one block alone."""
    assert "-ffp-contract=off" in FLAGS
