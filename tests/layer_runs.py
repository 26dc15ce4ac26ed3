"""Run layers with cotangents on everything they return, and compare what comes out."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from cellwright.checks.tolerances import TOLERANCES, error


def states_of(state: Tensor | Sequence[Tensor]) -> list[Tensor]:
    """Return one or more states as a list."""
    return [state] if isinstance(state, Tensor) else list(state)


def outcome(
    layer: nn.Module, x: Tensor, hx: Sequence[Tensor] | None, **inputs: Tensor
) -> dict[str, Tensor]:
    """Return output, states and all gradients, for fixed random cotangents."""
    x = x.clone().requires_grad_()
    first = [state.clone().requires_grad_() for state in hx or ()]
    given = None if hx is None else first[0] if len(first) == 1 else tuple(first)
    output, state = layer(x, given, **inputs)
    found = {"output": output}
    found |= {f"last {i}": each for i, each in enumerate(states_of(state))}
    draws = torch.Generator().manual_seed(11)
    loss = torch.zeros((), dtype=torch.float64)
    for value in found.values():
        cotangent = torch.randn(value.shape, generator=draws, dtype=torch.float64)
        loss = loss + (value * cotangent).sum()
    wrt = {"x": x, **{f"first {i}": s for i, s in enumerate(first)}}
    wrt |= dict(layer.named_parameters())
    grads = torch.autograd.grad(loss, list(wrt.values()), materialize_grads=True)
    found |= {f"gradient of {n}": g for n, g in zip(wrt, grads, strict=True)}
    return {name: value.detach() for name, value in found.items()}


def assert_same(
    actual: Mapping[str, Tensor],
    expected: Mapping[str, Tensor],
    kind: str = "reference",
    dtype: str = "float64",
) -> None:
    """Fail with the names of all quantities that differ."""
    assert actual.keys() == expected.keys()
    bound = TOLERANCES[kind, dtype].bound
    apart = {name: error(actual[name], expected[name]) for name in expected}
    assert {n: e for n, e in apart.items() if not e <= bound} == {}
