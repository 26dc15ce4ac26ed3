"""A cell: its text, what it cites, and its graph."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from cellwright.errors import CellwrightValueError
from cellwright.ir.graph import Graph

from .assemble import assemble
from .build import MAX_COUNT, Built, build
from .check import check
from .definitions import define
from .flat import flat_text
from .grammar import Extends, parse
from .report import Report, Source, did_you_mean
from .source import statements, top_comment
from .views import (
    DeclarationView,
    EquationView,
    block_head,
    declarations,
    equations,
)

MAX_BASES = 10
FAMILY = "family:"
_IDENTIFIER = re.compile(
    r"(?:doi:\s*|arXiv:\s*|doi\.org/|arxiv\.org/)\S+", re.IGNORECASE
)
Resolve = Callable[[str, Source], Source | None]
"""A base's name and the source that extends it, to the base's source."""


@dataclass(frozen=True)
class Cell:
    """The equations of one time step, as a file says them.

    Cells compare and pickle by their text; the graph is made when it is asked for.

    Args:
        chain: the file and its bases, the last base first.

    Example:
        >>> import cellwright as cw
        >>> cell = cw.cells.load("lstm")
        >>> [state.name for state in cell.graph.states]
        ['h', 'c']
    """

    chain: tuple[Source, ...]

    @property
    def source(self) -> Source:
        """The file itself."""
        return self.chain[-1]

    @property
    def name(self) -> str:
        """The file's name without its ending."""
        return self.source.name

    @property
    def text(self) -> str:
        """The text of the file itself."""
        return self.source.text

    @property
    def title(self) -> str:
        """The first comment above the first statement."""
        lines = [line for line in top_comment(self.text) if line]
        return lines[0] if lines else ""

    @property
    def references(self) -> tuple[str, ...]:
        """The comments above the first statement that hold a DOI or an arXiv number."""
        lines = top_comment(self.text)
        return tuple(x for x in lines if _IDENTIFIER.search(x))

    @property
    def year(self) -> int | None:
        """The year of the first reference, or of the title when none has one."""
        for line in (*self.references, self.title):
            bare = _IDENTIFIER.sub("", line)  # arXiv:2010.01234 is no year
            found = re.search(r"\b(?:18|19|20)\d\d\b", bare)
            if found:
                return int(found.group())
        return None

    @property
    def family(self) -> str:
        """What the line ``family:`` above the first statement says, else its base's.

        Example:
            >>> import cellwright as cw
            >>> cw.cells.load("cifg").family
            'LSTM'
        """
        for source in reversed(self.chain):
            for line in top_comment(source.text):
                if line.startswith(FAMILY):
                    return line.removeprefix(FAMILY).strip()
        return ""

    @property
    def graph(self) -> Graph:
        """The graph with biases and the counts' own values."""
        return _graph(self, True, ())

    @property
    def equations(self) -> tuple[EquationView, ...]:
        """The equations that reach the output, bases included.

        Example:
            >>> import cellwright as cw
            >>> cw.cells.load("cifg").equations[0].text
            'sigmoid(W_i @ x + U_i @ h + p_i * c + b_i)'
        """
        return equations(_built(self, True, ()))

    @property
    def declarations(self) -> tuple[DeclarationView, ...]:
        """The declarations that reach the output, bases included.

        Example:
            >>> import cellwright as cw
            >>> [
            ...     d.names
            ...     for d in cw.cells.load("lstm").declarations
            ...     if d.kind == "state"
            ... ]
            [('h', 'c')]
        """
        return declarations(_built(self, True, ()))

    @property
    def block(self) -> str:
        """The head of the for block, ``for l in 1..depth:``; empty without one."""
        return block_head(_built(self, True, ()))

    @property
    def flat_text(self) -> str:
        """The text of one file without ``extends`` that says the same cell.

        It reads as the same graph. Where a plain text would not (a scalar in a vector's
        place, say) it has a term such as ``0 * c``, which adds nothing.

        Example:
            >>> import cellwright as cw
            >>> text = cw.cells.load("cifg").flat_text
            >>> "extends" in text, "f  = 1 - i" in text, "U_o @ h + p_o" in text
            (False, True, True)
        """
        return flat_text(_built(self, True, ()))

    def specialise(
        self, bias: bool = True, counts: Mapping[str, object] | None = None
    ) -> Graph:
        """Return the graph without biases, or with other counts.

        Args:
            bias: False makes every ``bias`` 0.
            counts: values of ``count`` declarations, by name.

        Raises:
            CellwrightValueError: for a count that the cell has not, or out of range.
            CellError: when nothing of the cell is left so, or too much.
        """
        declared = dict(self.graph.counts)
        chosen: dict[str, int] = {}
        for name, value in (counts or {}).items():
            if name not in declared:
                fix = did_you_mean(name, declared)
                raise CellwrightValueError(f"{self.name} has no count {name!r}. {fix}")
            if (
                not isinstance(value, int)
                or isinstance(value, bool)
                or not 1 <= value <= MAX_COUNT
            ):
                raise CellwrightValueError(
                    f"{self.name}: the count {name} is a whole number "
                    f"from 1 to {MAX_COUNT:,}; found {value!r}"
                )
            chosen[name] = value
        return _graph(self, bias, tuple(sorted(chosen.items())))


def read_cell(source: Source, resolve: Resolve, known: Iterable[str] = ()) -> Cell:
    """Return the cell that a source says.

    Args:
        source: the file.
        resolve: finds the source of a base by its name.
        known: names of bases, for "did you mean".

    Raises:
        CellError: with every fault of the file.
    """
    cell = Cell(_chain(source, resolve, known))
    _ = cell.graph
    return cell


def _chain(
    source: Source, resolve: Resolve, known: Iterable[str]
) -> tuple[Source, ...]:
    """Return the file and its bases, the last base first."""
    chain = [source]
    while True:
        last = chain[-1]
        report = Report()
        lines = parse(statements(last, report), report)
        bases = [line.base for line in lines if isinstance(line, Extends)]
        if not bases:
            return tuple(reversed(chain))
        base = bases[0]
        found = resolve(base.text, last)
        if found is None:
            fix = did_you_mean(base.text, known)
            report.add("extends", base.span, f"{base.text!r} is no cell", fix)
        elif found in chain:
            what = "extends this cell itself"
            report.add("extends", base.span, f"{base.text!r} {what}")
        elif len(chain) > MAX_BASES:
            report.add("too-many", base.span, f"more than {MAX_BASES} bases")
        else:
            chain.append(found)
            continue
        report.raise_if_any()


# What graphs and views are made from is large, and asked for in bursts.
@lru_cache(maxsize=8)
def _built(cell: Cell, bias: bool, counts: tuple[tuple[str, int], ...]) -> Built:
    report = Report()
    definitions = define(cell.chain, report)
    built = build(definitions, report, bias, dict(counts))
    check(built, report, strict=bias and not counts)
    report.raise_if_any()
    return built


@lru_cache(maxsize=256)
def _graph(cell: Cell, bias: bool, counts: tuple[tuple[str, int], ...]) -> Graph:
    return assemble(_built(cell, bias, counts))
