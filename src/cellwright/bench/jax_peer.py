"""JAX as a peer: the step under ``lax.scan``, compiled, where JAX is installed.

XLA chooses its own number of threads; on a machine whose cores are all used that is
torch's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from .contender import Compute, Contender, Sequence
from .errors import AbsentError
from .registry import FORWARD, JAX

Values = Mapping[str, Tensor]


def package() -> Any:
    """Import JAX.

    Raises:
        AbsentError: it is not installed.
    """
    try:
        import jax  # noqa: PLC0415  # nothing else needs it  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise AbsentError(f"{error}; fix: pip install jax") from error
    return jax


def _lstm(jax: Any, states: Any, wx: Any, u: Any, d: Any) -> Any:
    h, c = states
    i, f, g, o = jax.numpy.split(wx + h @ u.T + d, 4, axis=1)
    c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jax.numpy.tanh(g)
    return jax.nn.sigmoid(o) * jax.numpy.tanh(c), c


def _gru(jax: Any, states: Any, wx: Any, u: Any, d: Any) -> Any:
    (h,) = states
    a_r, a_z, a_n = jax.numpy.split(wx, 3, axis=1)
    r, z, n = jax.numpy.split(h @ u.T + d, 3, axis=1)
    z = jax.nn.sigmoid(a_z + z)
    n = jax.numpy.tanh(a_n + jax.nn.sigmoid(a_r + r) * n)
    return ((1 - z) * n + z * h,)


def _elman(jax: Any, states: Any, wx: Any, u: Any, d: Any) -> Any:
    (h,) = states
    return (jax.numpy.tanh(wx + h @ u.T + d),)


STEPS: Mapping[str, tuple[Callable[..., Any], int]] = {
    "lstm": (_lstm, 2),
    "gru": (_gru, 1),
    "elman": (_elman, 1),
}
"""By cell, its step on torch's weights, and how many states it has."""


def contender(
    cell: str, layer: nn.RNNBase, given: Sequence, expected: Compute
) -> Contender:
    """Return a compiled scan with the weights of a layer.

    Args:
        cell: lstm, gru or elman.
        layer: of torch.nn.
        given: what it reads.
        expected: what it should compute.
    """
    jax = package()
    step, states = STEPS[cell]
    named = layer.named_parameters()
    weights = {n.removesuffix("_l0"): jax.numpy.asarray(p.detach()) for n, p in named}
    shape = given.shape
    gradient = given.dy(torch.empty(shape.T, shape.B, shape.H))
    x, dy = (jax.numpy.asarray(tensor.numpy()) for tensor in (given.x, gradient))

    def forward(w: Any, x: Any) -> Any:
        def one(states: Any, wx: Any) -> Any:
            states = step(jax, states, wx, w["weight_hh"], w["bias_hh"])
            return states, states[0]

        first = jax.numpy.zeros((x.shape[1], given.shape.H))
        products = x @ w["weight_ih"].T + w["bias_ih"]
        return jax.lax.scan(one, (first,) * states, products)[1]

    def train(w: Any, x: Any, dy: Any) -> Any:
        output, back = jax.vjp(lambda w: forward(w, x), w)
        return output, back(dy)[0]

    def infer(w: Any, x: Any, _: Any) -> Any:
        return forward(w, x), {}

    run = jax.jit(infer if given.what == FORWARD else train)

    def compute(steps: int) -> Values:
        output, slopes = run(weights, x[:steps], dy[:steps])
        found = {"output": output, **{f"{n}_l0": v for n, v in slopes.items()}}
        return {name: torch.tensor(value.tolist()) for name, value in found.items()}

    return Contender(
        JAX,
        lambda: jax.block_until_ready(run(weights, x, dy)),
        compute=compute,
        expected=expected,
    )
