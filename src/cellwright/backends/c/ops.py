"""What each elementwise op is in C, on one vector: one row an op.

The functions stand in `functions.h`, `choose` and `one_if` in `vectors.h`.
"""

from __future__ import annotations

from dataclasses import dataclass

COMPARED, SUM, PRODUCT, PREFIX, CALL = 1, 2, 3, 4, 5
"""How strongly a form binds, loosest first."""


@dataclass(frozen=True, slots=True)
class Form:
    """How an op is written.

    Args:
        text: with ``{}`` for each argument.
        strength: of the whole.
        args: how strong each argument has to be to stand there without parentheses.
        mask: whether the result is a mask of lanes rather than numbers.
    """

    text: str
    strength: int
    args: tuple[int, ...]
    mask: bool = False


def _infix(sign: str, strength: int) -> Form:
    return Form(f"{{}} {sign} {{}}", strength, (strength, strength + 1))


def _compare(sign: str) -> Form:
    return Form(f"{{}} {sign} {{}}", COMPARED, (SUM, SUM), mask=True)


def _call(name: str, arity: int = 1) -> Form:
    return Form(f"{name}({', '.join(['{}'] * arity)})", CALL, (0,) * arity)


C: dict[str, Form] = {
    "add": _infix("+", SUM),
    "sub": _infix("-", SUM),
    "mul": _infix("*", PRODUCT),
    "div": _infix("/", PRODUCT),
    "mod": _call("v_mod", 2),
    "power": _call("v_power", 2),
    "neg": Form("-{}", PREFIX, (PREFIX,)),
    "lt": _compare("<"),
    "le": _compare("<="),
    "gt": _compare(">"),
    "ge": _compare(">="),
    "eq": _compare("=="),
    "ne": _compare("!="),
    "sigmoid": _call("v_sigmoid"),
    "tanh": _call("v_tanh"),
    "relu": _call("v_relu"),
    "exp": _call("v_exp"),
    "log": _call("v_log"),
    "sqrt": _call("v_sqrt"),
    "abs": _call("v_abs"),
    "floor": _call("v_floor"),
    "sin": _call("v_sin"),
    "cos": _call("v_cos"),
    "softplus": _call("v_softplus"),
    "log_sigmoid": _call("v_log_sigmoid"),
    "maximum": _call("v_max", 2),
    "minimum": _call("v_min", 2),
    "where": _call("choose", 3),
    # The proxy has a say in the backward graph only.
    "surrogate": Form("{}", CALL, (CALL,)),
}

SUMS = ("add", "sub")
"""Ops that take a product with them, as `fused` does."""

WHOLE = {
    "row_sum": "row_sum",
    "row_max": "row_max",
    "concat": "row_copy",
    "repeat": "row_repeat",
}
"""Ops on a whole vector, as functions of `rows.h`."""
