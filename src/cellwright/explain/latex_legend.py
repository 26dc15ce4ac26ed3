"""What stands below the equations: each symbol with its size and first value."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from dataclasses import replace

from cellwright.language.cell import Cell
from cellwright.language.views import DeclarationView

from .counts import LETTERS
from .formula_printer import Printer
from .symbols import PRIME, Symbols, symbol

_WORD = r"\\operatorname\{"
NOTES = {
    r"\\odot": r"$\odot$ is the elementwise product",
    r"\\sigma\b": r"$\sigma(v) = 1 / (1 + e^{-v})$",
    _WORD + "ReLU": r"$\operatorname{ReLU}(v) = \max(v, 0)$",
    _WORD + "SiLU": r"$\operatorname{SiLU}(v) = v \, \sigma(v)$",
    _WORD + "softplus": r"$\operatorname{softplus}(v) = \log(1 + e^{v})$",
    _WORD + "hard": r"$\operatorname{hard\,\sigma}(v) = \min(\max(v / 6 + 0.5, 0), 1)$",
    _WORD + "clip": r"$\operatorname{clip}(v, a, b) = \min(\max(v, a), b)$",
    _WORD + "LayerNorm": (
        r"$\operatorname{LayerNorm}(v) = (v - \operatorname{mean}(v)) / "
        r"\sqrt{\operatorname{var}(v) + 10^{-5}}$"
    ),
    _WORD + "softmax": (
        r"$\operatorname{softmax}(v) = e^{v} / \operatorname{sum}(e^{v})$"
    ),
    _WORD + "repeat": (
        r"$\operatorname{repeat}_{n}(v)$ has every entry of $v$ $n$ times, neighbours"
    ),
    _WORD + "surrogate": (
        r"$\operatorname{surrogate}(v, p)$ has the value of $v$ and the gradient of $p$"
    ),
    _WORD + "stopgrad": (r"$\operatorname{stopgrad}(v)$ is $v$ without its gradient"),
    _WORD + r"(?:sum|mean|max|LayerNorm|softmax)\}_": (
        r"a number below a name says in how many equal groups of a vector it acts"
    ),
    r"\\bmod": r"$a \bmod b$ has the sign of $b$",
    r"\\lfloor": r"$\lfloor v \rfloor$ is the largest whole number not above $v$",
    r"\\left\[[^;]*?(?:[<>=]|\\[lg]eq|\\neq)": (
        r"$\left[\cdot\right]$ is 1 where it holds and 0 elsewhere"
    ),
    r";\\, ": r"$\left[a;\, b\right]$ is one vector after the other",
    _WORD + "uniform": r"$\operatorname{uniform}(a, b)$ is drawn evenly",
    _WORD + "normal": (
        r"$\operatorname{normal}(m, s)$ has the mean $m$ and the deviation $s$"
    ),
}
"""What is said of a sign or a function where it stands, by a pattern of its LaTeX."""

_PLURAL = {"bias": "biases"}


def legend(
    cell: Cell,
    known: Symbols,
    rows: str,
    escape: Callable[[str], str],
) -> list[str]:
    """Return the sentences below the equations: symbols with sizes, first values.

    Args:
        cell: the cell.
        known: its symbols.
        rows: the equations, as LaTeX.
        escape: makes a description LaTeX.
    """
    parts = []
    for declaration in cell.declarations:
        part = _declared(declaration, known)
        note = declaration.description
        if note and declaration.kind != "state":
            part += f" ({escape(note)})"
        parts.append(part)
    text = "\n".join([rows, *parts])
    parts += [note for mark, note in NOTES.items() if re.search(mark, text)]
    if any(len(p.shape) == 3 for p in cell.graph.parameters):
        parts.append(
            "a weight of three sizes is block-diagonal, one block after another"
        )
    parts += _letters(known)
    return ["Here", ";\n".join(parts) + "."]


def _letters(known: Symbols) -> list[str]:
    size = {name: known.size(name) for name in LETTERS}
    given, hidden = size["input_size"], size["hidden_size"]
    return [f"${given}$ is the size of the input and ${hidden}$ is the number of units"]


def _declared(declaration: DeclarationView, known: Symbols) -> str:
    kind, names = declaration.kind, declaration.names
    value = _value(declaration, known) if declaration.value else ""
    if kind in ("size", "count"):
        shown = ", ".join(f"${known.size(name)}$" for name in names)
        if value:
            return ", ".join(f"${known.size(name)} = {value}$" for name in names)
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
        symbols = [symbol(name, "0") for name in names]
        first = value or "0"
        if symbols == [first]:  # a parameter that is called as the first state is
            return f"{text} with first value ${first}$"
        return f"{text} with ${' = '.join(symbols)} = {first}$"
    if kind == "constant":
        below = "".join(_indices(declaration))
        entries = [f"{{{s}}}_{{{below}}}" if below else s for s in shown]
        said = f"{' = '.join(entries)} = {value}"
        return f"{text} with ${said}$" if declaration.shape else f"${said}$"
    return f"{text}, beginning at ${value}$" if value else text


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
