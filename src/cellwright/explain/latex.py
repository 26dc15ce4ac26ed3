r"""The equations of a cell as LaTeX, for a paper: an ``align`` and its legend."""

from __future__ import annotations

from cellwright.language.cell import Cell
from cellwright.language.views import EquationView

from .bibliography import own_entries
from .formula_printer import Printer
from .latex_legend import legend
from .latex_rows import Row, set_rows
from .latex_text import escape
from .order import in_reading_order
from .symbols import Symbols, symbols
from .zeros import without_zeros


def latex(cell: Cell) -> str:
    r"""Return a cell's equations as LaTeX; it needs the package amsmath only.

    Args:
        cell: the cell; bases are laid under it.

    Returns:
        A line with the title and what is cited, an ``align`` environment, descriptions
        beside the equations, and sentences that say what each symbol is, with its size.
        The keys are those of `bibliography.bibtex`.

    Example:
        >>> import cellwright as cw
        >>> text = latex(cw.cells.load("elman")).splitlines()
        >>> text[0]
        'Simple recurrent network~\\cite{elman1990finding}:'
        >>> print(text[2])
        h_{t} &= \tanh(W x_{t} + U h_{t-1} + b) && \text{hidden state}
    """
    known = symbols(cell)
    equations = in_reading_order(without_zeros(cell.equations))
    constants = [e for e in equations if _is_constant(e, known)]
    rows = _rows([e for e in equations if e not in constants], known)
    text = "\n".join(row.text for row in rows)
    keys = ",".join(entry.key for entry in own_entries(cell))
    cited = rf"~\cite{{{keys}}}" if keys else ""
    title = escape(_title(cell)).rstrip(".")
    body = [f"{title}{cited}:", r"\begin{align}", set_rows(rows), r"\end{align}"]
    return "\n".join([*body, *legend(cell, constants, known, text)]) + "\n"


def _title(cell: Cell) -> str:
    """Return the title, or the name where a file begins with its reference."""
    begins_so = cell.title in cell.references
    return cell.name if begins_so or not cell.title else cell.title


def _is_constant(equation: EquationView, known: Symbols) -> bool:
    """Whether a variant says another value of a constant, and no more."""
    return equation.replaces_constant and known.steps.isdisjoint(equation.names)


def _rows(equations: list[EquationView], known: Symbols) -> list[Row]:
    """Return the rows of the environment, the for block where it stands."""
    states = sorted(known.carried & known.states)
    last = known.signs[known.last].at() if known.last else ""
    rows: list[Row] = []
    inside = False
    for equation in equations:
        if equation.in_block and not inside:
            before = str(known.first - 1)
            signs = [known.signs[name] for name in states]
            rows += [Row(sign.at("t", before), sign.at("t-1")) for sign in signs]
            index = known.signs[known.index].at()
            span = rf"{index} = {known.first}, \dots, {last}"
            rows.append(Row("", rf"\text{{for }} {span}\text{{:}}"))
        inside = equation.in_block
        rows.append(_row(equation, known))
    signs = [known.signs[name] for name in states]
    return [*rows, *(Row(sign.at("t"), sign.at("t", last)) for sign in signs)]


def _row(equation: EquationView, known: Symbols) -> Row:
    names = [known.symbol(name, equation.in_block) for name in equation.names]
    left = r";\, ".join(names)
    if len(names) > 1:
        left = rf"\left[{left}\right]"
    right = Printer(known, equation.in_block).text(equation.tree)
    return Row(left, right, escape(equation.description))
