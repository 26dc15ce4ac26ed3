"""The directive `cell-gallery`: the library by family, each cell drawn and as text."""

from collections.abc import Iterator
from typing import ClassVar

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata

import cellwright as cw
from cellwright.explain.cell_facts import brief
from cellwright.explain.families import by_family
from cellwright.language.cell import Cell


def page() -> str:
    """Write a section for each family: a table of its cells, then the text of each."""
    parts: list[str] = []
    for family, cells in by_family(map(cw.cells.load, cw.cells.names())).items():
        parts += [f"## {family[0].upper()}{family[1:]}", "", *table(cells), ""]
        for cell in cells:
            parts += section(cell)
    return "\n".join(parts)


def table(cells: list[Cell]) -> Iterator[str]:
    """Write what a reader chooses by: year, class and number of parameters."""
    yield "| cell | year | class | parameters | |"
    yield "|---|---|---|---|---|"
    for cell in cells:
        row = brief(cell)
        count = row["parameters"]["formula"]
        name = f"[{cell.name}](#{label(cell)})"
        yield f"| {name} | {row['year']} | {row['class']} | {count} | {cell.title} |"


def label(cell: Cell) -> str:
    """Name a cell's section: no name of a family, which may be the same word."""
    return f"cell-{cell.name}"


def section(cell: Cell) -> list[str]:
    """Write one cell: its title, its references, its picture, its text."""
    return [
        f"({label(cell)})=",
        f"### {cell.name}",
        "",
        cell.title,
        "",
        *(f"* {reference}" for reference in cell.references),
        "",
        f"```{{cell-figure}} {cell.name}",
        "```",
        "",
        "```text",
        cell.text.rstrip(),
        "```",
        "",
    ]


class CellGallery(SphinxDirective):
    """A section for each family of cells of the library."""

    has_content: ClassVar[bool] = False

    def run(self) -> list[nodes.Node]:
        """Parse the sections where the directive stands."""
        return self.parse_text_to_nodes(page(), allow_section_headings=True)


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the directive."""
    app.add_directive("cell-gallery", CellGallery)
    return {"parallel_read_safe": True}
