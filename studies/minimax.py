"""The coefficients of a kernel's functions: best approximations in relative error.

``python studies/minimax.py`` writes ``coefficients.h`` of the C backend. A table is a
polynomial, or a polynomial over another one, whose largest relative error on an
interval is the least that one with so many terms can have: the error then takes its
largest size, with changing sign, in as many points as there are coefficients and one,
which Remez' exchange looks for (E. Ya. Remez, 1934; for quotients W. Fraser and J. F.
Hart, 1962, "On the computation of rational approximations to continuous functions").
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from mpmath import log, log1p, lu_solve, matrix, mp, mpf, nstr, sqrt, tanh

Number = Any
"""A number of mpmath, which has no types."""
C_BACKEND = Path(__file__).parent.parent / "src" / "cellwright" / "backends" / "c"
HEADER = C_BACKEND / "coefficients.h"
DIGITS = 40
POINTS = 1_000
"""Where the error is looked at, to find where it is largest."""
ROUNDS = 30
TANH_SLOPE = mpf(21) / 128
"""A part of tanh(x) / x, so that what is rounded in the quotient counts less. It and 1
less it have few digits: for small x, tanh(x) is x. Of the multiples of 1 / 256 from
1 / 16 to 1 / 6 it leaves the smallest error of all floats: 2.61e-7, and 2.76e-7 where
no multiply-add is fused."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A function, where it is approximated, and by how many terms in each dtype.

    Zero terms under the line mean a polynomial. The function f is the rest of another
    one, `begins(x) + behind(x) f(x)`, whose relative error is what counts. With a
    `slope`, the table is of ``1 + x f(x)`` less that, and `high` is told.
    """

    name: str
    what: str
    function: Callable[[Number], Number]
    low: Number
    high: Number
    terms: dict[str, tuple[int, int]]
    begins: Callable[[Number], Number]
    behind: Callable[[Number], Number]
    slope: Number | None = None

    def share(self, x: Number) -> Number:
        """Return the part that the rest is of the whole."""
        rest = self.behind(x) * self.function(x)
        return rest / (self.begins(x) + rest)


def exp_rest(r: Number) -> Number:
    """Return (exp(r) - 1 - r) / r**2."""
    return (mp.exp(r) - 1 - r) / r**2


def atanh_rest(square: Number) -> Number:
    """Return (atanh(s) / s - 1) / s**2 for s**2."""
    return (mp.atanh(sqrt(square)) / sqrt(square) - 1) / square


def tanh_rest(square: Number) -> Number:
    """Return (tanh(x) / x - 1) / x**2 for x**2."""
    return (tanh(sqrt(square)) / sqrt(square) - 1) / square


def log1p_rest(z: Number) -> Number:
    """Return (log(1 + z) / z - 1) / z."""
    return (log1p(z) / z - 1) / z


def one(_: Number) -> Number:
    """Return what most functions here begin with, over x."""
    return mpf(1)


def same(x: Number) -> Number:
    """Return the power of x that the rest belongs to."""
    return x


def wanted(dtype: str) -> Sequence[Wanted]:
    """Return all that there is a table for."""
    half = log(2) / 2 * mpf("1.0001")
    # log(m) for m from sqrt(1/2) to sqrt(2) is 2 atanh((m - 1) / (m + 1)).
    square = ((sqrt(mpf(2)) - 1) / (sqrt(mpf(2)) + 1)) ** 2 * mpf("1.0001")
    # Where tanh is nearer to 1 than any number below 1.
    end = {"float": mpf("9.05"), "double": mpf("19.1")}[dtype]
    return (
        Wanted(
            "EXP_REST",
            "(exp(r) - 1 - r) / r**2 for |r| <= log(2) / 2",
            exp_rest,
            -half,
            # No middle at 0, where the rest does not count.
            half * mpf("1.0001"),
            {"float": (5, 0), "double": (10, 0)},
            lambda r: 1 + r,
            lambda r: r**2,
        ),
        Wanted(
            "ATANH_REST",
            "(atanh(s) / s - 1) / s**2 by s**2, for s**2 <= 0.0295",
            atanh_rest,
            mpf(0),
            square,
            {"float": (3, 0), "double": (7, 0)},
            one,
            same,
        ),
        Wanted(
            "TANH",
            f"tanh(x) / x less the slope, by x**2, for |x| <= {nstr(end, 4)}",
            tanh_rest,
            mpf(0),
            end**2,
            {"float": (4, 5), "double": (9, 10)},
            one,
            same,
            TANH_SLOPE,
        ),
        Wanted(
            "LOG1P_REST",
            "(log(1 + z) / z - 1) / z for 0 <= z <= 1",
            log1p_rest,
            mpf(0),
            mpf(1),
            {"float": (3, 4), "double": (6, 7)},
            one,
            same,
        ),
    )


@dataclass(frozen=True, slots=True)
class Quotient:
    """An approximation: coefficients over and under the line, and its relative error.

    They belong to powers of ``x / scale``; the first one under the line is 1.
    """

    over: Sequence[Number]
    under: Sequence[Number]
    scale: Number
    error: Number

    def __call__(self, x: Number) -> Number:
        """Return its value at x."""
        above = mp.polyval(list(reversed(self.over)), x / self.scale)
        return above / mp.polyval(list(reversed(self.under)), x / self.scale)


def chebyshev(low: Number, high: Number, count: int) -> list[Number]:
    """Return points that lie the closer, the nearer to the ends."""
    at = (mp.cos(mp.pi * (2 * i + 1) / (2 * count)) for i in range(count))
    return [(low + high - (high - low) * each) / 2 for each in at]


def through(task: Wanted, points: Sequence[Number], over: int, under: int) -> Quotient:
    """Return the quotient whose errors in the points are of one size, signs changing.

    P / (Q f) - 1 is the error over the share that f has of the whole. That has products
    of the error and the coefficients under the line: they are made linear about the
    last solution, until it stays.
    """
    count, scale = len(points), max(abs(task.low), abs(task.high))
    error, below, solution = mpf(0), [mpf(1), *[mpf(0)] * (under - 1)], []
    for _ in range(ROUNDS):
        rows, right = matrix(count, count), matrix(count, 1)
        for i, x in enumerate(points):
            s, f, sign = x / scale, task.function(x), (-1) ** i / task.share(x)
            last = mp.polyval(list(reversed(below)), s)
            for j in range(over):
                rows[i, j] = s**j / f
            for j in range(1, under):
                rows[i, over + j - 1] = -(s**j) * (1 + sign * error)
            rows[i, count - 1] = -sign * last
            right[i] = 1 + sign * error - sign * error * last
        solution = list(lu_solve(rows, right))
        moved = abs(solution[-1] - error)
        error, below = solution[-1], [mpf(1), *solution[over:-1]]
        if moved <= abs(error) * mpf(10) ** -20:
            break
    return Quotient(solution[:over], below, scale, abs(error))


def extrema(task: Wanted, found: Quotient) -> list[tuple[Number, Number]]:
    """Return where the relative error is largest between its zeros, and how large."""
    result: list[tuple[Number, Number]] = []
    for x in chebyshev(task.low, task.high, POINTS):
        error = (found(x) / task.function(x) - 1) * task.share(x)
        if not result or (error > 0) != (result[-1][1] > 0):
            result.append((x, error))
        elif abs(error) > abs(result[-1][1]):
            result[-1] = x, error
    return result


def best(task: Wanted, dtype: str) -> Quotient:
    """Return the best approximation with a number of terms.

    Raises:
        ArithmeticError: the exchange does not end.
    """
    over, under = task.terms[dtype]
    under = max(under, 1)
    points = chebyshev(task.low, task.high, over + under)
    for _ in range(ROUNDS):
        found = through(task, points, over, under)
        peaks = extrema(task, found)
        if len(peaks) < len(points):
            break
        while len(peaks) > len(points):
            peaks.pop(0 if abs(peaks[0][1]) < abs(peaks[-1][1]) else -1)
        points = [x for x, _ in peaks]
        if max(abs(error) for _, error in peaks) < found.error * mpf("1.001"):
            return found
    raise ArithmeticError(f"{task.name}, {dtype}: no best approximation found")


def table(name: str, coefficients: Sequence[Number], scale: Number, dtype: str) -> str:
    """Return a table of coefficients as C."""
    digits, suffix = {"float": (9, "f"), "double": (17, "")}[dtype]
    shown = partial(nstr, n=digits, min_fixed=-1, max_fixed=1)
    numbers = [f"{shown(c / scale**k)}{suffix}" for k, c in enumerate(coefficients)]
    lines = "".join(f"    {each},\n" for each in numbers)
    return f"static const real {name}[] UNUSED = {{\n{lines}}};\n"


def tables(dtype: str) -> str:
    """Return all tables of a dtype as C."""
    with mp.workdps(DIGITS):
        return "".join(tables_of(task, dtype) for task in wanted(dtype))


def tables_of(task: Wanted, dtype: str) -> str:
    """Return the tables of one function as C."""
    found = best(task, dtype)
    over, under, scale = found.over, found.under, found.scale
    text = f"/* {task.what}: {nstr(found.error, 2)} */\n"
    if len(under) == 1:
        return text + table(task.name, over, scale, dtype)
    if task.slope is not None:
        text += f"#define {task.name}_SLOPE ((real){nstr(task.slope, 17)})\n"
        text += f"#define {task.name}_END ((real){nstr(task.high, 17)})\n"
        over = [(1 - task.slope) * q for q in under]
        for k, p in enumerate(found.over):
            over[k + 1] += scale * p
    text += table(f"{task.name}_OVER", over, scale, dtype)
    scaled_up = [q / scale for q in under[1:]]
    return text + table(f"{task.name}_UNDER", scaled_up, scale, dtype)


def header() -> str:
    """Return the whole file."""
    return f"""\
/* Best approximations, the lowest power first, as studies/minimax.py writes them, and
 * what relative error each leaves in the function that it is for. A 1 that every table
 * under a line begins with is left out. Goes between vectors.h and functions.h. */
#define UNUSED __attribute__((unused))

#if CW_DOUBLE
{tables("double")}#else
{tables("float")}#endif
"""


if __name__ == "__main__":
    HEADER.write_text(header(), encoding="utf-8")
