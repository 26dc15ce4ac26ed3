"""The equations of a cell as LaTeX, for a paper: an ``align`` and its legend."""

from __future__ import annotations

import ast
import re
from dataclasses import replace

from cellwright.ir.sizes import Shape, Size
from cellwright.language.cell import Cell
from cellwright.language.views import DeclarationView, EquationView

from .formula_printer import Printer
from .symbols import PRIME, Symbols, size_text, size_word, symbol, symbols

_ESCAPES = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"$<$",
    ">": r"$>$",
} | {character: "\\" + character for character in "#$%&_{}"}

_NOTES = {
    r"\odot": r"$\odot$ is the elementwise product",
    r"\sigma(": r"$\sigma(v) = 1 / (1 + e^{-v})$",
    r"\operatorname{surrogate}": (
        r"$\operatorname{surrogate}(v, p)$ has the value of $v$ and the gradient of $p$"
    ),
    r"\operatorname{stopgrad}": (
        r"$\operatorname{stopgrad}(v)$ is $v$ without its gradient"
    ),
}


def latex(cell: Cell) -> str:
    r"""Return a cell's equations as LaTeX; it needs the package amsmath only.

    Args:
        cell: the cell; bases are laid under it.

    Returns:
        An ``align`` environment, descriptions beside the equations, and a sentence that
        says what each symbol is, with its size.

    Example:
        >>> import cellwright as cw
        >>> print(latex(cw.cells.load("elman")).splitlines()[3])
        h_{t} &= \tanh(W x_{t} + U h_{t-1} + b) && \text{hidden state}
    """
    known = symbols(cell)
    rows = _rows(cell, known)
    references = [line for line in cell.references if line != cell.title]
    head = [f"% {cell.name}: {cell.title}", *(f"% {line}" for line in references)]
    body = [*head, r"\begin{align}", " \\\\\n".join(rows), r"\end{align}"]
    body += _legend(cell, known, "\n".join(rows))
    return "\n".join(body) + "\n"


def escape(text: str) -> str:
    r"""Return text whose special characters LaTeX prints as they are.

    Example:
        >>> escape("100 % of W_i")
        '100 \\% of W\\_i'
    """
    return "".join(_ESCAPES.get(character, character) for character in text)


def _rows(cell: Cell, known: Symbols) -> list[str]:
    """Return the rows of the environment, the for block where it stands."""
    states = sorted(known.carried & known.states)
    last = size_word(known.last)
    rows: list[str] = []
    inside = False
    for equation in cell.equations:
        if equation.in_block and not inside:
            before = str(known.first - 1)
            rows += [
                f"{symbol(name, 't', before)} &= {symbol(name, 't-1')}"
                for name in states
            ]
            span = rf"{known.index} = {known.first}, \dots, {last}"
            rows.append(rf"&\text{{for }} {span}\text{{:}}")
        inside = equation.in_block
        rows.append(_row(equation, known))
    rows += [f"{symbol(n, 't')} &= {symbol(n, 't', last)}" for n in states]
    return rows


def _row(equation: EquationView, known: Symbols) -> str:
    names = [known.symbol(name, equation.in_block) for name in equation.names]
    left = r";\, ".join(names)
    if len(names) > 1:
        left = rf"\left[{left}\right]"
    right = Printer(known, equation.in_block).text(equation.tree)
    note = (
        rf" && \text{{{escape(equation.description)}}}" if equation.description else ""
    )
    return f"{left} &= {right}{note}"


def _legend(cell: Cell, known: Symbols, rows: str) -> list[str]:
    """Return the sentence below the equations: symbols with sizes, first values."""
    parts = [_declared(declaration, known) for declaration in cell.declarations]
    parts += [note for mark, note in _NOTES.items() if mark in rows]
    if any(len(p.shape) == 3 for p in cell.graph.parameters):
        parts.append(
            "a weight of three sizes is block-diagonal, one block after another"
        )
    parts.append("$I$ is the size of the input and $H$ that of the hidden state")
    return ["where", ";\n".join(parts) + "."]


def _declared(declaration: DeclarationView, known: Symbols) -> str:
    kind, names = declaration.kind, declaration.names
    if kind in ("size", "count"):
        value = f" = {_value(declaration, known)}" if declaration.value else ""
        return ", ".join(f"${size_word(name)}{value}$" for name in names)
    # Primed, so that states and inputs carry t and what a micro-step owns its number.
    prime = "'" if kind == "state" else ""
    shown = [known.symbol(name + prime, declaration.in_block) for name in names]
    shape = known.shapes.get(names[0], ())
    word = f"the {kind if len(names) == 1 else _plural(kind)}"
    text = rf"{word} ${', '.join(shown)} \in {_space(shape)}$"
    if kind == "state":
        first = _value(declaration, known) if declaration.value else "0"
        symbols = [symbol(name, "0") for name in names]
        if symbols == [first]:  # a parameter that is called as the first state is
            return f"{text} with first value ${first}$"
        return f"{text} with ${' = '.join(symbols)} = {first}$"
    if kind == "constant":
        below = "".join(_indices(declaration))
        entries = [f"{{{s}}}_{{{below}}}" if below else s for s in shown]
        value = f"{' = '.join(entries)} = {_value(declaration, known)}"
        return f"{text} with ${value}$" if shape else f"{word} ${value}$"
    return text


def _plural(kind: str) -> str:
    return "biases" if kind == "bias" else kind + "s"


def _value(declaration: DeclarationView, known: Symbols) -> str:
    """Return what stands behind the = of a declaration: there h is h_0."""
    indices = frozenset(_indices(declaration))
    first = replace(known, steps=known.steps - indices, states=known.states - indices)
    if declaration.kind == "state":
        first = replace(first, time_before="0")
    tree = ast.parse(declaration.value.replace("'", PRIME), mode="eval").body
    return Printer(first, declaration.in_block).text(tree)


def _indices(declaration: DeclarationView) -> list[str]:
    return re.findall(r"([A-Za-z]\w*)\s*:", declaration.shape)


def _space(shape: Shape) -> str:
    if not shape:
        return r"\mathbf{R}"
    sizes = r" \times ".join(_factor(size) for size in shape)
    return rf"\mathbf{{R}}^{{{sizes}}}"


def _factor(size: Size) -> str:
    text = size_text(size)
    return f"({text})" if len(size.terms) > 1 or "/" in text else text
