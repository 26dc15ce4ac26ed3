"""A cell: its text, what it cites, and its graph."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from cellwright.errors import CellwrightValueError
from cellwright.ir.graph import Graph

from .assemble import assemble, check
from .build import MAX_COUNT, Built, build
from .definitions import Definitions, define
from .grammar import Extends, parse
from .report import Report, Source, did_you_mean
from .source import statements, top_comment

MAX_BASES = 10
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
        """The first line of the comment at the top."""
        lines = [line for line in top_comment(self.text) if line]
        return lines[0] if lines else ""

    @property
    def references(self) -> tuple[str, ...]:
        """The lines of the comment at the top that hold a DOI or an arXiv number."""
        lines = top_comment(self.text)
        return tuple(x for x in lines if re.search(r"doi:|arXiv:", x))

    @property
    def year(self) -> int | None:
        """The year of the first reference, or of the title when none has one."""
        for line in (*self.references, self.title):
            bare = re.sub(r"(doi|arXiv):\S+", "", line)  # arXiv:2010.01234 is no year
            found = re.search(r"\b(?:18|19|20)\d\d\b", bare)
            if found:
                return int(found.group())
        return None

    @property
    def graph(self) -> Graph:
        """The graph with biases and the counts' own values."""
        return _graph(self, True, ())

    @property
    def built(self) -> Built:
        """The definitions with their expressions: for views, not for kernels."""
        return _build(self, True, ())[0]

    def specialise(
        self, bias: bool = True, counts: Mapping[str, int] | None = None
    ) -> Graph:
        """Return the graph without biases, or with other counts.

        Args:
            bias: False makes every ``bias`` 0.
            counts: values of ``count`` declarations, by name.

        Raises:
            CellwrightValueError: for a count that the cell has not, or out of range.
        """
        declared = dict(self.graph.counts)
        for name, value in (counts or {}).items():
            if name not in declared:
                fix = did_you_mean(name, declared)
                raise CellwrightValueError(f"{self.name} has no count {name!r}. {fix}")
            if not 1 <= value <= MAX_COUNT:
                raise CellwrightValueError(
                    f"{self.name}: the count {name} is {value}, "
                    f"a count is a whole number from 1 to {MAX_COUNT:,}"
                )
        return _graph(self, bias, tuple(sorted((counts or {}).items())))


def read_cell(source: Source, resolve: Resolve) -> Cell:
    """Return the cell that a source says.

    Args:
        source: the file.
        resolve: finds the source of a base by its name.

    Raises:
        CellError: with every fault of the file.
    """
    report = Report()
    chain = _chain(source, resolve, report)
    report.raise_if_any()
    cell = Cell(tuple(reversed(chain)))
    _ = cell.graph
    return cell


def _chain(source: Source, resolve: Resolve, report: Report) -> list[Source]:
    chain = [source]
    while True:
        last = chain[-1]
        lines = parse(statements(last, Report()), Report())
        bases = [line.base for line in lines if isinstance(line, Extends)]
        if not bases:
            return chain
        base = bases[0]
        found = resolve(base.text, last)
        if found is None or found in chain:
            what = "is no cell" if found is None else "extends this cell itself"
            report.add("extends", base.span, f"{base.text!r} {what}")
            return chain
        chain.append(found)
        if len(chain) > MAX_BASES + 1:
            report.add("too-many", base.span, f"more than {MAX_BASES} bases")
            return chain


@lru_cache(maxsize=256)
def _build(
    cell: Cell, bias: bool, counts: tuple[tuple[str, int], ...]
) -> tuple[Built, Definitions]:
    report = Report()
    definitions = define(cell.chain, report)
    built = build(definitions, report, bias, dict(counts))
    check(built, report, strict=bias and not counts)
    report.raise_if_any()
    return built, definitions


@lru_cache(maxsize=256)
def _graph(cell: Cell, bias: bool, counts: tuple[tuple[str, int], ...]) -> Graph:
    return assemble(_build(cell, bias, counts)[0])
