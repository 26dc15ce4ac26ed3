"""What stands below the equations: each symbol with its size and first value."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import replace

from cellwright.language.cell import Cell
from cellwright.language.views import DeclarationView, EquationView

from .formula_printer import Printer
from .latex_notes import notes
from .latex_text import escape
from .symbols import PRIME, Symbols, indices

_PLURAL = {"bias": "biases"}


def legend(
    cell: Cell,
    constants: Sequence[EquationView],
    known: Symbols,
    rows: str,
) -> list[str]:
    """Return the sentences below the equations: symbols with sizes, first values.

    Args:
        cell: the cell.
        constants: equations that say no more than another value of a constant.
        known: its symbols.
        rows: the equations, as LaTeX.
    """
    parts = [_constant(equation, known) for equation in constants]
    for declaration in cell.declarations:
        told = declaration.kind != "state" and declaration.description
        parts.append(_declared(declaration, known) + _described(told or ""))
    stems = {sign.stem for sign in known.signs.values()}
    parts += notes("\n".join([rows, *parts]), stems)
    if any(len(p.shape) == 3 for p in cell.graph.parameters):
        parts.append(
            "a weight of three sizes is block-diagonal, one block after another"
        )
    parts += _counting(cell, known)
    size = {name: known.signs[name].at() for name in ("input_size", "hidden_size")}
    parts.append(
        f"${size['input_size']}$ is the size of the input and "
        f"${size['hidden_size']}$ is the number of units"
    )
    return ["Here", ";\n".join(parts) + "."]


def _counting(cell: Cell, known: Symbols) -> list[str]:
    """Return where running indices begin, if there are any."""
    found = dict.fromkeys(i for row in cell.declarations for i in indices(row))
    shown = [f"${known.signs[index].at()}$" for index in found]
    if len(shown) > 1:
        return [f"the indices {', '.join(shown)} count from 0"]
    return [f"the index {index} counts from 0" for index in shown]


def _constant(equation: EquationView, known: Symbols) -> str:
    left = known.symbol(equation.names[0], in_block=False)
    right = Printer(known).text(equation.tree)
    return f"${left} = {right}$" + _described(equation.description)


def _described(text: str) -> str:
    return f" ({escape(text)})" if text else ""


def _declared(declaration: DeclarationView, known: Symbols) -> str:
    kind, names = declaration.kind, declaration.names
    value = _value(declaration, known) if declaration.value else ""
    if kind in ("size", "count"):
        sizes = [known.signs[name].at() for name in names]
        if value:
            return ", ".join(f"${size} = {value}$" for size in sizes)
        shown = ", ".join(f"${size}$" for size in sizes)
        return f"{shown} is a size that is chosen"
    # Primed, so that states and inputs carry t and what a micro-step owns its number.
    prime = "'" if kind == "state" else ""
    shown = [known.symbol(name + prime, declaration.in_block) for name in names]
    one = len(names) == 1
    word = kind if one else _PLURAL.get(kind, kind + "s")
    verb = "is" if one else "are"
    space = _space(declaration, known)
    # A line breaks between formulas, and nowhere in W, U, V.
    text = rf"the {word} {verb} ${'$, $'.join(shown)} \in {space}$"
    if kind == "state":
        symbols = [known.signs[name].at("0") for name in names]
        first = value or "0"
        if symbols == [first]:  # a parameter that is called as the first state is
            return f"{text} with first value ${first}$"
        return f"{text} with ${' = '.join(symbols)} = {first}$"
    if kind == "constant":
        signs = [known.signs[index].at() for index in indices(declaration)]
        below = ("" if all(len(sign) == 1 for sign in signs) else ",").join(signs)
        entries = [f"{{{s}}}_{{{below}}}" if below else s for s in shown]
        said = f"{' = '.join(entries)} = {value}"
        return f"{text} with ${said}$" if declaration.shape else f"${said}$"
    return f"{text}, beginning at ${value}$" if value else text


def _value(declaration: DeclarationView, known: Symbols) -> str:
    """Return what stands behind the = of a declaration: there h is h_0."""
    own = frozenset(indices(declaration))
    first = replace(known, steps=known.steps - own, states=known.states - own)
    if declaration.kind == "state":
        first = replace(first, time_before="0")
    tree = ast.parse(declaration.value.replace("'", PRIME), mode="eval").body
    return Printer(first, declaration.in_block).text(tree)


def _space(declaration: DeclarationView, known: Symbols) -> str:
    """Return the space of a declaration, its sizes as the file writes them."""
    if not declaration.shape:
        return r"\mathbf{R}"
    sizes = re.sub(r"[A-Za-z]\w*\s*:", "", declaration.shape)
    tree = ast.parse(sizes, mode="eval").body
    assert isinstance(tree, ast.List)
    printer = Printer(known)
    above = r" \times ".join(map(printer.factor, tree.elts))
    return rf"\mathbf{{R}}^{{{above}}}"
