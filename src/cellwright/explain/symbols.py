r"""The names of a cell as LaTeX symbols: ``W_i`` is $W_{i}$, ``c'`` is $c_t$.

A value of the step carries $t$, a state before it $t-1$; a value of a micro-step
carries the micro-step's number above it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from cellwright.ir.graph import Binding, Graph, bindings
from cellwright.ir.sizes import Shape
from cellwright.language.cell import Cell

from .counts import LETTERS

PRIME = "ʹ"
"""The prime of a name in the parse of an expression."""

_GREEK = frozenset(
    {
        *("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta"),
        *("iota", "kappa", "lambda", "mu", "nu", "xi", "pi", "rho", "sigma", "tau"),
        *("upsilon", "phi", "chi", "psi", "omega", "Gamma", "Delta", "Theta"),
        *("Lambda", "Xi", "Pi", "Sigma", "Upsilon", "Phi", "Psi", "Omega"),
    }
)
_SHORT = {"eps": "epsilon"}


@dataclass(frozen=True, slots=True)
class Symbols:
    """What each name of a cell is, for its symbol.

    Args:
        states: the states.
        steps: inputs and values, which differ from step to step.
        inside: what stands once for each micro-step, without primes.
        carried: what goes from micro-step to micro-step, without primes.
        sizes: sizes and counts.
        shapes: shapes of names with their primes, where they are known.
        index: the running index of the for block; empty without one.
        first: its first value.
        last: the name of its count.
        letters: sizes that are a letter of the field.
        time_before: the time below a state's value before the step.
    """

    states: frozenset[str]
    steps: frozenset[str]
    inside: frozenset[str]
    carried: frozenset[str]
    sizes: frozenset[str]
    shapes: dict[str, Shape]
    index: str = ""
    first: int = 1
    last: str = ""
    letters: frozenset[str] = frozenset(LETTERS)
    time_before: str = "t-1"

    def symbol(self, name: str, in_block: bool) -> str:
        """Return the symbol of a name, with its prime, seen from an equation.

        Args:
            name: the name as it is written.
            in_block: whether the equation stands in the for block.
        """
        bare, primed = name.removesuffix("'"), name.endswith("'")
        if in_block and bare == self.index:
            return bare
        if bare in self.sizes:
            return self.size(bare)
        above = self._micro_step(bare, primed, in_block)
        if above and bare not in self.steps | self.states | self.carried:
            return symbol(bare, above=above)  # a weight of its own in each micro-step
        if above or primed or bare in self.steps:
            return symbol(bare, "t", above)
        return symbol(bare, self.time_before) if bare in self.states else symbol(bare)

    def size(self, name: str) -> str:
        """Return the LaTeX of a size: its letter, or its name upright."""
        return LETTERS[name] if name in self.letters else _size_word(name)

    def is_scalar(self, name: str) -> bool:
        """Whether a name is one number at each step; what is unknown is a vector."""
        bare = name.removesuffix("'")
        if bare in self.sizes or bare == self.index:
            return True
        return self.shapes.get(name, self.shapes.get(bare)) == ()

    def _micro_step(self, bare: str, primed: bool, in_block: bool) -> str:
        if bare in self.carried:
            if in_block:
                return self.index if primed else f"{self.index}-1"
            if bare in self.states:
                return ""
            return self.size(self.last) if primed else str(self.first - 1)
        return self.index if in_block and bare in self.inside else ""


def symbols(cell: Cell) -> Symbols:
    """Return the symbols of a cell."""
    graph = cell.graph
    equations = cell.equations
    written = {name for e in equations for name in e.names}
    values = {name.removesuffix("'") for name in written}
    in_block = [e for e in equations if e.in_block]
    inside = {name for e in in_block for name in e.names}
    inside |= {n for d in cell.declarations if d.in_block for n in d.names}
    head = re.match(r"for\s+(\w+)\s+in\s+(\d+)\s*\.\.\s*(\w+)", cell.block)
    index, first, last = head.groups() if head else ("", "1", "")
    declared = {
        n for d in cell.declarations if d.kind in ("size", "count") for n in d.names
    }
    states = frozenset(state.name for state in graph.states)
    names = {*values, *(n for d in cell.declarations for n in d.names)}
    taken = {LETTERS[size] for size in LETTERS if LETTERS[size] in names}
    return Symbols(
        states=states,
        steps=frozenset(
            {i.name for i in graph.inputs} | (values - states - _fixed(graph))
        ),
        inside=frozenset(name.removesuffix("'") for name in inside),
        carried=frozenset(n.removesuffix("'") for n in inside if n.endswith("'")),
        sizes=frozenset({*LETTERS, *declared}),
        shapes=_shapes(graph, int(first)),
        index=index,
        first=int(first),
        last=last,
        letters=frozenset(size for size in LETTERS if LETTERS[size] not in taken),
    )


def symbol(name: str, time: str = "", above: str = "") -> str:
    r"""Return the LaTeX of one name.

    Args:
        name: without its prime.
        time: what stands last below, ``t`` or ``t-1``.
        above: number of the micro-step.

    Example:
        >>> symbol("W_i"), symbol("h", "t-1"), symbol("i_last", "t"), symbol("tau")
        ('W_{i}', 'h_{t-1}', 'i_{\\mathrm{last},t}', '\\tau')
    """
    stem, *parts = name.split("_")
    digits = re.fullmatch(r"([A-Za-z]+)(\d+)", stem)
    if digits:
        stem, parts = digits[1], [digits[2], *parts]
    below = [_word(part) for part in parts if part] + ([time] if time else [])
    text = _word(stem)
    if below:
        text += "_{" + ",".join(below) + "}"
    return text + (f"^{{({above})}}" if above else "")


def _size_word(name: str) -> str:
    what = name.removesuffix("_size")
    if what != name and what:  # N_proj is shorter below and above than proj_size is
        return "N_{" + _word(what) + "}"
    return _word(name)


def _word(word: str) -> str:
    word = _SHORT.get(word, word)
    if word in _GREEK:
        return "\\" + word
    escaped = word.replace("_", r"\_")
    return word if len(word) == 1 or word.isdigit() else rf"\mathrm{{{escaped}}}"


def _fixed(graph: Graph) -> set[str]:
    """Return values that are the same at every step; a gate that is 1 is still one."""
    times = bindings(graph)
    return {
        value.name
        for value in graph.values
        if times[value.node] == Binding.WEIGHTS
        and graph.nodes[value.node].op != "const"
    }


def _shapes(graph: Graph, first: int) -> dict[str, Shape]:
    rows = (*graph.inputs, *graph.states, *graph.parameters, *graph.constants)
    shapes = {row.name: row.shape for row in rows}
    for value in graph.values:
        shapes[value.name] = graph.nodes[value.node].shape
    # In the graph n of micro-step 2 is n_2; every micro-step has the same shapes.
    suffix = f"_{first}"
    for name in [name for name in shapes if name.endswith(suffix)]:
        shapes.setdefault(name.removesuffix(suffix), shapes[name])
    return shapes
